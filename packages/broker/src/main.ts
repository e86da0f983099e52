/** `mess serve`: configuration, signals, the ready line, exit codes (DESIGN section 8). */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { type Log, type LogLevel, openLog } from "./admin/log.ts";
import { Broker } from "./broker.ts";
import { formatConfigProblem, loadConfig } from "./config/load.ts";
import type { ServeConfig } from "./config/serve-config.ts";
import { readPlainFile } from "./input/read-plain-file.ts";
import { StartError } from "./start-error.ts";
import { StorageError } from "./storage/storage-error.ts";

export interface ServeOptions {
  /** Only the flags that were given, by their long names in camel case. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
}

/** Written at ready for client commands on the same machine. */
const serverFile = "server.json";
/** A failed journal ends the process within this time (RELIABILITY F8); clients are told meanwhile. */
const failedExitMs = 1_000;
/** A defect of ours. */
const internalExitCode = 70;

/** Serves until told to stop; resolves with the exit code. */
export async function serve(options: ServeOptions): Promise<number> {
  // Whoever reads our output may go away: that is no reason to stop serving.
  options.stdout.on("error", () => undefined);
  options.stderr.on("error", () => undefined);
  let log: Log | undefined;
  try {
    const config = await configOf(options);
    log = openLogOf(options, config.logLevel as LogLevel);
    return await serveChecked(options, config, log);
  } catch (error) {
    tellFailedStart(options, log ?? openLogOf(options, "info"), error);
    return exitCodeOf(error);
  }
}

async function serveChecked(options: ServeOptions, config: ServeConfig, log: Log): Promise<number> {
  const { stdout, stderr } = options;
  endAtDefects(log);
  if (config.insecureDev) {
    stderr.write(
      "mess: --insecure-dev: NO TLS, NO AUTHENTICATION, EVERYTHING ALLOWED, on this machine only. Never use it for real data.\n",
    );
  }
  if (process.getuid?.() === 0) {
    log.warn("process.root", { note: "mess runs as root and needs none of its rights; give it a user of its own" });
  }
  const signals = new Signals();
  const broker = await Broker.start({ config, log });
  try {
    if (!signals.isStopping) {
      greet(options, config, broker);
      await writeServerFile(config, broker);
      stdout.write(`mess ready ${broker.addresses.mqtt} ${broker.addresses.http}\n`);
    }
  } catch (error) {
    await broker.close();
    throw error;
  }
  const exitCode = await signals.run(broker);
  await rm(join(config.data, serverFile), { force: true });
  return exitCode;
}

function openLogOf({ stderr, env }: ServeOptions, level: LogLevel): Log {
  const isTerminal = (stderr as Partial<Writable & { isTTY: boolean }>).isTTY === true;
  const colour = isTerminal && env["NO_COLOR"] === undefined;
  return openLog({ level, stream: stderr, form: colour ? "coloured" : isTerminal ? "plain" : "json" });
}

/** A line for people, and where the log is NDJSON one for programs, with the place of damaged data (RELIABILITY D7). */
function tellFailedStart({ stderr }: ServeOptions, log: Log, error: unknown): void {
  const reason = messageOf(error);
  stderr.write(`mess: ${reason}\n`);
  if ((stderr as Partial<Writable & { isTTY: boolean }>).isTTY === true) return;
  const { code, detail } = error instanceof StorageError ? error : { code: undefined, detail: undefined };
  const exitCode = exitCodeOf(error);
  // Expected refusals speak for themselves; of a defect we want the place.
  const stack = exitCode === internalExitCode && error instanceof Error ? error.stack : undefined;
  log.error("start.failed", { exitCode, code, reason, detail, stack });
}

/**
 * After a defect nothing that is in memory can be trusted: the process ends there and then, before anything else is
 * acknowledged (LESSONS, class 4). What was acknowledged is on disk; the next start is a recovery.
 */
function endAtDefects(log: Log): void {
  const end = (error: unknown): never => {
    try {
      const stack = error instanceof Error ? error.stack : undefined;
      log.error("process.defect", {
        reason: messageOf(error),
        stack,
        note: "this is a defect of mess: please report it",
      });
    } finally {
      process.exit(internalExitCode);
    }
  };
  // Before all others, which may want to say more about it.
  process.prependListener("uncaughtException", end);
  process.prependListener("unhandledRejection", end);
}

/** Where a person sees it, what the first start made and what to do next. Logs keep secrets for ever: never there. */
function greet(options: ServeOptions, config: ServeConfig, broker: Broker): void {
  const { stdout } = options;
  if ((stdout as Partial<Writable & { isTTY: boolean }>).isTTY !== true) return;
  stdout.write(`mess · data ${config.data} · ${config.listen}${broker.isNew ? " · first start" : ""}\n`);
  if (broker.firstKey !== undefined) {
    stdout.write(`  admin key (shown once)   ${broker.firstKey}   also in ${join(config.data, "admin.key")}\n`);
  }
  stdout.write("  publish    npx mess pub hello 'first message'\n  subscribe  npx mess sub hello\n");
}

async function writeServerFile(config: ServeConfig, broker: Broker): Promise<void> {
  const { mqtt, http } = broker.addresses;
  const content = { mqtt, https: http, pid: process.pid, insecure: config.insecureDev };
  const path = join(config.data, serverFile);
  await rm(path, { force: true });
  await writeFile(path, `${JSON.stringify(content)}\n`, { mode: 0o600, flag: "wx" });
}

async function configOf(options: ServeOptions): Promise<ServeConfig> {
  const path = (options.flags["config"] as string | undefined) ?? options.env["MESS_CONFIG"];
  const { config: _path, ...flags } = options.flags;
  const text =
    path === undefined
      ? undefined
      : await readPlainFile(path).catch((error: unknown) => {
          throw new StartError(78, `the configuration ${path} cannot be read: ${messageOf(error)}`);
        });
  const loaded = loadConfig({
    options: flags,
    env: options.env,
    ...(text !== undefined && { file: text.toString("utf8") }),
  });
  if ("problems" in loaded) {
    throw new StartError(
      78,
      `the configuration${path === undefined ? "" : ` ${path}`} is refused:\n  ${loaded.problems.map(formatConfigProblem).join("\n  ")}`,
    );
  }
  return loaded.config;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function exitCodeOf(error: unknown): number {
  const code = (error as { exitCode?: unknown } | null | undefined)?.exitCode;
  return typeof code === "number" ? code : internalExitCode;
}

/** SIGTERM and SIGINT drain, a second one exits at once; SIGHUP reloads; a failed journal ends everything. */
class Signals {
  #stop: ((exitCode: number) => void) | undefined;
  readonly #stopped: Promise<number>;
  #asked = false;
  #broker: Broker | undefined;

  constructor() {
    this.#stopped = new Promise((resolve) => {
      this.#stop = resolve;
    });
    process.on("SIGTERM", this.#onStop);
    process.on("SIGINT", this.#onStop);
    process.on("SIGHUP", this.#onReload);
  }

  /** True once the process was asked to end, also before there was a broker. */
  get isStopping(): boolean {
    return this.#asked;
  }

  async run(broker: Broker): Promise<number> {
    this.#broker = broker;
    if (this.#asked) this.#drain();
    const watch = setInterval(() => {
      if (!broker.hasFailed) return;
      clearInterval(watch);
      setTimeout(() => process.exit(74), failedExitMs);
    }, 100);
    const exitCode = await this.#stopped;
    clearInterval(watch);
    process.off("SIGTERM", this.#onStop);
    process.off("SIGINT", this.#onStop);
    process.off("SIGHUP", this.#onReload);
    return exitCode;
  }

  readonly #onStop = (signal: NodeJS.Signals): void => {
    if (this.#asked) process.exit(signal === "SIGINT" ? 130 : 143);
    this.#asked = true;
    if (this.#broker !== undefined) this.#drain();
  };

  readonly #onReload = (): void => {
    void this.#broker?.reload();
  };

  #drain(): void {
    this.#broker?.close().then(
      () => this.#stop?.(this.#broker?.hasFailed === true ? 74 : 0),
      () => this.#stop?.(internalExitCode),
    );
  }
}
