/** Reads one source each (file, environment, command line) into settings by path; what is unknown is a problem. */
import { parse, TomlError } from "smol-toml";
import { nearestName } from "../model/nearest-name.ts";
import { limitNames, limitTable } from "./limit-table.ts";
import { flagOf, type OptionKind, type ServeOption, serveOptions, variableOf } from "./serve-options.ts";

/** One reason not to start. No value of a setting is in it: some hold or name secrets. */
export interface ConfigProblem {
  /** `mqttPort`, `limits.packetBytesMax`; empty for a source as a whole. */
  readonly path: string;
  /** `file`, `environment MESS_MQTT_PORT`, `option --mqtt-port`, `default`. */
  readonly origin: string;
  readonly message: string;
  readonly hint?: string;
}

export interface Setting {
  readonly value: unknown;
  readonly origin: string;
}

export interface SourceResult {
  /** By path. */
  readonly settings: ReadonlyMap<string, Setting>;
  readonly problems: readonly ConfigProblem[];
}

const PREFIX = "MESS_";
/** Variables of the client commands and of load tests; they are not for the server, and not its business. */
const OTHER_VARIABLES: ReadonlySet<string> = new Set([
  "MESS_CONFIG",
  "MESS_URL",
  "MESS_HTTP_URL",
  "MESS_CA",
  "MESS_KEY",
  "MESS_KEY_FILE",
  "MESS_CERT",
  "MESS_CERT_KEY",
  "MESS_CONTEXT",
  "MESS_TOKEN",
  "MESS_USER",
  "MESS_PASS",
  "MESS_CMD",
]);
/** Kubernetes sets these in every container beside a service named `mess`. */
const SERVICE_LINKS: readonly string[] = ["MESS_SERVICE_", "MESS_PORT_"];
const SERVICE_LINK = "MESS_PORT";

const optionNames: readonly string[] = serveOptions.map((option) => option.name);

export function readFileSource(text: string): SourceResult {
  const settings = new Map<string, Setting>();
  const problems: ConfigProblem[] = [];
  const origin = "file";
  const table = parseToml(text, problems);
  for (const [key, value] of Object.entries(table)) {
    if (key === "limits") readLimitTable(value, origin, { settings, problems });
    else if (optionNames.includes(key) || key === "jwt") settings.set(key, { value, origin });
    else problems.push(unknown(key, origin, key, [...optionNames, "limits", "jwt"]));
  }
  return { settings, problems };
}

export function readEnvironment(environment: Readonly<Record<string, string | undefined>>): SourceResult {
  const settings = new Map<string, Setting>();
  const problems: ConfigProblem[] = [];
  const known = knownVariables();
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith(PREFIX) || text === undefined || isForeign(name)) continue;
    const origin = `environment ${name}`;
    const target = known.get(name);
    if (target === undefined) {
      problems.push(unknown("", origin, name, known.keys()));
    } else {
      settings.set(target.path, { value: fromText(target.kind, text), origin });
    }
  }
  return { settings, problems };
}

export function readOptions(options: Readonly<Record<string, unknown>>): SourceResult {
  const settings = new Map<string, Setting>();
  const problems: ConfigProblem[] = [];
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined || key === "config") continue;
    if (key === "limits") {
      readLimitTable(value, "option limits", { settings, problems });
      continue;
    }
    const option = serveOptions.find((candidate) => candidate.optionKey === key);
    if (option === undefined) {
      problems.push(
        unknown(
          "",
          "option",
          key,
          serveOptions.map((candidate) => candidate.optionKey),
        ),
      );
      continue;
    }
    settings.set(option.name, { value: optionValue(option, value), origin: `option ${flagOf(option)}` });
  }
  return { settings, problems };
}

interface Sink {
  readonly settings: Map<string, Setting>;
  readonly problems: ConfigProblem[];
}

function readLimitTable(value: unknown, origin: string, into: Sink): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    into.problems.push({ path: "limits", origin, message: "is a table" });
    return;
  }
  for (const [name, limit] of Object.entries(value)) {
    if (Object.hasOwn(limitTable, name)) into.settings.set(`limits.${name}`, { value: limit, origin });
    else into.problems.push(unknown(`limits.${shown(name)}`, origin, name, limitNames));
  }
}

function parseToml(text: string, problems: ConfigProblem[]): Record<string, unknown> {
  try {
    return parse(text);
  } catch (error) {
    // The parser's message quotes the line, and the line may hold a secret.
    const where = error instanceof TomlError ? `: line ${error.line}, column ${error.column}` : "";
    problems.push({ path: "", origin: "file", message: `is no TOML${where}` });
    return {};
  }
}

function unknown(path: string, origin: string, name: string, valid: Iterable<string>): ConfigProblem {
  const nearest = nearestName(name, valid);
  const problem = { path: path === name ? shown(name) : path, origin, message: `there is no setting ${shown(name)}` };
  return nearest === undefined ? problem : { ...problem, hint: `did you mean ${nearest}?` };
}

/** Names come from outside: quoted, escaped and cut. */
function shown(name: string): string {
  const cut = name.length > 64 ? `${name.slice(0, 64)}…` : name;
  return JSON.stringify(cut).slice(1, -1);
}

function isForeign(name: string): boolean {
  if (OTHER_VARIABLES.has(name) || name === SERVICE_LINK) return true;
  return SERVICE_LINKS.some((prefix) => name.startsWith(prefix));
}

function knownVariables(): Map<string, { path: string; kind: OptionKind | "limit" }> {
  const known = new Map<string, { path: string; kind: OptionKind | "limit" }>();
  for (const option of serveOptions) {
    known.set(variableOf(option.optionKey), { path: option.name, kind: option.kind });
  }
  for (const name of limitNames) known.set(variableOf("limits", name), { path: `limits.${name}`, kind: "limit" });
  return known;
}

function optionValue(option: ServeOption, value: unknown): unknown {
  if (option.kind === "texts") return typeof value === "string" ? [value] : value;
  return typeof value === "string" ? fromText(option.kind, value) : value;
}

/** Environment and command line have only text. What is no number or switch stays text, for the schema to refuse. */
function fromText(kind: OptionKind | "limit", text: string): unknown {
  switch (kind) {
    case "port":
    case "descriptor":
    case "limit":
      return /^\d{1,15}$/.test(text) ? Number(text) : text;
    case "switch":
      if (text === "true" || text === "1") return true;
      return text === "false" || text === "0" ? false : text;
    case "texts":
      return text.split(",").map((part) => part.trim());
    case "text":
    case "path":
    case "level":
      return text;
  }
}
