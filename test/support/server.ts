/** A real server process on a data directory of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Endpoint } from "./streams.ts";
import { target as chosenTarget, type Target } from "./target.ts";

export const messCommand: string = fileURLToPath(new URL("../../packages/cli/bin/mess", import.meta.url));

export interface ServerOptions {
  /** `dev` is `--insecure-dev`: plain, no keys. `secure` is how `mess serve` runs by itself. */
  readonly mode?: "dev" | "secure";
  readonly target?: Target;
  /** The tests will kill this server; mosquitto must then be told to save its state. mess needs no telling. */
  readonly killed?: boolean;
  /** More arguments for `mess serve`. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A command to put before `mess`, such as strace with its options. */
  readonly wrapper?: readonly string[];
  /** An existing data directory; else a new one, removed with the server. */
  readonly dataDir?: string;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Without the variables of mess, which refuses those it does not know and obeys the others. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("MESS_")));
}

const living = new Set<ChildProcess>();

process.on("exit", () => {
  for (const child of living) child.kill("SIGKILL");
});

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

interface Address {
  readonly host: string;
  readonly port: number;
}

function parseReady(line: string): { mqtt: Address; http: Address } | undefined {
  const found = /^mess ready mqtts?:\/\/(\[[^\]]+\]|[^:]+):(\d+) https?:\/\/(\[[^\]]+\]|[^:]+):(\d+)$/m.exec(line);
  if (found === null) return undefined;
  const host = (text: string | undefined): string => (text ?? "").replace(/^\[|\]$/g, "");
  return {
    mqtt: { host: host(found[1]), port: Number(found[2]) },
    http: { host: host(found[3]), port: Number(found[4]) },
  };
}

export class Server {
  readonly mode: "dev" | "secure";
  readonly target: Target;
  readonly dataDir: string;
  stdout = "";
  stderr = "";
  /** Milliseconds from the start of the process to its ready line. */
  startedIn = 0;
  #child: ChildProcess | undefined;
  #exit: Promise<Exit> | undefined;
  #mqtt: Address = { host: "127.0.0.1", port: 0 };
  #http: Address = { host: "127.0.0.1", port: 0 };
  readonly #options: ServerOptions;
  readonly #root: string | undefined;

  private constructor(options: ServerOptions) {
    this.#options = options;
    this.mode = options.mode ?? "dev";
    this.target = options.target ?? chosenTarget;
    this.#root = options.dataDir === undefined ? mkdtempSync(join(tmpdir(), "mess-test-")) : undefined;
    this.dataDir = options.dataDir ?? join(this.#root ?? "", "data");
  }

  static async start(options: ServerOptions = {}): Promise<Server> {
    const server = new Server(options);
    await server.#launch();
    return server;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error("the server is not running");
    return pid;
  }

  /** MQTT straight on the socket. */
  get mqtt(): Endpoint {
    return this.#endpoint("tcp", "tls", this.#mqtt);
  }

  /** MQTT over WebSocket. */
  get webSocket(): Endpoint {
    return this.#endpoint("ws", "wss", this.#http);
  }

  get httpUrl(): string {
    return `${this.mode === "secure" ? "https" : "http"}://localhost:${this.#http.port}`;
  }

  get ca(): string {
    return readFileSync(join(this.dataDir, "ca.pem"), "utf8");
  }

  /** The admin key of the first start. */
  get admin(): { id: string; secret: string } {
    const [id = "", secret = ""] = readFileSync(join(this.dataDir, "admin.key"), "utf8").trim().split(".");
    return { id, secret };
  }

  #endpoint(plain: "tcp" | "ws", secure: "tls" | "wss", address: Address): Endpoint {
    if (this.mode === "dev") return { kind: plain, ...address };
    return { kind: secure, ...address, ca: this.ca };
  }

