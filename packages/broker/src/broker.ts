/** The composition root: the only file that knows every part. Opens storage, engine, doors and listeners, and closes them in order. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, connectMqtt, type Mess, type MqttClient } from "@mess/client";
import type { Log } from "./admin/log.ts";
import { Administrator } from "./administrator.ts";
import type { BrokerAuthenticator } from "./authenticator.ts";
import type { ServeConfig } from "./config/serve-config.ts";
import { checkpointsOf, type DataHome, openDataHome } from "./data-home.ts";
import { doorMetrics } from "./door-metrics.ts";
import {
  checkPrincipal,
  type EmbeddedJoint,
  type EmbeddedMqttOptions,
  type EmbeddedOptions,
  embeddedJoint,
  embeddedUrl,
} from "./embedded-client.ts";
import type { BrokerEngine } from "./engine.ts";
import { firstAdminKey } from "./first-key.ts";
import type { Host } from "./host/host.ts";
import { nodeHost } from "./host/node-host.ts";
import { Admission } from "./input/admission.ts";
import { certificateNames } from "./input/certificate-names.ts";
import { Deadlines } from "./input/deadlines.ts";
import { HttpCounters } from "./input/doors/http/http-counters.ts";
import { startHttp } from "./input/doors/http/http-door.ts";
import { type MqttDoor, openMqttDoor } from "./input/doors/mqtt/mqtt-door.ts";
import { type Listening, listenTcp, listenTls } from "./input/listener.ts";
import type { RateLimiter } from "./input/rate-limiter.ts";
import type { ServerTls } from "./input/tls.ts";
import { CountingThrottle, InputTally } from "./input-tally.ts";
import type { JwtIssuers } from "./jwt-issuers.ts";
import { kekOptionsOf } from "./kek-options-of.ts";
import type { SignatureVerifier } from "./model/signing.ts";
import { openAuthenticator, openIssuers } from "./open-authenticator.ts";
import { openDescriptorsMax } from "./open-descriptors.ts";
import { type OpenOptions, readOpenOptions } from "./open-options.ts";
import { openClientAuthority, openTls } from "./open-tls.ts";
import { applyPolicyFile, applyPolicyGiven } from "./policy-file.ts";
import { openRates } from "./rates.ts";
import { ADMIN_PRINCIPAL } from "./security/built-in-roles.ts";
import { JournaledKeysVerifier } from "./signature-verifier.ts";
import { startEngine } from "./start-engine.ts";
import { StartError } from "./start-error.ts";

/** Everybody in `--insecure-dev`. */
const devPrincipal = "dev";
/** How long connections have to take their last packets at shutdown. */
const drainMs = 2_000;

export interface BrokerOptions {
  readonly config: ServeConfig;
  readonly log: Log;
  readonly host?: Host;
  /** False: nobody but this process connects, and no certificate and no key are made. True by default. */
  readonly isListening?: boolean;
  /** Given where `host.disk` is in memory: the key-encryption key, which is then nowhere else. */
  readonly memoryKek?: Uint8Array;
  /** What replaces the policy in the journal, as `OpenOptions.policy`. */
  readonly policy?: string | Readonly<Record<string, unknown>>;
  readonly onFailure?: (reason: string) => void;
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
  readonly admission: Admission;
  /** Where certificates and the first key lie: the data directory, or one that is removed with a journal in memory. */
  readonly files: string;
  readonly isListening: boolean;
  readonly isTemporary: boolean;
  /** One for all doors: whoever guesses must not get its tries anew at the next door. */
  readonly authenticator: BrokerAuthenticator;
  readonly signatures: SignatureVerifier;
  readonly issuers: JwtIssuers;
  readonly rates: RateLimiter;
  readonly door: MqttDoor;
  readonly httpCounters: HttpCounters;
  readonly tls: ServerTls | undefined;
}

/**
 * A broker, in this process. `Broker.open` is for programs: `await using broker = await Broker.open({ data: "./data" })`
 * and `broker.connect()`; `Broker.start` is what `mess serve` does.
 */
