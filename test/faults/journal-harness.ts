import type { Host } from "../../packages/broker/src/host/host.ts";
import type { SimulatedFiles } from "../../packages/broker/src/host/simulated-files.ts";
import { MachineStopped, type SimulatedHost, simulatedHost } from "../../packages/broker/src/host/simulated-host.ts";
import { SeededRandom } from "../../packages/broker/src/host/simulated-random.ts";
import type { Journal, JournalFrame, OpenedJournal } from "../../packages/broker/src/model/journal.ts";
import type { LogProofs } from "../../packages/broker/src/model/log-proofs.ts";
import { TreeOracle } from "./tree-oracle.ts";

/** A journal with its tree. */
export type OpenedJournalUnderTest = OpenedJournal & { readonly proofs: LogProofs };

/** Opens the journal under test on a simulated machine. */
export type OpenJournal = (host: Host) => Promise<OpenedJournalUnderTest>;

/** `undefined` stands for a record that the journal writes by itself (a trim): it takes a number, no more is known. */
type ModelRecord = { readonly kind: number; readonly body: Buffer } | undefined;

/** Kinds from here on are the journal's own. */
const OWN_KIND_MIN = 200;

/** Records carry their number and a tag of their own, so that no record can pass for another. */
function makeBody(random: SeededRandom, seq: number, length: number): Buffer {
  const body = Buffer.alloc(Math.max(length, 12));
  body.writeDoubleLE(seq, 0);
  body.writeUInt32LE(random.next(), 8);
  // Half of the bodies are zeros: sectors of plaintext zeros, and keystream in the clear if a nonce is used twice.
  if (random.chance(0.5)) random.bytes(body.length - 12).copy(body, 12);
  return body;
}

/**
 * A journal and beside it the truth: what was reserved, and how far it was acknowledged. Every method checks what it
 * sees against that, through crashes and restarts.
 */
export class JournalHarness {
  readonly sim: SimulatedHost;
  readonly random: SeededRandom;
  readonly #open: OpenJournal;
  /** `records[0]` is record 1. */
  readonly records: ModelRecord[] = [];
  /** Durable for good: `committed` was called, or a recovery showed it. */
  acknowledged = 0;
  /** Oldest record that no drop can have taken. */
  oldestKept = 1;
  snapshot = 0;
  /** Records of segments that were asked to go. */
  readonly dropped: { readonly first: number; readonly last: number }[] = [];
  /** A segment was dropped from the middle. */
  hasHoles = false;
  failed = false;
  journal: Journal | undefined;
  proofs: LogProofs | undefined;
  #tree: TreeOracle = new TreeOracle();
  #sealing = 0;

  constructor(options: { seed: number; open: OpenJournal; image?: SimulatedFiles }) {
    const { seed, open, image } = options;
    this.sim = simulatedHost({ seed, ...(image === undefined ? {} : { image }) });
    this.random = new SeededRandom(seed ^ 0x10c4);
    this.#open = open;
  }

