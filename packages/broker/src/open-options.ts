/** What a program says to have a broker of its own: few words, safe without any of them, checked like a configuration. */
import { randomBytes } from "node:crypto";
import { type Log, type LogLevel, openLog } from "./admin/log.ts";
import type { Limits } from "./config/limits.ts";
import { completeConfig, formatConfigProblem } from "./config/load.ts";
import type { ServeConfig } from "./config/serve-config.ts";
import type { Host } from "./host/host.ts";
import { memoryHost } from "./host/memory-host.ts";
import { nodeHost } from "./host/node-host.ts";
import { StartError } from "./start-error.ts";

/** Where others may connect, as `mess serve` has it: TLS and keys, on this machine only unless `listen` says otherwise. */
export interface ListenerOptions {
  /** `127.0.0.1` by default. */
  readonly listen?: string;
  /** MQTT over TLS; 8883 by default, 0 picks a free one. */
  readonly mqttPort?: number;
  /** HTTPS; 8443 by default, 0 picks a free one. */
  readonly httpPort?: number;
  /** More names for the certificate that mess makes. */
  readonly hostNames?: readonly string[];
  /** PEM files of one's own certificate. */
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  /** PEM files: authorities of one's own whose client certificates count, and their revocation lists. */
  readonly clientCa?: string;
  readonly clientCrl?: string;
  /** Weakening: no TLS, no keys, everything allowed to everybody (embedded clients too), on loopback only. */
  readonly insecureDev?: boolean;
  /** With `insecureDev` and a certificate: a TLS listener beside the plain one. */
  readonly mqttsPort?: number;
}

interface CommonOptions {
  /** Nobody but this process may connect, by default. True for the ports of `mess serve`. */
  readonly listeners?: boolean | ListenerOptions;
  /** What replaces the policy in the journal: the text of a policy file (TOML), or the same as an object. */
  readonly policy?: string | Readonly<Record<string, unknown>>;
  /** Those that differ from the defaults; sizes and times may be text with units, such as "2MiB". */
  readonly limits?: { readonly [Name in keyof Limits]?: number | string };
  /** Lines of JSON to stderr from this level on; `warn` by default. Or a log of one's own. */
  readonly log?: LogLevel | "silent" | Log;
  /**
   * The journal failed: nothing is acknowledged any more and clients are sent away. End the process; the next start
   * recovers everything that was acknowledged.
   */
  readonly onFailure?: (reason: string) => void;
}

interface DiskOptions extends CommonOptions {
  /** Data directory; made when it is new. Only one process may have it open. */
  readonly data: string;
  readonly memory?: false;
  /** Where the key-encryption key is; `<data>.kek` without any of them. */
  readonly kekFile?: string;
  readonly kekFd?: number;
  readonly kekCommand?: string;
}

interface MemoryOptions extends CommonOptions {
  /** A journal in memory: what it holds is gone with the process. Its size is `limits.diskBytesMax`, 256 MiB by default. */
  readonly memory: true;
  readonly data?: undefined;
}

export type OpenOptions = DiskOptions | MemoryOptions;

/** The same, checked and complete. */
export interface Opening {
  readonly config: ServeConfig;
  readonly log: Log;
  readonly host: Host;
  readonly isListening: boolean;
  /** Given where the journal is in memory; nothing is written to the real disk then. */
  readonly memoryKek?: Uint8Array;
  readonly policy?: string | Readonly<Record<string, unknown>>;
  readonly onFailure?: (reason: string) => void;
}

const MiB = 1_024 * 1_024;
/** Memory is dearer than disk. Where `limits` says otherwise, that counts. */
const memoryLimits = {
  segmentBytes: 4 * MiB,
  diskBytesMax: 256 * MiB,
  frameCacheBytes: 4 * MiB,
  retainedBytesMax: 64 * MiB,
};
/** The journal is bounded by its budget, not by the disk. */
const memoryCapacityShare = 1.5;
const kekBytes = 32;
const configError = 78;

/**
 * @param host instead of the real one, for tests
 * @throws StartError that names each bad option
 */
export function readOpenOptions(options: OpenOptions, host?: Host): Opening {
  const { listeners = false, log = "warn", policy, onFailure, memory, limits, ...rest } = options;
  if ((memory === true) === (options.data !== undefined)) {
    const text = 'say data: "./data" for a journal on disk, or memory: true for one that is gone with the process';
    throw new StartError(configError, `Broker.open: ${text}`);
  }
  const own = typeof listeners === "object" ? listeners : {};
  const completed = completeConfig({
    ...rest,
    ...own,
    data: options.data ?? "/memory",
    limits: { ...(memory === true && memoryLimits), ...limits },
  });
  if ("problems" in completed) {
    const lines = completed.problems.map(formatConfigProblem).join("\n  ");
    throw new StartError(configError, `Broker.open: the options are refused:\n  ${lines}`);
  }
  const { config } = completed;
  const capacityBytes = Math.floor(config.limits.diskBytesMax * memoryCapacityShare);
  return {
    config,
    log: openLogOf(log),
    host: host ?? (memory === true ? memoryHost(capacityBytes) : nodeHost()),
    isListening: listeners !== false,
    ...(memory === true && { memoryKek: host?.random.bytes(kekBytes) ?? randomBytes(kekBytes) }),
    ...(policy !== undefined && { policy }),
    ...(onFailure !== undefined && { onFailure }),
  };
}

const ignore = (): void => undefined;
const silent: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore };

function openLogOf(log: LogLevel | "silent" | Log): Log {
  if (typeof log === "object") return log;
  return log === "silent" ? silent : openLog({ level: log, stream: process.stderr, form: "json" });
}
