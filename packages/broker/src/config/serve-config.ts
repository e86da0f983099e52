import type { JwtConfig } from "./jwt-config.ts";
import type { Limits } from "./limits.ts";

export const logLevels = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

/** Everything `mess serve` can be told, checked and complete. Paths are relative to the process. */
export interface ServeConfig {
  /** Data directory. */
  readonly data: string;
  /** Address or host name to listen on. Loopback when `insecureDev`. */
  readonly listen: string;
  /** MQTT over TLS, or plain MQTT when `insecureDev`; 0 picks a free one. */
  readonly mqttPort: number;
  /** HTTPS, or plain HTTP when `insecureDev`; 0 picks a free one. */
  readonly httpPort: number;
  /** A TLS listener beside the plain one; only when `insecureDev`, and with `tlsCert` and `tlsKey`. */
  readonly mqttsPort?: number;
  /** More names for the server certificate. */
  readonly hostNames: readonly string[];
  /** PEM files of one's own certificate; both or neither. */
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  /** PEM files: other authorities whose client certificates count, and their revocation lists. */
  readonly clientCa?: string;
  readonly clientCrl?: string;
  /** Where the key-encryption key is; at most one of the three. None: `DIR.kek` beside the data directory. */
  readonly kekFile?: string;
  readonly kekFd?: number;
  readonly kekCommand?: string;
  /** Plain text and no authentication, on loopback only. */
  readonly insecureDev: boolean;
  /** Policy to apply at start and on SIGHUP. */
  readonly policyFile?: string;
  /** File outside the data directory that gets every signed checkpoint, and that a start compares the journal with. */
  readonly checkpointFile?: string;
  /** File with a verifier key of a witness on each line, whose cosignatures are kept. */
  readonly witnessKeysFile?: string;
  readonly logLevel: LogLevel;
  readonly limits: Limits;
  /** Issuers whose tokens are taken. */
  readonly jwt: readonly JwtConfig[];
}
