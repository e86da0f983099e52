import { crossCheck } from "./cross-checks.ts";
import { limitNames } from "./limit-table.ts";
import { defaultLimits, type Limits } from "./limits.ts";
import { type PartialServeConfig, serveSchema } from "./schema.ts";
import type { ServeConfig } from "./serve-config.ts";
import { serveOptions } from "./serve-options.ts";
import { type ConfigProblem, readEnvironment, readFileSource, readOptions, type Setting } from "./sources.ts";

export interface ConfigSources {
  /** The parsed command line, without defaults: `{ mqttPort: "1883", hostName: ["a"] }`. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Text of the TOML file, if there is one. */
  readonly file?: string;
}

export type LoadedConfig =
  | {
      readonly config: ServeConfig;
      /** Where each setting comes from, by path (`limits.packetBytesMax`): `option --mqtt-port`, `default`. */
      readonly origins: ReadonlyMap<string, string>;
    }
  | { readonly problems: readonly ConfigProblem[] };

/** Command line before environment before file before default. Everything wrong is told at once; nothing is ignored. */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const read = [
    ...(sources.file === undefined ? [] : [readFileSource(sources.file)]),
    readEnvironment(sources.env),
    readOptions(sources.options),
  ];
  // Later sources replace earlier ones.
  const settings = new Map(read.flatMap((source) => [...source.settings]));
  const problems = read.flatMap((source) => source.problems);
  const parsed = serveSchema.safeParse(nest(settings));
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const path = pathOf(issue.path);
      problems.push({ path, origin: originOf(path, settings), message: issue.message });
    }
  }
  if (!parsed.success || problems.length > 0) return { problems };
  const config = withDefaults(parsed.data);
  const cross = crossCheck(config);
  if (cross.length > 0) {
    return { problems: cross.map((problem) => ({ ...problem, origin: originOf(problem.path, settings) })) };
  }
  return { config, origins: allOrigins(settings) };
}

/** One line for people: `mqttPort (environment MESS_MQTT_PORT): is a whole number from 0 to 65535`. */
export function formatConfigProblem(problem: ConfigProblem): string {
  const where = problem.path === "" ? problem.origin : `${problem.path} (${problem.origin})`;
  return `${where}: ${problem.message}${problem.hint === undefined ? "" : `; ${problem.hint}`}`;
}

/** Complete and checked from values of a program: `limits` may be partial, and sizes and times in it text with units. */
export function completeConfig(
  values: Readonly<Record<string, unknown>>,
): { readonly config: ServeConfig } | { readonly problems: readonly ConfigProblem[] } {
  const parsed = serveSchema.safeParse(values);
  const origin = "option";
  if (!parsed.success) {
    return { problems: parsed.error.issues.map(({ path, message }) => ({ path: pathOf(path), origin, message })) };
  }
  const config = withDefaults(parsed.data);
  const problems = crossCheck(config).map((problem) => ({ ...problem, origin }));
  return problems.length > 0 ? { problems } : { config };
}

function nest(settings: ReadonlyMap<string, Setting>): Record<string, unknown> {
  const limits: Record<string, unknown> = {};
  const nested: Record<string, unknown> = { limits };
  for (const [path, setting] of settings) {
    if (path.startsWith("limits.")) limits[path.slice("limits.".length)] = setting.value;
    else nested[path] = setting.value;
  }
  return nested;
}

/** `hostNames[1]` belongs to the setting `hostNames`. */
function pathOf(issuePath: readonly PropertyKey[]): string {
  return issuePath.filter((part) => typeof part === "string").join(".");
}

function originOf(path: string, settings: ReadonlyMap<string, Setting>): string {
  return settings.get(path)?.origin ?? "default";
}

function withDefaults(given: PartialServeConfig): ServeConfig {
  const insecureDev = given.insecureDev ?? false;
  return {
    data: given.data ?? "./mess-data",
    listen: given.listen ?? "127.0.0.1",
    mqttPort: given.mqttPort ?? (insecureDev ? 1_883 : 8_883),
    httpPort: given.httpPort ?? (insecureDev ? 8_080 : 8_443),
    hostNames: given.hostNames ?? [],
    jwt: given.jwt ?? [],
    insecureDev,
    logLevel: given.logLevel ?? "info",
    limits: { ...defaultLimits, ...withoutUndefined(given.limits ?? {}) } satisfies Limits,
    ...withoutUndefined({
      mqttsPort: given.mqttsPort,
      tlsCert: given.tlsCert,
      tlsKey: given.tlsKey,
      clientCa: given.clientCa,
      clientCrl: given.clientCrl,
      kekFile: given.kekFile,
      kekFd: given.kekFd,
      kekCommand: given.kekCommand,
      policyFile: given.policyFile,
      checkpointFile: given.checkpointFile,
      witnessKeysFile: given.witnessKeysFile,
    }),
  };
}

type Defined<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

function withoutUndefined<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>;
}

function allOrigins(settings: ReadonlyMap<string, Setting>): Map<string, string> {
  const paths = [...serveOptions.map((option) => option.name), ...limitNames.map((name) => `limits.${name}`)];
  return new Map(paths.map((path) => [path, originOf(path, settings)]));
}
