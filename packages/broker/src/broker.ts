/** The composition root: the only file that knows every part. Opens storage, engine, doors and listeners, and closes them in order. */
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "./admin/log.ts";
import { Administrator } from "./administrator.ts";
import type { ServeConfig } from "./config/serve-config.ts";
import { type DataHome, openDataHome } from "./data-home.ts";
import { doorMetrics } from "./door-metrics.ts";
import { BrokerEngine } from "./engine.ts";
import type { Host } from "./host/host.ts";
import { nodeHost } from "./host/node-host.ts";
import type { CredentialThrottle } from "./identity/credential-throttle.ts";
import { policyFromToml } from "./identity/policy-document.ts";
import { Admission } from "./input/admission.ts";
import { certificateNames } from "./input/certificate-names.ts";
import { managedCertificate, ownCertificate, type ServerCertificate } from "./input/certificates.ts";
import { Deadlines } from "./input/deadlines.ts";
import { startHttp } from "./input/doors/http/http-door.ts";
import { type MqttDoor, openMqttDoor } from "./input/doors/mqtt/mqtt-door.ts";
import { type Listening, listenTcp, listenTls } from "./input/listener.ts";
import { ServerTls } from "./input/tls.ts";
import { CountingThrottle, InputTally } from "./input-tally.ts";
import { openDescriptorsMax } from "./open-descriptors.ts";
import { ADMIN_PRINCIPAL } from "./security/built-in-roles.ts";
import { StartError } from "./start-error.ts";
import type { KekOptions } from "./storage/kek.ts";

/** Everybody in `--insecure-dev`. */
export const devPrincipal = "dev";
const adminKeyFile = "admin.key";
/** Wills of clients that were connected at a crash wait this long for them to come back. */
const reconnectGraceMs = 10_000;
/** How long connections have to take their last packets at shutdown. */
const drainMs = 2_000;

export interface BrokerOptions {
  readonly config: ServeConfig;
  readonly log: Log;
  readonly host?: Host;
}

export interface Addresses {
  /** `mqtts://HOST:PORT` or, in insecure development mode, `mqtt://HOST:PORT`. */
  readonly mqtt: string;
  readonly http: string;
}

interface Parts {
  readonly config: ServeConfig;
  readonly log: Log;
  readonly host: Host;
  readonly home: DataHome;
  readonly engine: BrokerEngine;
  readonly administrator: Administrator;
  /** One for all doors: whoever guesses must not get its tries anew at the next door. */
  readonly throttle: CredentialThrottle;
  readonly door: MqttDoor;
  readonly tls: ServerTls | undefined;
}

export class Broker {
  readonly addresses: Addresses;
  readonly administrator: Administrator;
  /** True when this start made the data directory. */
  readonly isNew: boolean;
  /** The first admin key, once, at the first start. */
  readonly firstKey: string | undefined;
  readonly #parts: Parts;
  readonly #listeners: readonly Listening[];
  #closing: Promise<void> | undefined;

  private constructor(parts: Parts, listeners: readonly Listening[], firstKey: string | undefined) {
    this.#parts = parts;
    this.#listeners = listeners;
    this.firstKey = firstKey;
    this.administrator = parts.administrator;
    this.isNew = parts.home.isNew;
    const { config } = parts;
    const at = (port: number | undefined): string => `${bracketed(config.listen)}:${port ?? 0}`;
    this.addresses = config.insecureDev
      ? { mqtt: `mqtt://${at(listeners[0]?.port)}`, http: `http://${at(listeners[1]?.port)}` }
      : { mqtt: `mqtts://${at(listeners[0]?.port)}`, http: `https://${at(listeners[1]?.port)}` };
  }

