import type { Journal, JournalFrame, JournalListener, JournalStatistics, SegmentInfo } from "../model/journal.ts";
import { ioError } from "./disk-io.ts";
import { FrameCache } from "./frame-cache.ts";
import { FrameReader } from "./frame-reader.ts";
import type { SealedFrame } from "./frame-seal.ts";
import { HeadFile, type HeadState } from "./head-file.ts";
import type { JournalParts } from "./journal-parts.ts";
import { JournalTree } from "./journal-tree.ts";
import { OpenFrame, SOFT_SIZES_MAX } from "./open-frame.ts";
import { OWN_KIND_MIN } from "./record-area.ts";
import { Retention } from "./retention.ts";
import type { SegmentCatalogue, SegmentEntry } from "./segment-catalogue.ts";
import { SegmentWriter } from "./segment-writer.ts";
import { TreeReader } from "./tree-reader.ts";

/** Sections that a frame may have before publishers are held back, and before they are refused. A header can name 65,535. */
const DOMAINS_SOFT = 1_024;
const DOMAINS_MAX: number = 32 * DOMAINS_SOFT;

/**
 * The journal on disk. One frame is in flight; the next fills. States: idle (nothing in flight) -> sealing (a seal is
 * scheduled) -> in flight (rolling, writing, syncing) -> idle; failed and closed are final.
 */