export class Broker implements AsyncDisposable {
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
  }

  /**
   * A broker inside this program: `{ data: "./data" }`, or `{ memory: true }` for tests. Nobody else can connect unless
   * `listeners` says so. Rejects like `start`, and with `StartError` for bad options.
   */
  static async open(options: OpenOptions, host?: Host): Promise<Broker> {
    return Broker.start(readOpenOptions(options, host));
  }

  /** Rejects with `StorageError`, `CertificateError`, `ListenError` or `StartError`; each says what, where and how to mend it. */
  static async start(options: BrokerOptions): Promise<Broker> {
    const { config, log, memoryKek, isListening = true } = options;
    const host = options.host ?? nodeHost();
    const kek = { ...kekOptionsOf(config), ...(memoryKek !== undefined && { kek: memoryKek }) };
    const issuers = await openIssuers({ config, host, log, policy: () => engine.machine.state.policy });
    const home = await openDataHome({ host, kek, limits: config.limits, checkpoints: checkpointsOf(config, log) });
    for (const note of home.notes) log.info("key.made", { note });
    if (home.opened.report.tornBytes > 0) {
      log.warn("journal.torn", {
        bytes: home.opened.report.tornBytes,
        note: "a frame that was never acknowledged was cut",
      });
    }
    const tally = new InputTally();
    const httpCounters = new HttpCounters();
    const engine = await startEngine(options, host, home);
    const isTemporary = memoryKek !== undefined && isListening;
    const files = isTemporary ? mkdtempSync(join(tmpdir(), "mess-")) : home.directory;
    const opened = { config, host, home, engine };
    const administrator: Administrator = new Administrator({
      engine,
      host,
      beginBackup: home.opened.beginBackup,
      storage: home.storage,
      log: home.log,
      devPrincipal: config.insecureDev ? devPrincipal : undefined,
      clientAuthority: openClientAuthority({ config, host, home, files, isListening }),
      doorMetrics: () => {
        const { limitHits, countOf } = engine.machine.audit;
        const authFailures = countOf.get("auth.fail") ?? 0;
        return doorMetrics({ door, http: httpCounters, input: tally, audited: limitHits, authFailures });
      },
    });
    const throttle = new CountingThrottle(config.limits, tally);
    const rates = openRates({ config, host, tally, administrator });
    const authenticator = openAuthenticator({ ...opened, administrator, throttle, issuers, devPrincipal });
    const signatures = new JournaledKeysVerifier(engine.machine);
    const door: MqttDoor = openDoor({ config, host, engine, administrator, authenticator, signatures, rates });
    engine.onTick(door.sweep);
    engine.onTick((now) => administrator.storage.upkeep(now));
    administrator.storage.start();
    try {
      const tls = isListening ? await openTls({ config, log, host, home, files, administrator }) : undefined;
      const admission = openAdmission(config, host, tally);
      const made = {
        config,
        log,
        host,
        home,
        engine,
        administrator,
        admission,
        authenticator,
        signatures,
        issuers,
        rates,
        door,
        httpCounters,
        tls,
      };
      const parts: Parts = { ...made, files, isListening, isTemporary };
      const wantsKey = isListening && !config.insecureDev;
      const firstKey = wantsKey ? await firstAdminKey({ ...parts, isNew: home.isNew }) : undefined;
      if (config.policyFile !== undefined) await applyPolicyFile(parts, config.policyFile);
      if (options.policy !== undefined) await applyPolicyGiven(parts, options.policy);
      const listeners = isListening ? await startListeners(parts, new Deadlines(host.timers)) : [];
      return new Broker(parts, listeners, firstKey);
    } catch (error) {
      if (isTemporary) rmSync(files, { recursive: true, force: true });
      await engine.stop();
      throw error;
    }
  }

  /** Where others connect. Throws for a broker that nobody else can connect to. */
  get addresses(): Addresses {
    const { config, isListening } = this.#parts;
    if (!isListening) {
      throw new StartError(78, "this broker has no addresses: it was opened without listeners (listeners: true)");
    }
    const at = (port: number | undefined): string => `${bracketed(config.listen)}:${port ?? 0}`;
    const [mqtt, http] = this.#listeners;
    return config.insecureDev
      ? { mqtt: `mqtt://${at(mqtt?.port)}`, http: `http://${at(http?.port)}` }
      : { mqtt: `mqtts://${at(mqtt?.port)}`, http: `https://${at(http?.port)}` };
  }

  /** PEM of the authority that clients of the listeners trust; `undefined` with a certificate of one's own, or without TLS. */
  get ca(): string | undefined {
    const { tls, config, files } = this.#parts;
    return tls === undefined || config.tlsCert !== undefined ? undefined : readFileSync(join(files, "ca.pem"), "utf8");
  }

  /**
   * A client in this process, by packets and without a network. It is `principal`, a name of the policy, and has that
   * principal's rights and no others; without one it is `admin`, who may everything. The program vouches for it: there
   * is no password.
   *
   * @throws MessError
   */
  async connect(principal?: string, options: EmbeddedOptions = {}): Promise<Mess> {
    return connect(embeddedUrl, { ...options, ...this.#joint(principal) });
  }

  /** As `connect`, for a plain MQTT client: one connection, packets as they are. */
  async connectMqtt(principal?: string, options: EmbeddedMqttOptions = {}): Promise<MqttClient> {
    return connectMqtt(embeddedUrl, { ...options, ...this.#joint(principal) });
  }

  #joint(principal: string | undefined): EmbeddedJoint {
    const { config, administrator, door, admission, host } = this.#parts;
    const name = config.insecureDev ? devPrincipal : (principal ?? ADMIN_PRINCIPAL);
    if (!config.insecureDev) checkPrincipal(administrator.policy(), name);
    return embeddedJoint({ accept: door.accept, admission, host, isClosing: () => this.#closing !== undefined }, name);
  }

  /** The journal failed: the process has to end (RELIABILITY F8). */
  get hasFailed(): boolean {
    return this.#parts.engine.journal.hasFailed;
  }

  /** SIGHUP: certificate, policy and keys of issuers again. What is broken keeps the old, is told, and holds nothing else up. */
  async reload(): Promise<void> {
    const { tls, config, log, issuers } = this.#parts;
    const path = config.policyFile;
    const certificate = await this.#reloaded("certificate", () => tls?.reload());
    const policy = await this.#reloaded("policy", () =>
      path === undefined ? undefined : applyPolicyFile(this.#parts, path),
    );
    const tokens = await this.#reloaded("keys of JWT issuers", () => issuers.reload());
    if (certificate && policy && tokens) log.info("reload.done");
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
    await new Promise<void>((resolve) => {
      const deadline = host.timers.after(drainMs, resolve);
      door.whenEmpty(() => {
        deadline.cancel();
        resolve();
      });
    });
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    tls?.close();
    await engine.stop();
    if (this.#parts.isTemporary) rmSync(this.#parts.files, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function openDoor(
  parts: Pick<Parts, "config" | "host" | "engine" | "administrator" | "authenticator" | "signatures" | "rates">,
): MqttDoor {
  const { config, host, engine, administrator, authenticator, signatures, rates } = parts;
  return openMqttDoor({
    engine: engine.machine,
    queues: engine.machine.queues,
    limits: config.limits,
    clock: host.clock,
    timers: host.timers,
    random: host.random,
    rates,
    authenticator,
    signatures,
    audit: (event, detail) => administrator.audit(event, detail),
  });
}

function openAdmission(config: ServeConfig, host: Host, tally: InputTally): Admission {
  return new Admission({
    limits: config.limits,
    counters: tally,
    monotonic: () => host.clock.monotonic(),
    descriptorsMax: openDescriptorsMax(),
    perAddress: !config.insecureDev,
  });
}

async function startListeners(parts: Parts, deadlines: Deadlines): Promise<Listening[]> {
  const { config, host, door, tls, administrator, admission, log } = parts;
  const { limits, listen } = config;
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
      engine: parts.engine.machine,
      queues: parts.engine.machine.queues,
      queueAdministration: administrator.queues,
      signingKeys: administrator.signingKeys,
      signatures: parts.signatures,
      certificateAdministration: administrator.certificates,
      keyAdministration: administrator.keys,
      monotonic: () => host.clock.monotonic(),
      now: () => host.clock.now(),
      newId: () => Buffer.from(host.random.bytes(16)).toString("base64url"),
      upgrade: door.accept,
      counters: parts.httpCounters,
      failed: (error) => log.error("http.failed", { reason: error instanceof Error ? error.message : String(error) }),
      authenticator: parts.authenticator,
      rates: parts.rates,
      ...(tls !== undefined && !config.insecureDev && { tls }),
      ...(config.insecureDev && { anonymous: devPrincipal }),
    }),
  );
  if (config.insecureDev && config.mqttsPort !== undefined && tls !== undefined) {
    listeners.push(await listenTls({ ...common, port: config.mqttsPort, tls }));
  }
  return listeners;
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
