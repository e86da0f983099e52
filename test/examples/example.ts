/** Runs a program of `examples/` as its reader would: as a process of its own, told where the broker is by its environment. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";
import { cleanEnvironment, type Server } from "../support/server.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const outputMax = 1_000_000;

export interface ExampleOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** Told each line of its stdout as it comes. */
  readonly onLine?: (line: string) => void;
  /** Milliseconds until it is killed, however it goes. */
  readonly limit?: number;
}

const running = new Set<Example>();

/** One process. It is killed when the tests of its file are over. */
export class Example {
  /** Both streams, as they came. */
  output = "";
  readonly #child: ChildProcess;
  readonly ended: Promise<number | null>;

  constructor(command: readonly string[], options: ExampleOptions = {}) {
    const [program = "", ...args] = command;
    const env = { ...cleanEnvironment(), NO_COLOR: "1", ...options.env };
    const child = spawn(program, [...args, ...(options.args ?? [])], {
      cwd: root,
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    const take = (bytes: Buffer): void => {
      if (this.output.length < outputMax) this.output += bytes.toString();
    };
    child.stdout?.on("data", take);
    const { onLine } = options;
    if (onLine !== undefined && child.stdout !== null) createInterface(child.stdout).on("line", onLine);
    child.stderr?.on("data", take);
    const limit = setTimeout(() => child.kill("SIGKILL"), options.limit ?? 60_000);
    this.ended = new Promise((resolve) => {
      child.once("error", (error) => {
        this.output += error.message;
      });
      child.once("close", (code) => {
        clearTimeout(limit);
        running.delete(this);
        resolve(code);
      });
    });
    running.add(this);
  }

  /** Waits until its output holds the text, or matches. */
  async says(what: string | RegExp, milliseconds = 20_000): Promise<string> {
    const deadline = Date.now() + milliseconds;
    const holds = (): boolean => (typeof what === "string" ? this.output.includes(what) : what.test(this.output));
    while (!holds()) {
      if (Date.now() > deadline || !running.has(this)) {
        throw new Error(`the example did not say ${String(what)}; it said:\n${this.output}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return this.output;
  }

  /** Its exit, which must be a good one; what it said. */
  async succeeds(): Promise<string> {
    const code = await this.ended;
    if (code !== 0) throw new Error(`the example ended with ${code}; it said:\n${this.output}`);
    return this.output;
  }

  /** Ends it as Ctrl-C does, and waits. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    this.#child.kill(signal);
    return this.ended;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

/** A TypeScript program of `examples/`, by its path in there. */
export function typescript(path: string, options: ExampleOptions = {}): Example {
  const tsx = ["--import", "tsx", `${root}examples/${path}`];
  const env = { TSX_TSCONFIG_PATH: `${root}examples/tsconfig.json`, ...options.env };
  return new Example([process.execPath, ...tsx], { ...options, env });
}

/** How an example reaches a server with a key. */
export function environment(
  server: Server,
  key: { readonly id: string; readonly secret: string },
): Record<string, string> {
  const { port } = server.mqtt;
  const secure = server.mode === "secure";
  return {
    MESS_URL: `${secure ? "mqtts" : "mqtt"}://localhost:${port}`,
    MESS_HTTP_URL: server.httpUrl,
    ...(secure && { MESS_CA: `${server.dataDir}/ca.pem`, MESS_KEY: `${key.id}.${key.secret}` }),
  };
}

/** To be called once in a file that runs examples. */
export function killExamplesAfterwards(): void {
  afterAll(async () => {
    const left = [...running];
    for (const example of left) example.kill();
    await Promise.all(left.map(({ ended }) => ended));
  });
}
