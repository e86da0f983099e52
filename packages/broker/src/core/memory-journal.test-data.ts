/** A journal in memory for tests of the core: the test decides when a frame is sealed, committed, read, or fails. */
import type { Journal, JournalFrame, JournalListener, JournalStatistics, SegmentInfo } from "../model/journal.ts";

interface Pending {
  readonly kind: number;
  readonly start: number;
  readonly end: number;
  /** Erasure domain and where its part begins. */
  confined?: { readonly domain: number; readonly from: number };
}

interface Fetch {
  readonly seq: number;
  readonly done: (frame: JournalFrame | undefined) => void;
}

/** As `DiskJournal` does it: a record of the journal's own, behind those of the core. */
const ownKind = 200;

export interface MemoryJournalOptions {
  /** Durable frames of a life before. */
  readonly frames?: readonly JournalFrame[];
  /** So many of the newest frames are `cached`; the others have to be fetched. All if not given. */
  readonly cachedFrames?: number;
  readonly framesPerSegment?: number;
}

export class MemoryJournal implements Journal {
  readonly frames: JournalFrame[];
  readonly sealed: JournalFrame[] = [];
  readonly dropped: number[] = [];
  /** Erasure domains that have a key. */
  readonly domains: Set<number>;
  /** Records after which `prove` was called. */
  readonly proved: Set<number> = new Set();
  openBytes: Buffer = Buffer.alloc(1_024);
  hasFailed = false;
  congested = false;
  overfull = false;
  /** Asked to commit since the last seal. */
  wanted = false;
  durableSeq: number;
  snapshotSeq = 0;
  #open: Pending[] = [];
  #openLength = 0;
  #openSeq: number;
  #listener: JournalListener | undefined;
  readonly #fetches: Fetch[] = [];
  readonly #fetched: Set<JournalFrame> = new Set();
  readonly #options: MemoryJournalOptions;

  constructor(options: MemoryJournalOptions = {}) {
    this.#options = options;
    this.frames = [...(options.frames ?? [])];
    const lasting = this.frames.flatMap(({ confined = [], erased }) =>
      confined.filter(({ index }) => erased?.[index] !== 1),
    );
    this.domains = new Set(lasting.map(({ domain }) => domain));
    const last = this.frames.at(-1);
    this.durableSeq = last === undefined ? 0 : last.firstSeq + last.count - 1;
    this.#openSeq = this.durableSeq + 1;
  }

  get lastSeq(): number {
    return this.#openSeq + this.#open.length - 1;
  }

  get openCount(): number {
    return this.#open.length;
  }

  get fetchesWaiting(): number {
    return this.#fetches.length;
  }

  start(listener: JournalListener): void {
    this.#listener = listener;
  }

  reserve(kind: number, length: number): number {
    const start = this.#openLength;
    const end = start + length;
    if (end > this.openBytes.length) {
      const larger = Buffer.alloc(Math.max(end, this.openBytes.length * 2));
      this.openBytes.copy(larger);
      this.openBytes = larger;
    }
    this.#open.push({ kind, start, end });
    this.#openLength = end;
    return start;
  }

  confine(domain: number, from: number): void {
    const last = this.#open.at(-1);
    if (last === undefined || from < last.start || from > last.end) throw new RangeError("not in the last record");
    last.confined = { domain, from };
    this.domains.add(domain);
  }

  prove(): void {
    this.proved.add(this.lastSeq);
  }

  /** What belongs to them is zeros from here on, as it is for a journal that reads its disk. */
  destroyDomains(domains: readonly number[], done: () => void): void {
    for (const domain of domains) this.domains.delete(domain);
    for (const [i, frame] of this.frames.entries()) this.frames[i] = this.#withoutDomains(frame);
    done();
  }

  requireDomains(domains: readonly number[]): void {
    for (const domain of domains) if (!this.domains.has(domain)) throw new Error(`domain ${domain} has no key`);
  }