  /** Rejects with `StorageError`, `CertificateError`, `ListenError` or `StartError`; each says what, where and how to mend it. */
  static async open(options: BrokerOptions): Promise<Broker> {
    const { config, log } = options;
    const host = options.host ?? nodeHost();
    const home = await openDataHome({ host, kek: kekOptionsOf(config), limits: config.limits });
    for (const note of home.notes) log.info("key.made", { note });
    if (home.opened.report.tornBytes > 0) {
      log.warn("journal.torn", {
        bytes: home.opened.report.tornBytes,
        note: "a frame that was never acknowledged was cut",
      });
    }
    const tally = new InputTally();
    const engine = await startEngine(config, host, home, log);
    const administrator: Administrator = new Administrator({
      engine,
      host,
      devPrincipal: config.insecureDev ? devPrincipal : undefined,
      doorMetrics: () => doorMetrics(door, tally, engine.machine.audit.limitHits),
    });
    const throttle = new CountingThrottle(config.limits, tally);
    const door: MqttDoor = openDoor({ config, host, engine, administrator, throttle });
    engine.onTick(door.sweep);
    try {
      const tls = await openTls(config, host, home, log);
      const parts: Parts = { config, log, host, home, engine, administrator, throttle, door, tls };
      const firstKey = await firstAdminKey(parts);
      if (config.policyFile !== undefined) await applyPolicyFile(parts, config.policyFile);
      const listeners = await startListeners(parts, tally, new Deadlines(host.timers));
      return new Broker(parts, listeners, firstKey);
    } catch (error) {
      await engine.stop();
      throw error;
    }
  }

  /** The journal failed: the process has to end (RELIABILITY F8). */
  get hasFailed(): boolean {
    return this.#parts.engine.journal.hasFailed;
  }

  /** SIGHUP: certificate and policy again. What is broken keeps the old, is told, and holds nothing else up. */
  async reload(): Promise<void> {
    const { tls, config, log } = this.#parts;
    const path = config.policyFile;
    const certificate = await this.#reloaded("certificate", () => tls?.reload());
    const policy = await this.#reloaded("policy", () =>
      path === undefined ? undefined : applyPolicyFile(this.#parts, path),
    );
    if (certificate && policy) log.info("reload.done");
  }

