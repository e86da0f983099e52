/**
 * Joins the machine and the journal: recovery, the clockwork, the disk budget. The journal's commit is the loop: what
 * doors ask in one tick is decided at once, written to the open frame, and answered when that frame is durable
 * (docs/adr/0002).
 */
import type { Limits } from "./config/limits.ts";
import { Machine, type MachineOptions } from "./core/machine.ts";
import type { Host, Timer } from "./host/host.ts";
import type { Journal, OpenedJournal } from "./model/journal.ts";
import type { HeaderReader, SchemaCompiler } from "./model/message-checks.ts";
import type { Policy } from "./model/policy.ts";

const tickMs = 100;
const tidyMs = 5_000;
const diskMs = 1_000;

export interface EngineParts {
  readonly host: Host;
  readonly opened: OpenedJournal;
  /** Where the journal lies, for the free space of its file system. */
  readonly directory: string;
  readonly limits: Limits;
  /** Until the journal says otherwise. */
  readonly firstPolicy: Policy;
  readonly everythingAllowed: boolean;
  readonly headers: HeaderReader;
  readonly schemas: SchemaCompiler;
  readonly machine: MachineOptions;
}

export class BrokerEngine {
  readonly machine: Machine;
  readonly journal: Journal;
  readonly #parts: EngineParts;
  readonly #host: Host;
  readonly #timers: Set<Timer> = new Set();
  readonly #eachTick: ((now: number) => void)[] = [];
  #stopped = false;

  private constructor(parts: EngineParts) {
    this.#parts = parts;
    this.#host = parts.host;
    this.journal = parts.opened.journal;
    const seed = parts.host.random.bytes(4);
    this.machine = new Machine(
      {
        journal: this.journal,
        clock: parts.host.clock,
        limits: parts.limits,
        everythingAllowed: parts.everythingAllowed,
        hashSeed: new DataView(seed.buffer, seed.byteOffset).getUint32(0),
        random: parts.host.random,
        headers: parts.headers,
        schemas: parts.schemas,
        defer: (run) => parts.host.timers.soon(run),
      },
      parts.firstPolicy,
      parts.machine,
    );
  }

  /** Replays what is on disk, then takes up work. */
  static async start(parts: EngineParts): Promise<BrokerEngine> {
    const engine = new BrokerEngine(parts);
    await engine.#recover();
    engine.journal.start(engine.machine);
    engine.machine.begin();
    engine.#every(tickMs, () => engine.#tick());
    engine.#every(tidyMs, () => engine.machine.tidy());
    engine.#every(diskMs, () => engine.#watchDisk());
    return engine;
  }

  /** Runs with the engine's clockwork, about every 100 ms. */
  onTick(run: (now: number) => void): void {
    this.#eachTick.push(run);
  }

  /** Takes a last snapshot, so that the next start is quick, and closes the journal. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers) timer.cancel();
    if (!this.journal.hasFailed) this.machine.retention.snapshot();
    await this.journal.close();
  }

  async #recover(): Promise<void> {
    const { opened } = this.#parts;
    const { replay } = this.machine;
    const from = opened.report.snapshotSeq;
    if (from > 0) {
      let loading = true;
      await opened.replay(from, (frame) => {
        if (loading) loading = replay.snapshotFrame(frame, from);
      });
      this.machine.retention.snapshotSeq = from;
    }
    await opened.replay(from, (frame) => replay.frame(frame, from));
    this.machine.erasing.check();
  }

  #tick(): void {
    this.machine.tick();
    const now = this.#host.clock.monotonic();
    for (const run of this.#eachTick) run(now);
  }

  /** At the soft mark publishers are refused; what is left is for acknowledgements and for administration (F9). */
  #watchDisk(): void {
    const { limits, directory } = this.#parts;
    const reserve = Math.min(limits.diskBytesMax * 0.05, 256 * 1024 * 1024);
    const overBudget = this.journal.statistics().diskBytes > limits.diskBytesMax - reserve;
    this.#host.disk.freeBytes(directory).then(
      (free) => {
        this.machine.publishing.diskFull = overBudget || free < Math.min(reserve, limits.segmentBytes * 2);
      },
      () => {
        this.machine.publishing.diskFull = overBudget;
      },
    );
  }

  #every(milliseconds: number, run: () => void): void {
    let timer: Timer | undefined;
    const again = (): void => {
      if (timer !== undefined) this.#timers.delete(timer);
      if (this.#stopped) return;
      run();
      timer = this.#host.timers.after(milliseconds, again);
      this.#timers.add(timer);
    };
    timer = this.#host.timers.after(milliseconds, again);
    this.#timers.add(timer);
  }
}