  /** Another machine that goes on from a copy of this one's disk, with this one's truth. */
  fork(seed: number): JournalHarness {
    const copy = new JournalHarness({ seed, open: this.#open, image: this.sim.disk.image() });
    copy.records.push(...this.records);
    copy.acknowledged = this.acknowledged;
    copy.oldestKept = this.oldestKept;
    copy.snapshot = this.snapshot;
    copy.hasHoles = this.hasHoles;
    copy.dropped.push(...this.dropped);
    copy.#tree = this.#tree.copy();
    return copy;
  }

  /** Opens, checks all that recovery found, and starts. Rejects with what the journal rejects with. */
  async open(): Promise<void> {
    const opened = await this.sim.settle(this.#open(this.sim.host));
    await this.#checkRecovered(opened);
    this.journal = opened.journal;
    this.proofs = opened.proofs;
    this.failed = false;
    opened.journal.start({
      beforeSeal: () => this.#beforeSeal(),
      committed: (frame) => this.#committed(frame),
      failed: () => {
        this.failed = true;
      },
    });
  }

  append(length: number = this.random.pick([12, 40, 200, 900, 5_000])): void {
    const journal = this.#live();
    this.#noteOwnRecords();
    const seq = this.records.length + 1;
    const kind = this.random.between(1, 20);
    const body = makeBody(this.random, seq, length);
    const at = journal.reserve(kind, body.length);
    body.copy(journal.openBytes, at);
    this.records.push({ kind, body });
    if (journal.lastSeq !== seq) throw new Error(`record ${seq} was reserved as ${journal.lastSeq}`);
  }

  commit(): void {
    this.#live().commit();
  }

  /** Runs until all that was reserved is acknowledged; false when it is not within a simulated second. */
  async settled(): Promise<boolean> {
    return this.sim.runUntil(() => this.failed || this.acknowledged === this.records.length, 1_000);
  }

  /** Reads one record back, from memory or disk. */
  async read(seq: number): Promise<void> {
    const journal = this.#live();
    const oldest = this.oldestKept;
    const frame = await this.sim.settle(
      new Promise<JournalFrame | undefined>((resolve) => journal.fetch(seq, resolve)),
    );
    if (frame === undefined) {
      if (seq >= oldest) throw new Error(`record ${seq} cannot be fetched`);
      return;
    }
    if (seq < frame.firstSeq || seq >= frame.firstSeq + frame.count)
      throw new Error(`fetch(${seq}) gave another frame`);
    this.#compare(frame);
  }

  /** Asks for proofs of random frames and sizes, old and new. */
  async prove(): Promise<void> {
    const { proofs } = this;
    this.#live();
    const isKept = (seq: number): boolean => !this.dropped.some(({ first, last }) => seq >= first && seq <= last);
    if (proofs !== undefined) await this.sim.settle(this.#tree.check(proofs, this.random, isKept));
  }

  /** Drops a segment in the middle, as far as the newest snapshot allows. */
  dropMiddle(): void {
    const journal = this.#live();
    const able = journal.segments().filter(({ active, lastSeq }) => !active && lastSeq < this.snapshot);
    if (able.length < 3) return;
    const { id, firstSeq, lastSeq } = this.random.pick(able.slice(1));
    this.oldestKept = Math.max(this.oldestKept, lastSeq + 1);
    this.hasHoles = true;
    this.dropped.push({ first: firstSeq, last: lastSeq });
    journal.dropSegment(id);
    this.#noteOwnRecords();
  }

  /** Drops the oldest segment, as far as the newest snapshot allows. */
  dropOldest(): void {
    const journal = this.#live();
    const oldest = journal.segments().find(({ active }) => !active);
    if (oldest === undefined || oldest.lastSeq >= this.snapshot) return;
    this.oldestKept = Math.max(this.oldestKept, oldest.lastSeq + 1);
    this.dropped.push({ first: oldest.firstSeq, last: oldest.lastSeq });
    journal.dropSegment(oldest.id);
    this.#noteOwnRecords();
  }

  /** Declares a snapshot at a record that is durable. */
  takeSnapshot(): void {
    if (this.acknowledged <= this.snapshot) return;
    this.snapshot = this.random.between(this.snapshot + 1, this.acknowledged);
    this.#live().snapshotTaken(this.snapshot);
  }

  /** Power loss or process kill, now. */
  stop(how: "crash" | "kill"): void {
    this.journal = undefined;
    if (how === "crash") this.sim.crash();
    else this.sim.kill({ evict: this.random.chance(0.5) });
  }

  async close(): Promise<void> {
    const journal = this.#live();
    try {
      await this.sim.settle(journal.close());
    } catch (error) {
      if (!isInputOutput(error)) throw error;
      this.failed = true;
    }
    this.journal = undefined;
    if (!this.failed && this.acknowledged !== this.records.length) throw new Error("close left records behind");
    this.sim.kill();
  }

  checkHost(): void {
    const [violation] = this.sim.violations;
    if (violation !== undefined) throw new Error(violation);
  }

  #noteOwnRecords(): void {
    while (this.records.length < this.#live().lastSeq) this.records.push(undefined);
  }

  #live(): Journal {
    if (this.journal === undefined) throw new Error("the journal is not open");
    return this.journal;
  }

  #beforeSeal(): void {
    // As the engine does: acknowledgements join the frame at the last moment.
    if (this.random.chance(0.3)) this.append(20);
    this.#noteOwnRecords();
    this.#sealing = this.records.length;
  }

  #committed(frame: JournalFrame): void {
    if (this.failed) throw new Error("committed was called after failed");
    if (frame.firstSeq !== this.acknowledged + 1) {
      throw new Error(`committed ${frame.firstSeq} after ${this.acknowledged}`);
    }
    this.#compare(frame);
    this.acknowledged = frame.firstSeq + frame.count - 1;
    if (this.proofs !== undefined) this.#tree.committed(frame, this.proofs);
    // The journal's own records come last, after the seal was announced.
    const late = [...frame.kinds].some((kind, i) => kind < OWN_KIND_MIN && frame.firstSeq + i > this.#sealing);
    if (late) throw new Error("a frame holds records that were reserved after its seal");
    if (this.#live().durableSeq !== this.acknowledged) throw new Error("durableSeq differs from what was committed");
  }

  #compare(frame: JournalFrame): void {
    for (let i = 0; i < frame.count; i++) {
      const seq = frame.firstSeq + i;
      if (seq > this.records.length) {
        if ((frame.kinds[i] as number) < OWN_KIND_MIN) throw new Error(`record ${seq} was never reserved`);
        this.records.push(undefined);
      }
      const record = this.records[seq - 1];
      if (record === undefined) continue;
      const body = frame.bytes.subarray(frame.starts[i] as number, frame.ends[i] as number);
      if (frame.kinds[i] !== record.kind || !body.equals(record.body)) throw new Error(`record ${seq} is another one`);
    }
  }

  async #checkRecovered({ report, replay, proofs }: OpenedJournalUnderTest): Promise<void> {
    const frames: JournalFrame[] = [];
    const { lastSeq, snapshotSeq } = report;
    if (lastSeq < this.acknowledged)
      throw new Error(`acknowledged through ${this.acknowledged}, recovered to ${lastSeq}`);
    if (snapshotSeq > this.snapshot) throw new Error(`recovered a snapshot at ${snapshotSeq} that nobody took`);
    for (const from of [snapshotSeq, 1]) {
      let next = 0;
      let first = 0;
      await this.sim.settle(
        replay(from, (frame) => {
          if (first === 0) first = frame.firstSeq;
          else if (frame.firstSeq !== next && !this.hasHoles)
            throw new Error(`replay went from ${next} to ${frame.firstSeq}`);
          this.#compare(frame);
          next = frame.firstSeq + frame.count;
        }),
      );
      // From the snapshot on everything is needed; before it, what was not dropped.
      const oldest = from === snapshotSeq ? Math.max(from, 1) : this.oldestKept;
      if (lastSeq > 0 && first > oldest) throw new Error(`replay from ${from} began at ${first}, not ${oldest}`);
      if (lastSeq > 0 && next !== lastSeq + 1 && from <= lastSeq)
        throw new Error(`replay ended before ${next}, not ${lastSeq}`);
    }
    await this.sim.settle(replay(1, (frame) => frames.push(frame)));
    await this.sim.settle(this.#tree.recovered(frames, proofs));
    // What recovery shows is visible, so it has to be durable, and what it does not show is gone for good.
    this.records.length = lastSeq;
    this.acknowledged = lastSeq;
    this.snapshot = snapshotSeq;
  }
}

/** The disk said no; anything else is a finding. */
export function isInputOutput(error: unknown): boolean {
  return (
    error instanceof Error &&
    "code" in error &&
    (error.code === "io" || error.code === "EIO" || error.code === "ENOSPC")
  );
}

export { MachineStopped };