  async #reloaded(what: string, reload: () => Promise<void> | undefined): Promise<boolean> {
    try {
      await reload();
      return true;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#parts.log.error("reload.failed", { what, reason, note: "the old one stays" });
      this.administrator.audit("reload.failed", { what });
      return false;
    }
  }

  /** Stops accepting, tells the clients, takes a snapshot, closes the journal. Safe to call twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { administrator, engine, host, door, tls } = this.#parts;
    administrator.draining = true;
    for (const listener of this.#listeners) listener.stopAccepting();
    await new Promise<void>((resolve) => (engine.journal.hasFailed ? resolve() : engine.machine.whenDurable(resolve)));
    engine.machine.endAll("shutting-down", "the broker shuts down");
    const until = host.clock.monotonic() + drainMs;
    while (door.connections() > 0 && host.clock.monotonic() < until) {
      await new Promise<void>((resolve) => host.timers.after(20, resolve));
    }
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    tls?.close();
    await engine.stop();
  }
}

function startEngine(config: ServeConfig, host: Host, home: DataHome, log: Log): Promise<BrokerEngine> {
  return BrokerEngine.start({
    host,
    opened: home.opened,
    directory: home.directory,
    limits: config.limits,
    firstPolicy: { roles: {}, principals: {} },
    everythingAllowed: config.insecureDev,
    machine: {
      reconnectGraceMs,
      observeAudit: (event, detail) => log.info(event, detail),
      observeFailure: (reason) => {
        log.error("journal.failed", { reason, note: "nothing is acknowledged any more; the process ends" });
      },
    },
  });
}

function openDoor(parts: Pick<Parts, "config" | "host" | "engine" | "administrator" | "throttle">): MqttDoor {
  const { config, host, engine, administrator, throttle } = parts;
  return openMqttDoor({
    engine: engine.machine,
    limits: config.limits,
    clock: host.clock,
    timers: host.timers,
    random: host.random,
    authenticate: (username, password, address) => {
      if (config.insecureDev) return { principal: devPrincipal, keyId: "" };
      const now = host.clock.monotonic();
      if (!throttle.allow(address, now)) return undefined;
      const secret = Buffer.from(password ?? []).toString("utf8");
      const principal = administrator.authenticate(username ?? "", secret);
      if (principal !== undefined && username !== undefined) return { principal, keyId: username };
      throttle.failed(address, now);
      return undefined;
    },
    audit: (event, detail) => administrator.audit(event, detail),
  });
}

async function openTls(config: ServeConfig, host: Host, home: DataHome, log: Log): Promise<ServerTls | undefined> {
  if (config.insecureDev && config.mqttsPort === undefined) return undefined;
  const load = (): Promise<ServerCertificate> =>
    config.tlsCert !== undefined && config.tlsKey !== undefined
      ? ownCertificate(config.tlsCert, config.tlsKey, host.clock.now())
      : managedCertificate({
          directory: home.directory,
          box: home.keyring.box,
          names: certificateNames(config.hostNames),
          now: host.clock.now(),
        });
  return ServerTls.open({
    load,
    timers: host.timers,
    report: (level, message) => log[level]("certificate", { message }),
  });
}

async function startListeners(parts: Parts, tally: InputTally, deadlines: Deadlines): Promise<Listening[]> {
  const { config, host, door, tls, administrator, log } = parts;
  const { limits, listen } = config;
  const admission = new Admission({
    limits,
    counters: tally,
    monotonic: () => host.clock.monotonic(),
    descriptorsMax: openDescriptorsMax(),
    perAddress: !config.insecureDev,
  });
  const common = { host: listen, limits, admission, deadlines, accept: door.accept };
  const listeners: Listening[] = [];
  if (config.insecureDev) listeners.push(await listenTcp({ ...common, port: config.mqttPort }));
  else if (tls !== undefined) listeners.push(await listenTls({ ...common, port: config.mqttPort, tls }));
  listeners.push(
    await startHttp({
      host: listen,
      port: config.httpPort,
      limits,
      admission,
      deadlines,
      hostNames: certificateNames(config.hostNames),
      administration: administrator,
      monotonic: () => host.clock.monotonic(),
      upgrade: door.accept,
      failed: (error) => log.error("http.failed", { reason: error instanceof Error ? error.message : String(error) }),
      throttle: parts.throttle,
      ...(tls !== undefined && !config.insecureDev && { tls }),
      ...(config.insecureDev && { anonymous: devPrincipal }),
    }),
  );
  if (config.insecureDev && config.mqttsPort !== undefined && tls !== undefined) {
    listeners.push(await listenTls({ ...common, port: config.mqttsPort, tls }));
  }
  return listeners;
}

/** At the first start: one key with every right, in `DIR/admin.key`, and nowhere else in clear. */
async function firstAdminKey(parts: Parts): Promise<string | undefined> {
  const { engine, administrator, home, config } = parts;
  const hasAdmin = [...engine.machine.state.keys.values()].some((key) => key.principal === ADMIN_PRINCIPAL);
  if (hasAdmin || config.insecureDev) return undefined;
  if (!home.isNew && engine.machine.state.keys.size > 0) return undefined;
  return makeAdminKey(administrator, home.directory);
}

export async function makeAdminKey(administrator: Administrator, directory: string): Promise<string> {
  const { id, secret } = await administrator.createAdminKey();
  const path = join(directory, adminKeyFile);
  await rm(path, { force: true });
  await writeFile(path, `${id}.${secret}\n`, { mode: 0o600, flag: "wx" });
  return `${id}.${secret}`;
}

async function applyPolicyFile(parts: Parts, path: string): Promise<void> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw new StartError(
      78,
      `the policy file ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    );
  });
  const checked = policyFromToml(text);
  if ("problems" in checked) {
    const lines = checked.problems.map((problem) => `${problem.path}: ${problem.message}`);
    throw new StartError(78, `the policy file ${path} is refused:\n  ${lines.join("\n  ")}`);
  }
  await parts.administrator.applyPolicy("policy-file", checked.policy, false);
}

/** Where the key-encryption key is to come from. */
export function kekOptionsOf(config: ServeConfig): KekOptions {
  return {
    directory: config.data,
    ...(config.kekFile !== undefined && { kekFile: config.kekFile }),
    ...(config.kekFd !== undefined && { kekFd: config.kekFd }),
    ...(config.kekCommand !== undefined && { kekCommand: config.kekCommand }),
  };
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