  #withoutDomains(frame: JournalFrame): JournalFrame {
    const gone = frame.confined?.filter(({ domain }) => !this.domains.has(domain)) ?? [];
    if (gone.length === 0) return frame;
    const bytes = Buffer.from(frame.bytes);
    const erased = frame.erased?.slice() ?? new Uint8Array(frame.count);
    for (const { index, from } of gone) {
      bytes.fill(0, from, frame.ends[index]);
      erased[index] = 1;
    }
    return { ...frame, bytes, erased };
  }

  /** Every record after `seq`, durable or not. */
  recordsAfter(seq: number): { seq: number; kind: number; bytes: Buffer; start: number; end: number }[] {
    const records: ReturnType<MemoryJournal["recordsAfter"]> = [];
    for (const frame of [...this.frames, ...this.sealed]) {
      if (frame.firstSeq + frame.count <= seq) continue;
      for (let i = Math.max(0, seq + 1 - frame.firstSeq); i < frame.count; i++) {
        const [kind, start, end] = [frame.kinds[i] as number, frame.starts[i] as number, frame.ends[i] as number];
        records.push({ seq: frame.firstSeq + i, kind, bytes: frame.bytes, start, end });
      }
    }
    const open = this.#open.map((pending, i) => ({ ...pending, seq: this.#openSeq + i, bytes: this.openBytes }));
    return [...records, ...open.filter((record) => record.seq > seq)];
  }

  commit(): void {
    this.wanted = true;
  }

  commitWithin(_milliseconds: number): void {
    this.wanted = true;
  }

  /** Seals the open frame; `ownRecords` are added behind those of the core, as the journal may do. */
  seal(ownRecords = 0): void {
    this.#listener?.beforeSeal();
    this.wanted = false;
    for (let i = 0; i < ownRecords; i++) this.reserve(ownKind, 1);
    if (this.#open.length === 0) return;
    const frame: JournalFrame = {
      firstSeq: this.#openSeq,
      count: this.#open.length,
      bytes: this.openBytes,
      starts: Uint32Array.from(this.#open, ({ start }) => start),
      ends: Uint32Array.from(this.#open, ({ end }) => end),
      kinds: Uint8Array.from(this.#open, ({ kind }) => kind),
      confined: this.#open.flatMap(({ confined }, index) => (confined === undefined ? [] : { index, ...confined })),
    };
    this.sealed.push(frame);
    this.#openSeq += frame.count;
    this.#open = [];
    this.#openLength = 0;
    this.openBytes = Buffer.alloc(1_024);
  }

  /** The oldest sealed frame is durable now. False when there is none. */
  commitSealed(): boolean {
    const frame = this.sealed.shift();
    if (frame === undefined) return false;
    this.frames.push(frame);
    this.durableSeq = frame.firstSeq + frame.count - 1;
    this.#listener?.committed(frame);
    return true;
  }

  /** Seals and commits until nothing asks for more. */
  commitNow(ownRecords = 0): void {
    let own = ownRecords;
    for (let turn = 0; turn < 10_000; turn++) {
      while (this.commitSealed());
      if (!this.wanted && this.#open.length === 0 && own === 0) return;
      this.seal(own);
      own = 0;
    }
    throw new Error("the journal never comes to rest");
  }

  fail(): void {
    this.hasFailed = true;
    this.#listener?.failed("test");
  }

  cached(seq: number): JournalFrame | undefined {
    const frame = this.#frameOf(seq);
    if (frame === undefined) return undefined;
    const oldest = this.frames.length - (this.#options.cachedFrames ?? Number.POSITIVE_INFINITY);
    return this.frames.indexOf(frame) >= oldest || this.#fetched.has(frame) ? frame : undefined;
  }

  fetch(seq: number, done: (frame: JournalFrame | undefined) => void): void {
    this.#fetches.push({ seq, done });
  }

  /** Answers what was asked to be read by now; with `lost` the records are not to be had. */
  answerFetches(lost = false): void {
    for (const { seq, done } of this.#fetches.splice(0)) {
      const frame = lost ? undefined : this.#frameOf(seq);
      if (frame !== undefined) this.#fetched.add(frame);
      done(frame);
    }
  }

  snapshotTaken(seq: number): void {
    this.snapshotSeq = seq;
  }

  segments(): SegmentInfo[] {
    const size = this.#options.framesPerSegment ?? 1;
    const infos: SegmentInfo[] = [];
    for (let i = 0; i < this.frames.length; i += size) {
      const frames = this.frames.slice(i, i + size);
      const first = frames[0] as JournalFrame;
      const last = frames.at(-1) as JournalFrame;
      const lastSeq = last.firstSeq + last.count - 1;
      const bytes = frames.reduce((sum, frame) => sum + frame.bytes.length, 0);
      infos.push({ id: first.firstSeq, firstSeq: first.firstSeq, lastSeq, bytes, active: false });
    }
    return infos.map((info, i) => ({ ...info, active: i === infos.length - 1 }));
  }

  /** Segments are named by their first record here. */
  dropSegment(id: number): void {
    const info = this.segments().find((segment) => segment.id === id);
    if (info === undefined) throw new Error(`no segment ${id}`);
    this.dropped.push(id);
    const kept = this.frames.filter((frame) => frame.firstSeq < info.firstSeq || frame.firstSeq > info.lastSeq);
    this.frames.splice(0, this.frames.length, ...kept);
  }

  statistics(): JournalStatistics {
    return {
      framesCommitted: this.frames.length,
      recordsCommitted: this.durableSeq,
      bytesWritten: this.frames.reduce((sum, frame) => sum + frame.bytes.length, 0),
      syncs: this.frames.length,
      commitMilliseconds: 0,
      diskBytes: 0,
    };
  }

  async close(): Promise<void> {
    this.commitNow();
  }

  #frameOf(seq: number): JournalFrame | undefined {
    return this.frames.find((frame) => seq >= frame.firstSeq && seq < frame.firstSeq + frame.count);
  }
}
