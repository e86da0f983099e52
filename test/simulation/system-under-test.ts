import { defaultLimits, type Limits } from "../../packages/broker/src/config/limits.ts";
import { headerReader, schemaCompiler } from "../../packages/broker/src/content-readers.ts";
import { BrokerEngine } from "../../packages/broker/src/engine.ts";
import type { Host } from "../../packages/broker/src/host/host.ts";
import { openMqttDoor } from "../../packages/broker/src/input/doors/mqtt/mqtt-door.ts";
import { RateLimiter } from "../../packages/broker/src/input/rate-limiter.ts";
import type { Transport, TransportHandler } from "../../packages/broker/src/input/transport.ts";
import type { Journal, OpenedJournal } from "../../packages/broker/src/model/journal.ts";
import { JournaledKeysVerifier } from "../../packages/broker/src/signature-verifier.ts";
import { claimDirectory } from "../../packages/broker/src/storage/data-directory.ts";
import { openKeyring } from "../../packages/broker/src/storage/keyring.ts";
import { openJournal } from "../../packages/broker/src/storage/open-journal.ts";

export interface SystemOptions {
  readonly segmentBytes: number;
}

/** What a running broker tells the machine it runs on. */
export interface SystemEvents {
  /** Storage failed: no ack follows; the process is about to exit. */
  failed(reason: string): void;
}

/** The broker as the simulation sees it: everything between a transport and a disk. */
export interface Running {
  accept(transport: Transport): TransportHandler;
  /** Drains and stops; everything that was acked is durable before. */
  close(): Promise<void>;
}

/** Recovers from `host.disk` and starts. Rejects when the data is damaged or the disk fails. */
export type StartSystem = (host: Host, events: SystemEvents, options: SystemOptions) => Promise<Running>;

export const dataDirectory = "/data";

/** A key-encryption key for simulated disks. It lies outside them, as it should. */
const kek = Buffer.alloc(32, 7);

/** The journal's own report of a failure, for the supervisor: in production `main.ts` looks at `hasFailed` and exits. */
function observed(journal: Journal, events: SystemEvents): void {
  const start = journal.start.bind(journal);
  journal.start = (listener): void =>
    start({
      beforeSeal: () => listener.beforeSeal(),
      committed: (frame) => listener.committed(frame),
      failed: (reason) => {
        listener.failed(reason);
        events.failed(reason);
      },
    });
}

async function open(host: Host, limits: Limits): Promise<OpenedJournal> {
  const claimed = await claimDirectory({ host, directory: dataDirectory });
  try {
    const create = !claimed.hasJournal;
    const keyring = await openKeyring({ host, directory: dataDirectory, kek, create });
    return await openJournal({ host, directory: dataDirectory, keyring, limits, lock: claimed.lock });
  } catch (error) {
    await claimed.lock.release();
    throw error;
  }
}

/** The real broker without sockets, TLS and HTTP: journal, engine, core, and the MQTT door. */
export const startBroker: StartSystem = async (host, events, options) => {
  const limits: Limits = { ...defaultLimits, segmentBytes: options.segmentBytes, frameCacheBytes: 512 * 1_024 };
  const opened = await open(host, limits);
  observed(opened.journal, events);
  const engine = await BrokerEngine.start({
    host,
    opened,
    directory: dataDirectory,
    limits,
    firstPolicy: { roles: {}, principals: {} },
    everythingAllowed: true,
    headers: headerReader,
    schemas: schemaCompiler,
    machine: { reconnectGraceMs: 1_000, observeAudit: () => undefined, observeFailure: () => undefined },
  });
  const door = openMqttDoor({
    engine: engine.machine,
    queues: engine.machine.queues,
    limits,
    clock: host.clock,
    timers: host.timers,
    random: host.random,
    rates: new RateLimiter({ limits, monotonic: () => host.clock.monotonic(), limitHit: () => undefined }),
    authenticator: {
      authenticate: () => ({ principal: "dev", keyId: "", method: "none" }),
      methods: [],
      begin: () => ({ refused: "no method is served" }),
    },
    signatures: new JournaledKeysVerifier(engine.machine),
    audit: () => undefined,
  });
  engine.onTick(door.sweep);
  return {
    accept: door.accept,
    close: async (): Promise<void> => {
      engine.machine.endAll("shutting-down", "the broker is shutting down");
      await engine.stop();
    },
  };
};