  async #commandLine(): Promise<string[]> {
    if (this.target === "mosquitto") return this.#mosquittoCommand();
    const mode = this.mode === "dev" ? ["--insecure-dev"] : [];
    const ports = ["--mqtt-port", String(this.#mqtt.port), "--http-port", String(this.#http.port)];
    const wrapper = this.#options.wrapper ?? [];
    return [...wrapper, messCommand, "serve", ...mode, "--data", this.dataDir, ...ports, ...(this.#options.args ?? [])];
  }

  async #mosquittoCommand(): Promise<string[]> {
    if (this.mode === "secure") throw new Error("mosquitto is only run plain");
    mkdirSync(this.dataDir, { recursive: true });
    if (process.getuid?.() === 0) {
      // started by root it becomes user mosquitto, who must then write here
      chmodSync(this.#root ?? this.dataDir, 0o777);
      chmodSync(this.dataDir, 0o777);
    }
    if (this.#mqtt.port === 0) {
      this.#mqtt = { host: "127.0.0.1", port: await freePort() };
      this.#http = { host: "127.0.0.1", port: await freePort() };
    }
    const settings = [
      "allow_anonymous true",
      "persistence true",
      `persistence_location ${this.dataDir}/`,
      // saving after each change is slow, so only where a test kills the server
      ...(this.#options.killed === true ? ["autosave_on_changes true", "autosave_interval 1"] : []),
      "max_queued_messages 0",
      "max_packet_size 1048576",
      "max_inflight_messages 100",
      `listener ${this.#mqtt.port} 127.0.0.1`,
      `listener ${this.#http.port} 127.0.0.1`,
      "protocol websockets",
    ];
    const file = join(this.dataDir, "mosquitto.conf");
    writeFileSync(file, `${settings.join("\n")}\n`);
    return ["/usr/sbin/mosquitto", "-c", file];
  }

  async #launch(): Promise<void> {
    const [command = "", ...args] = await this.#commandLine();
    const began = performance.now();
    const child = spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...cleanEnvironment(), ...this.#options.env },
    });
    this.#child = child;
    this.stdout = "";
    living.add(child);
    this.#exit = new Promise((resolve) => {
      child.once("close", (code, signal) => {
        living.delete(child);
        this.#child = undefined;
        resolve({ code, signal });
      });
      child.once("error", (error) => {
        this.stderr += error.message;
        resolve({ code: -1, signal: null });
      });
    });
    child.stdout?.on("data", (bytes: Buffer) => {
      this.stdout += bytes.toString();
    });
    child.stderr?.on("data", (bytes: Buffer) => {
      if (this.stderr.length < 1_000_000) this.stderr += bytes.toString();
    });
    await this.#ready();
    this.startedIn = performance.now() - began;
  }

  #isReady(): boolean {
    if (this.target === "mosquitto") return /version .* running/.test(this.stderr + this.stdout);
    const addresses = parseReady(this.stdout);
    if (addresses === undefined) return false;
    this.#mqtt = addresses.mqtt;
    this.#http = addresses.http;
    return true;
  }

  async #ready(): Promise<void> {
    const deadline = Date.now() + 20_000;
    while (!this.#isReady()) {
      if (this.#child === undefined || Date.now() > deadline) {
        const ended = this.#child === undefined ? await this.#exit : undefined;
        await this.kill();
        throw new Error(`the server did not get ready (${JSON.stringify(ended)}):\n${this.stdout}${this.stderr}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    if (this.target === "mosquitto") this.stderr = "";
  }

  signal(signal: NodeJS.Signals): void {
    // under a wrapper the server is a child of the child, hence the process group would not do: wrappers pass signals on
    this.#child?.kill(signal);
  }

  /** What the process ended with, when it does. */
  async exited(): Promise<Exit> {
    return (await this.#exit) ?? { code: null, signal: null };
  }

  /** SIGTERM, and the exit that follows. */
  async stop(): Promise<Exit> {
    this.signal("SIGTERM");
    return this.exited();
  }

  /** SIGKILL: nothing is flushed, nobody is told. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.exited();
  }

  /** Starts again on the same data and ports after `stop` or `kill`. */
  async start(): Promise<void> {
    if (this.#child !== undefined) throw new Error("still running");
    await this.#launch();
  }

  /** Ends the process and removes a data directory that this object made. */
  async remove(): Promise<void> {
    await this.kill();
    if (this.#root !== undefined && existsSync(this.#root)) rmSync(this.#root, { recursive: true, force: true });
  }
}
