/** Mosquitto and nats-server as the machine has them, with their defaults; only ports, loopback and the directory are given. */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectTcp, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sleep } from "../../test/support/names.ts";
import { run, tool } from "../../test/support/tools.ts";
import type { Broker, Door, OtherTarget } from "./broker.ts";

const startMs = 10_000;

interface Command {
  readonly program: string;
  readonly args: readonly string[];
}

/** Mosquitto by `-p` alone: no file, so it listens on loopback and lets everybody in. */
function mosquitto(port: number): Command {
  return { program: "mosquitto", args: ["-v", "-p", String(port)] };
}

/** MQTT of nats-server needs JetStream and a port; nothing else is set. */
function nats(port: number, corePort: number, root: string): Command {
  const file = join(root, `nats-${port}.conf`);
  const settings = [
    "host: 127.0.0.1",
    `port: ${corePort}`,
    "server_name: attacked",
    `jetstream { store_dir: "${join(root, "data", "store")}" }`,
    `mqtt { host: 127.0.0.1, port: ${port} }`,
  ];
  writeFileSync(file, `${settings.join("\n")}\n`);
  return { program: "nats-server", args: ["-c", file] };
}

/** `mosquitto 2.0.11` */
export async function versionOf(name: OtherTarget): Promise<string> {
  const [program, argument] = name === "nats" ? ["nats-server", "--version"] : ["mosquitto", "-h"];
  const { stdout } = await run(tool(program) ?? program, [argument]);
  const found = /(mosquitto|nats-server)(?: version |: v)([\w.]+)/.exec(stdout);
  return found === null ? program : `${found[1]} ${found[2]}`;
}

export async function startForeign(name: OtherTarget): Promise<Broker> {
  const broker = new ForeignBroker(name, await freePort(), await freePort());
  await broker.start();
  return broker;
}

class ForeignBroker implements Broker {
  readonly name: OtherTarget;
  readonly version: 4 | 5;
  readonly doors: readonly Door[];
  readonly mess: undefined = undefined;
  readonly dataDir: string;
  output = "";
  readonly #root: string;
  readonly #command: Command;
  readonly #port: number;
  #child: ChildProcess | undefined;

  constructor(name: OtherTarget, port: number, corePort: number) {
    this.name = name;
    this.version = name === "nats" ? 4 : 5;
    this.#port = port;
    this.doors = [{ name: "tcp", endpoint: { kind: "tcp", host: "127.0.0.1", port } }];
    this.#root = mkdtempSync(join(tmpdir(), `attacked-${name}-`));
    this.dataDir = join(this.#root, "data");
    mkdirSync(this.dataDir);
    // mosquitto started by root becomes another user, who works here
    for (const path of [this.#root, this.dataDir]) chmodSync(path, 0o777);
    this.#command = name === "nats" ? nats(port, corePort, this.#root) : mosquitto(port);
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`${this.name} is not running`);
    return pid;
  }

  async start(): Promise<void> {
    const program = tool(this.#command.program);
    if (program === undefined) throw new Error(`${this.#command.program} is not installed`);
    const child = spawn(program, this.#command.args, { stdio: ["ignore", "pipe", "pipe"], cwd: this.dataDir });
    this.#child = child;
    child.once("close", () => {
      this.#child = undefined;
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (bytes: Buffer) => {
        this.output += bytes.toString();
      });
    }
    const until = Date.now() + startMs;
    while (!(await answers(this.#port))) {
      if (this.#child === undefined || Date.now() > until)
        throw new Error(`${this.name} did not start: ${this.output}`);
      await sleep(50);
    }
  }

  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  stop(): Promise<void> {
    return this.#end("SIGTERM");
  }

  async second(): Promise<number | null | "running"> {
    const [port, corePort] = [await freePort(), await freePort()];
    const command = this.name === "nats" ? nats(port, corePort, this.#root) : mosquitto(port);
    const child = spawn(tool(command.program) ?? "", command.args, { stdio: "ignore", cwd: this.dataDir });
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    const until = Date.now() + 3_000;
    while (child.exitCode === null && Date.now() < until && !(await answers(port))) await sleep(50);
    if (child.exitCode === null && (await answers(port))) {
      child.kill("SIGKILL");
      await ended;
      return "running";
    }
    child.kill("SIGKILL");
    return ended;
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#root, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const gone = new Promise((resolve) => child.once("close", resolve));
    child.kill(signal);
    await gone;
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTcp({ host: "127.0.0.1", port });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

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
