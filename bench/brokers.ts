import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { Link, type Target } from "./load/link.ts";
import { startMess } from "./mess.ts";
import { repository } from "./repository.ts";
import { StartedProcess } from "./started-process.ts";

export interface StartOptions {
  /** Empty; the broker's own. */
  readonly directory: string;
  /** Store what is acknowledged, as far as this broker can. */
  readonly durable: boolean;
  /** Listen for TLS with this certificate. */
  readonly tls: Certificate | undefined;
}

export interface Certificate {
  readonly certificateFile: string;
  readonly keyFile: string;
}

export interface Running {
  readonly process: StartedProcess;
  readonly target: Target;
}

export interface Broker {
  readonly name: string;
  /** What an acknowledgement means in the durable scenarios. */
  readonly promise: string;
  /** Undefined where it is not installed. */
  version(): string | undefined;
  start(options: StartOptions): Promise<Running>;
}

const readyDeadlineMs = 20_000;

const mess: Broker = {
  name: "mess",
  promise: "on disk, synced",
  version: () => (JSON.parse(readFileSync(join(repository, "package.json"), "utf8")) as { version: string }).version,
  async start({ directory, tls }) {
    const secure = tls && { ...tls, port: await freePort() };
    const running = await startMess({ dataDir: join(directory, "data"), ...(secure !== undefined && { tls: secure }) });
    if (secure === undefined) return running;
    return { process: running.process, target: trusting({ host: "127.0.0.1", port: secure.port }, secure) };
  },
};

const mosquitto: Broker = {
  name: "mosquitto",
  promise: "in memory; a snapshot every second",
  version: () => /mosquitto version (\S+)/.exec(output("mosquitto", "-h"))?.[1],
  async start({ directory, durable, tls }) {
    const port = await freePort();
    const settings = [`listener ${port} 127.0.0.1`, "allow_anonymous true", "log_dest none"];
    if (tls !== undefined) settings.push(`certfile ${tls.certificateFile}`, `keyfile ${tls.keyFile}`);
    // Without these it drops what a slow subscriber has not taken, and would be measured for work it did not do.
    settings.push("max_queued_messages 0", "max_inflight_messages 100");
    if (durable) settings.push("persistence true", `persistence_location ${directory}/`, "autosave_interval 1");
    if (process.getuid?.() === 0) settings.push("user root");
    const file = join(directory, "mosquitto.conf");
    writeFileSync(file, `${settings.join("\n")}\n`);
    return await ready(new StartedProcess("mosquitto", ["-c", file]), { host: "127.0.0.1", port }, tls);
  },
};

const nats: Broker = {
  name: "nats",
  promise: "in the page cache; synced every two minutes",
  version: () => /v(\d\S*)/.exec(output("nats-server", "--version"))?.[1],
  async start({ directory, tls }) {
    const port = await freePort();
    const store = join(directory, "jetstream");
    mkdirSync(store);
    const secure = tls === undefined ? "" : `tls { cert_file: "${tls.certificateFile}", key_file: "${tls.keyFile}" }`;
    const settings = `
server_name: bench
listen: "127.0.0.1:${await freePort()}"
log_file: "${join(directory, "log")}"
jetstream { store_dir: "${store}" }
mqtt { listen: "127.0.0.1:${port}", max_ack_pending: 1024, ack_wait: "60s", ${secure} }
`;
    const file = join(directory, "nats.conf");
    writeFileSync(file, settings);
    return await ready(new StartedProcess("nats-server", ["-c", file]), { host: "127.0.0.1", port }, tls);
  },
};

export const brokers: readonly Broker[] = [mess, mosquitto, nats];

/** A self-signed certificate for this run, made by openssl. */
export function makeCertificate(directory: string): Certificate {
  const certificateFile = join(directory, "certificate.pem");
  const keyFile = join(directory, "key.pem");
  execFileSync(
    "openssl",
    [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
      ...["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
      ...["-keyout", keyFile, "-out", certificateFile],
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  return { certificateFile, keyFile };
}

async function ready(broker: StartedProcess, plain: Target, tls: Certificate | undefined): Promise<Running> {
  const target = tls === undefined ? plain : trusting(plain, tls);
  await broker.until(() => accepts(plain), readyDeadlineMs);
  await broker.until(() => answers(target), readyDeadlineMs);
  return { process: broker, target };
}

function trusting(target: Target, tls: Certificate): Target {
  return { ...target, ca: readFileSync(tls.certificateFile, "utf8") };
}

function accepts({ host, port }: Target): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

/** nats listens some time before it accepts a CONNECT. */
async function answers(target: Target): Promise<boolean> {
  try {
    const link = await Link.open({ target, clientId: "bench-ready", cleanSession: true, keepAlive: 60 });
    await link.close();
    return true;
  } catch {
    return false;
  }
}

/** What the program says about itself; nothing where there is no such program. mosquitto -h ends with an error. */
function output(command: string, argument: string): string {
  const { stdout, stderr } = spawnSync(command, [argument], { encoding: "utf8" });
  return `${stdout ?? ""}${stderr ?? ""}`;
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
