/** A machine with a journal in memory and a clock that the test moves: starts, crashes, starts again from what is durable. */
import { defaultLimits, type Limits } from "../config/limits.ts";
import type { HeaderReader, SchemaCompiler } from "../model/message-checks.ts";
import type { Policy } from "../model/policy.ts";
import { type ConnectWish, FakeClient } from "./fake-link.test-data.ts";
import { Machine } from "./machine.ts";
import { MemoryJournal, type MemoryJournalOptions } from "./memory-journal.test-data.ts";

/** Headers as the tests write them: `name=value` lines. */
const testHeaders: HeaderReader = {
  userProperty: ({ bytes, headerStart, headerEnd }, name) =>
    bytes
      .toString("utf8", headerStart, headerEnd)
      .split("\n")
      .find((line) => line.startsWith(`${name}=`))
      ?.slice(name.length + 1),
};

/** Knows `{ "const": text }` alone: the payload must be that text. */
const testSchemas: SchemaCompiler = {
  compile: (schema) => {
    if (typeof schema === "boolean") return () => (schema ? undefined : { path: "", message: "nothing is allowed" });
    const wanted = schema["const"];
    if (typeof wanted !== "string") return { problem: "the keyword is not known" };
    return (payload) =>
      Buffer.from(payload).toString("utf8") === wanted ? undefined : { path: "", message: `must be ${wanted}` };
  },
};

export interface WorldOptions {
  readonly limits?: Partial<Limits>;
  /** Everything is allowed when there is none. */
  readonly policy?: Policy;
  readonly journal?: Omit<MemoryJournalOptions, "frames">;
  readonly reconnectGraceMs?: number;
  /** From the next restart on. */
  schemas?: SchemaCompiler;
}

export class TestClock {
  wall = 1_700_000_000_000;
  steady = 1_000;

  now(): number {
    return this.wall;
  }

  monotonic(): number {
    return this.steady;
  }
}

export class World {
  readonly options: WorldOptions;
  readonly clock: TestClock;
  readonly audited: string[] = [];
  journal: MemoryJournal;
  machine: Machine;
  #deferred: (() => void)[] = [];

  constructor(options: WorldOptions = {}, clock: TestClock = new TestClock()) {
    this.options = options;
    this.clock = clock;
    this.journal = new MemoryJournal(options.journal);
    this.machine = this.#build(this.journal);
    this.#begin();
  }

  connect(clientId: string, wish: ConnectWish = {}): FakeClient {
    return new FakeClient(this.machine, clientId, wish);
  }

  /** Connects and commits, so that CONNACK is out. */
  connected(clientId: string, wish: ConnectWish = {}): FakeClient {
    const client = this.connect(clientId, wish);
    this.commit();
    return client;
  }

  /** Commits, and takes turns of the loop until nothing is left to do. */
  commit(): void {
    this.journal.commitNow();
    for (let turn = 0; this.#deferred.length > 0; turn++) {
      if (turn > 10_000) throw new Error("the loop never comes to rest");
      for (const run of this.#deferred.splice(0)) run();
      this.journal.commitNow();
    }
  }

  /** One turn of the loop. */
  turn(): void {
    for (const run of this.#deferred.splice(0)) run();
  }

  /** Time passes; what falls due runs. */
  wait(milliseconds: number): void {
    this.clock.wall += milliseconds;
    this.clock.steady += milliseconds;
    this.machine.tick();
    this.commit();
  }

  snapshot(): void {
    this.machine.retention.snapshot();
    this.journal.commitNow();
  }

  /** The process dies; what is durable is replayed, from the newest snapshot unless `from` says otherwise. */
  restart(from: number = this.journal.snapshotSeq): void {
    const { frames } = this.journal;
    this.#deferred = [];
    this.journal = new MemoryJournal({ ...this.options.journal, frames });
    this.journal.snapshotSeq = from;
    this.machine = this.#build(this.journal);
    replayInto(this.machine, this.journal, from);
    this.machine.erasing.check();
    this.machine.retention.snapshotSeq = from;
    this.#begin();
  }

  /** The state that replaying what is durable now from `from` on gives; nobody is revived. */
  replayed(from = 0): Machine {
    const journal = new MemoryJournal({ ...this.options.journal, frames: this.journal.frames });
    const machine = this.#build(journal);
    replayInto(machine, journal, from);
    return machine;
  }

  #build(journal: MemoryJournal): Machine {
    const { limits, policy, reconnectGraceMs } = this.options;
    return new Machine(
      {
        journal,
        clock: this.clock,
        limits: { ...defaultLimits, ...limits },
        everythingAllowed: policy === undefined,
        hashSeed: 7,
        random: { bytes: (length) => Uint8Array.from({ length }, () => this.#next()) },
        headers: testHeaders,
        schemas: this.options.schemas ?? testSchemas,
        defer: (run) => this.#deferred.push(run),
      },
      policy ?? { roles: {}, principals: {} },
      {
        reconnectGraceMs: reconnectGraceMs ?? 10_000,
        observeAudit: (event) => this.audited.push(event),
        observeFailure: () => undefined,
      },
    );
  }

  #randomState = 1;

  /** Repeatable. */
  #next(): number {
    this.#randomState = (Math.imul(this.#randomState, 1_103_515_245) + 12_345) >>> 0;
    return this.#randomState >>> 24;
  }

  #begin(): void {
    this.journal.start(this.machine);
    this.machine.begin();
    this.journal.commitNow();
  }
}

/** As `BrokerEngine` recovers. */
function replayInto(machine: Machine, journal: MemoryJournal, from: number): void {
  const frames = journal.frames.filter((frame) => frame.firstSeq + frame.count > from);
  if (from > 0) {
    let loading = true;
    for (const frame of frames) if (loading) loading = machine.replay.snapshotFrame(frame, from);
  }
  for (const frame of frames) machine.replay.frame(frame, from);
}
