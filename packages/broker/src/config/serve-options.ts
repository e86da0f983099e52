import { logLevels, type ServeConfig } from "./serve-config.ts";

/** `path` is text too; it only reads differently in the documentation. */
export type OptionKind = "text" | "path" | "texts" | "port" | "descriptor" | "switch" | "level";

export interface ServeOption {
  /** As in the file and in `ServeConfig`. */
  readonly name: Exclude<keyof ServeConfig, "limits" | "jwt">;
  /** As the parsed command line has it; `--host-name` is given once a name. */
  readonly optionKey: string;
  readonly kind: OptionKind;
  /** For the documentation. */
  readonly default: string;
  readonly meaning: string;
}

function option(name: ServeOption["name"], kind: OptionKind, fallback: string, meaning: string): ServeOption {
  return { name, optionKey: name === "hostNames" ? "hostName" : name, kind, default: fallback, meaning };
}

export const serveOptions: readonly ServeOption[] = [
  option("data", "path", "`./mess-data`", "Data directory. Made at the first start, with mode 0700."),
  option("listen", "text", "`127.0.0.1`", "Address to listen on. With `insecureDev` only a loopback address."),
  option(
    "mqttPort",
    "port",
    "8883 (`insecureDev`: 1883)",
    "MQTT over TLS; plain MQTT with `insecureDev`. 0 picks a free port.",
  ),
  option(
    "httpPort",
    "port",
    "8443 (`insecureDev`: 8080)",
    "HTTPS; plain HTTP with `insecureDev`. 0 picks a free port.",
  ),
  option(
    "mqttsPort",
    "port",
    "none",
    "MQTT over TLS beside the plain port; only with `insecureDev`, `tlsCert` and `tlsKey`. 0 picks a free port.",
  ),
  option(
    "hostNames",
    "texts",
    "none",
    "More names for the certificate that mess makes. In the environment: divided by commas.",
  ),
  option("tlsCert", "path", "made by mess", "PEM file with your own certificate chain. Together with `tlsKey`."),
  option("tlsKey", "path", "made by mess", "PEM file with the private key of `tlsCert`."),
  option(
    "clientCa",
    "path",
    "none",
    "PEM file with authorities of your own whose client certificates count beside those that `mess cert issue` makes. Read again on SIGHUP.",
  ),
  option(
    "clientCrl",
    "path",
    "none",
    "PEM file with the revocation lists of these authorities; with it each of them needs one that is up to date. Together with `clientCa`. Read again on SIGHUP.",
  ),
  option("kekFile", "path", "`<data>.kek`", "File with the key-encryption key, mode 0400."),
  option("kekFd", "descriptor", "none", "File descriptor to read the key-encryption key from."),
  option("kekCommand", "text", "none", "Command that prints the key-encryption key, for a key management service."),
  option(
    "insecureDev",
    "switch",
    "`false`",
    "Plain text, no authentication, everything allowed; for benchmarks and first experiments, on loopback only.",
  ),
  option(
    "checkpointFile",
    "path",
    "none",
    "File outside the data directory for signed checkpoints: a start compares the journal with it, and so finds a rollback.",
  ),
  option(
    "witnessKeysFile",
    "path",
    "none",
    "File with a witness's verifier key on each line: whose cosignatures are kept.",
  ),
  option("policyFile", "path", "none", "Policy (TOML) to apply at start and on SIGHUP."),
  option("logLevel", "level", "`info`", `One of ${logLevels.join(", ")}.`),
];

/** `hostNames` is given by `--host-name NAME`, once a name. */
export function flagOf(option: ServeOption): string {
  return `--${words(option.optionKey).join("-").toLowerCase()}`;
}

/** `MESS_MQTT_PORT`; nested keys are joined by two underscores: `MESS_LIMITS__PACKET_BYTES_MAX`. */
export function variableOf(...keys: readonly string[]): string {
  return `MESS_${keys.map((key) => words(key).join("_").toUpperCase()).join("__")}`;
}

function words(key: string): string[] {
  return key.split(/(?=[A-Z])/);
}