export class DiskJournal implements Journal {
  readonly #parts: JournalParts;
  readonly #open: OpenFrame = new OpenFrame();
  readonly #cache: FrameCache;
  readonly #reader: FrameReader;
  readonly #catalogue: SegmentCatalogue;
  readonly #retention: Retention;
  readonly #writer: SegmentWriter;
  readonly proofs: TreeReader;
  readonly #softBytes: number;
  readonly #statistics: Omit<JournalStatistics, "diskBytes"> = {
    framesCommitted: 0,
    recordsCommitted: 0,
    bytesWritten: 0,
    syncs: 0,
    commitMilliseconds: 0,
  };
  #head: HeadFile | undefined;
  #headState: HeadState;
  #listener: JournalListener | undefined;
  #durableSeq: number;
  /** First number of the open frame. */
  #openSeq: number;
  #inFlight: JournalFrame | undefined;
  #sealed: SealedFrame | undefined;
  #sealedAt = 0;
  /** Something in the open frame is to become durable. */
  #wanted = false;
  #sealScheduled = false;
  /** Monotonic time by which the open frame is to be sealed. */
  #sealBy: number = Infinity;
  #timerAt: number = Infinity;
  #failure: string | undefined;
  #closing: (() => void) | undefined;
  #closed = false;
  #rolling: Promise<void> | undefined;
  #diskBusy = false;
  #whenIdle: (() => void) | undefined;

  constructor(parts: JournalParts) {
    const { limits, active, catalogue } = parts;
    this.#parts = parts;
    this.#catalogue = catalogue;
    this.#softBytes = limits.frameBytesSoft;
    this.#cache = new FrameCache(limits.frameCacheBytes);
    const failed = (error: unknown): void => this.#fail(error);
    this.#reader = new FrameReader({ ...parts, cache: this.#cache, failed });
    const tree = new JournalTree(parts.tree);
    const openFrame = (seq: number): Promise<JournalFrame | undefined> =>
      new Promise((resolve) => this.#reader.fetch(seq, resolve));
    this.proofs = new TreeReader({ ...parts, tree, openFrame, findEnd: (entry) => this.#reader.indexOf(entry) });
    const learnLeaves = (entry: SegmentEntry): Promise<unknown> => this.proofs.spanOf(entry);
    this.#retention = new Retention({ ...parts, tree, learnLeaves, cache: this.#cache, reader: this.#reader, failed });
    for (const entry of catalogue.all) if (entry.index !== undefined) this.#reader.keepIndex(entry);
    this.#durableSeq = parts.lastSeq;
    this.#openSeq = parts.lastSeq + 1;
    this.#writer = new SegmentWriter({ ...parts, tree, reader: this.#reader, retention: this.#retention });
    this.#headState = {
      segmentId: parts.lastFilledId,
      offset: parts.lastFilledEnd,
      seq: parts.lastSeq,
      snapshotSeq: parts.snapshotSeq,
      hash: active.previousHash,
    };
  }

  /** Opens HEAD and makes what it says durable once; later it is written without a sync. */
  async openHead(): Promise<void> {
    const { host, directory, keyring, headGeneration } = this.#parts;
    this.#head = await HeadFile.open({
      host,
      directory,
      journalId: keyring.journalId,
      generation: headGeneration,
      state: () => this.#headState,
      failed: (error) => this.#fail(error),
    });
    await this.#head.writeNow();
  }

  get lastSeq(): number {
    return this.#openSeq + this.#open.count - 1;
  }

  get durableSeq(): number {
    return this.#durableSeq;
  }

  get openBytes(): Buffer {
    return this.#open.bytes;
  }

  get congested(): boolean {
    return this.#open.length > this.#softBytes || this.#open.domains > DOMAINS_SOFT;
  }

  get overfull(): boolean {
    return this.#open.length > this.#softBytes * SOFT_SIZES_MAX || this.#open.domains > DOMAINS_MAX;
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  start(listener: JournalListener): void {
    this.#listener = listener;
    const failure = this.#failure;
    if (failure !== undefined) this.#parts.host.timers.soon(() => listener.failed(failure));
    this.#parts.pool.prepare();
    this.#retention.dropEmpty();
    if (this.#wanted) this.#scheduleSeal();
  }

  reserve(kind: number, length: number): number {
    if (kind < 1 || kind >= OWN_KIND_MIN)
      throw new RangeError(`record kind ${kind} is not one of the core's (1 to 199)`);
    return this.#open.reserve(kind, length);
  }

  /** For what makes a journal out of another one: a record of the journal's own. */
  reserveOwn(kind: number, length: number): number {
    return this.#open.reserve(kind, length);
  }

  confine(domain: number, from: number): void {
    this.#open.confine(domain, from);
  }

  prove(): void {
    this.#open.prove();
  }

  destroyDomains(domains: readonly number[], done: () => void): void {
    this.#cache.clear();
    const failed = (error: unknown): void => this.#fail(error);
    this.#parts.keyring.domains.destroy(domains).then(done, failed);
  }

  requireDomains(domains: readonly number[]): void {
    this.#parts.keyring.domains.require(domains);
  }

  commit(): void {
    this.#wanted = true;
    if (this.#inFlight === undefined) this.#scheduleSeal();
  }

  commitWithin(milliseconds: number): void {
    if (this.#parts.host.timers.isStill === true) return this.commit();
    const by = this.#parts.host.clock.monotonic() + milliseconds;
    if (by >= this.#sealBy) return;
    this.#sealBy = by;
    if (by < this.#timerAt) this.#arm(milliseconds, by);
  }

  cached(seq: number): JournalFrame | undefined {
    return this.#cache.find(seq);
  }

  fetch(seq: number, done: (frame: JournalFrame | undefined) => void): void {
    this.#reader.fetch(seq, done);
  }

  snapshotTaken(seq: number): void {
    if (seq > this.#durableSeq)
      throw new RangeError(`a snapshot at ${seq} is not durable; the journal is at ${this.#durableSeq}`);
    this.#writer.active.snapshotSeq = seq;
    this.#headState = { ...this.#headState, snapshotSeq: seq };
    this.#head?.touch();
  }

  segments(): SegmentInfo[] {
    return this.#catalogue.infos();
  }

  dropSegment(id: number): void {
    this.#retention.drop(id, this.#writer.active.snapshotSeq, () => this.commit());
  }

  /** What is reserved from here on goes into a new segment, under the data key that is current then; if there is room for one. */
  changeSegment(): void {
    this.#writer.changeSegment();
  }

  /** Data key of the segment that is being written, and frames it has sealed in all. */
  get dataKey(): { readonly id: number; readonly frames: number } {
    return this.#writer.dataKey;
  }

  statistics(): JournalStatistics {
    return { ...this.#statistics, diskBytes: this.#diskBytes };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    if (!this.hasFailed && this.#listener !== undefined) {
      await new Promise<void>((resolve) => {
        this.#closing = resolve;
        this.commit();
      });
    }
    this.#closed = true;
    await this.#diskIdle();
    try {
      await this.#parts.scrubber.close();
      await this.#parts.pool.close();
      await this.#retention.finish().catch(() => undefined);
      await this.#reader.close();
      await this.#head?.close(!this.hasFailed);
      await this.#writer.active.file.close();
      await this.#parts.witness?.close();
    } finally {
      await this.#parts.lock.release();
    }
  }

  /** After a failure elsewhere a write, a sync or a roll may still be under way on the segment's file. */
  async #diskIdle(): Promise<void> {
    await this.#rolling?.catch(() => undefined);
    if (!this.#diskBusy) return;
    await new Promise<void>((resolve) => {
      this.#whenIdle = resolve;
    });
  }

  get #diskBytes(): number {
    return this.#catalogue.bytes + this.#parts.pool.bytes;
  }

  #scheduleSeal(): void {
    if (this.#sealScheduled || this.hasFailed || this.#listener === undefined) return;
    this.#sealScheduled = true;
    // Not at once: all input of this turn of the loop gets into the same frame, and a lone publish loses nothing.
    this.#parts.host.timers.soon(this.#seal);
  }

  #arm(milliseconds: number, at: number): void {
    this.#timerAt = at;
    this.#parts.host.timers.after(milliseconds, () => {
      if (this.#timerAt !== at) return;
      this.#timerAt = Infinity;
      if (this.#sealBy === Infinity) return;
      const left = this.#sealBy - this.#parts.host.clock.monotonic();
      if (left > 0.5) this.#arm(left, this.#sealBy);
      else this.commit();
    });
  }

  readonly #seal = (): void => {
    if (this.hasFailed || this.#closed || this.#inFlight !== undefined) {
      this.#sealScheduled = false;
      return;
    }
    this.#sealScheduled = false;
    this.#wanted = false;
    this.#sealBy = Infinity;
    // What the listener asks for now is for the frame after this one.
    this.#listener?.beforeSeal();
    this.#retention.append(this.#open);
    if (this.#open.count === 0) {
      this.#closing?.();
      return;
    }
    const frame = this.#open.take(this.#openSeq);
    this.#openSeq += frame.count;
    this.#inFlight = frame;
    const ready = this.#writer.prepare(frame);
    if (ready === undefined) {
      this.#write(frame);
      return;
    }
    this.#rolling = ready.finally(() => {
      this.#rolling = undefined;
    });
    this.#rolling.then(
      () => this.#write(frame),
      (error: unknown) => this.#fail(error),
    );
  };

  #write(frame: JournalFrame): void {
    if (this.hasFailed) return;
    this.#sealedAt = this.#parts.host.clock.monotonic();
    const sealed = this.#writer.seal(frame);
    this.#sealed = sealed;
    this.#diskBusy = true;
    this.#writer.active.file.writeAt(sealed.bytes, this.#writer.active.offset, this.#written);
  }

  readonly #written = (error: unknown): void => {
    if (error === undefined && !this.hasFailed) {
      this.#writer.active.file.datasync(this.#synced);
      return;
    }
    this.#diskDone();
    this.#fail(error);
  };

  readonly #synced = (error: unknown): void => {
    this.#diskDone();
    const frame = this.#inFlight;
    const sealed = this.#sealed;
    // A failed sync is never tried again: the kernel may have dropped the pages it could not write (F8).
    if (error !== undefined) this.#fail(error);
    if (this.hasFailed || frame === undefined || sealed === undefined) return;
    // Commit point. Before it a crash may lose the frame, and nobody was told; after it no crash does.
    this.#durableSeq = frame.firstSeq + frame.count - 1;
    this.#account(frame, sealed);
    this.#cache.add(frame);
    this.#inFlight = undefined;
    this.#head?.touch();
    this.#retention.committed();
    this.#parts.witness?.grown();
    this.#listener?.committed(frame);
    if (this.#wanted || this.#closing !== undefined) this.#scheduleSeal();
  };

  #diskDone(): void {
    this.#diskBusy = false;
    this.#whenIdle?.();
  }

  #account(frame: JournalFrame, sealed: SealedFrame): void {
    const { active } = this.#writer;
    this.#writer.committed(frame, sealed);
    this.#headState = {
      segmentId: active.segmentId,
      offset: active.offset,
      seq: this.#durableSeq,
      snapshotSeq: active.snapshotSeq,
      hash: sealed.hash,
    };
    const statistics = this.#statistics;
    statistics.framesCommitted++;
    statistics.recordsCommitted += frame.count;
    statistics.bytesWritten += sealed.bytes.length;
    statistics.syncs++;
    statistics.commitMilliseconds += this.#parts.host.clock.monotonic() - this.#sealedAt;
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined || this.#closed) return;
    const failure = ioError("writing", this.#parts.directory, error);
    const reason = failure instanceof Error ? failure.message : String(failure);
    this.#failure = reason;
    this.#listener?.failed(reason);
    this.#closing?.();
  }
}
