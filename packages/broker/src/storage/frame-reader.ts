import type { DiskFile, Host } from "../host/host.ts";
import type { JournalFrame } from "../model/journal.ts";
import { errorCode, ioError, readAt } from "./disk-io.ts";
import { segmentName } from "./file-names.ts";
import type { FrameCache } from "./frame-cache.ts";
import { readFrameHeader } from "./frame-format.ts";
import { openFrame } from "./frame-open.ts";
import type { Keyring } from "./keyring.ts";
import type { SegmentCatalogue, SegmentEntry } from "./segment-catalogue.ts";
import { type IndexSlot, SegmentIndex } from "./segment-index.ts";
import type { SegmentKey } from "./segment-key.ts";
import { type ScannedFrame, scanSegment } from "./segment-scan.ts";
import { StorageError } from "./storage-error.ts";

type Done = (frame: JournalFrame | undefined) => void;

const OPEN_FILES_MAX = 16;
const INDEXES_MAX = 64;
/** Places where sequential readers are expected next. */
const EXPECTED_MAX = 64;
const RETRY_MS = 50;
const RETRIES_MAX = 100;

export interface ReaderOptions {
  readonly host: Host;
  readonly directory: string;
  readonly keyring: Keyring;
  readonly catalogue: SegmentCatalogue;
  readonly cache: FrameCache;
  /** Damage or a failing disk was met: the journal must stop (DESIGN: damage is reported, never hidden). */
  readonly failed: (error: unknown) => void;
}

interface OpenFile {
  readonly file: DiskFile;
  readonly key: SegmentKey;
}

/** Counted from before it is open, so that nobody closes it under those who wait. */
interface Handle {
  readonly ready: Promise<OpenFile>;
  users: number;
}

/** A read under way; all who want frames of this slot wait for it. */
interface SlotRead {
  readonly wanted: Map<number, Done[]>;
  /** Everything in the slot is to be opened: a sequential reader comes through. */
  all: boolean;
}

interface LoadedSlot {
  readonly entry: SegmentEntry;
  readonly slot: IndexSlot;
  readonly bytes: Buffer;
  readonly key: SegmentKey;
}

/** Reads old frames back: by slots of about 64 KiB, each read at most once at a time, ahead of sequential readers. */
export class FrameReader {
  readonly #options: ReaderOptions;
  readonly #files: Map<number, Handle> = new Map();
  readonly #reads: Map<string, SlotRead> = new Map();
  readonly #expected: Set<string> = new Set();
  /** Segments that have their index, in the order they got it; never the active one. */
  readonly #indexed: Set<SegmentEntry> = new Set();
  readonly #indexing: Map<SegmentEntry, Promise<void>> = new Map();
  readonly #underWay: Set<Promise<void>> = new Set();
  #closed = false;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  fetch(seq: number, done: Done): void {
    const { catalogue, cache, host } = this.#options;
    const entry = catalogue.holding(seq);
    const cached = cache.find(seq);
    if (entry === undefined || cached !== undefined || this.#closed) {
      host.timers.soon(() => done(cached));
      return;
    }
    const slot = entry.index?.find(seq);
    if (slot !== undefined) this.#want(entry, slot, seq, done);
    else this.#track(this.#indexThen(entry, seq, done));
  }

  async #indexThen(entry: SegmentEntry, seq: number, done: Done): Promise<void> {
    try {
      await this.indexOf(entry);
    } catch (error) {
      this.#report(entry, error);
    }
    const slot = entry.index?.find(seq);
    if (slot === undefined) done(undefined);
    else this.#want(entry, slot, seq, done);
  }

  /** Makes sure that the entry has its index and knows its end. */
  async indexOf(entry: SegmentEntry): Promise<void> {
    if (entry.index !== undefined && entry.end !== undefined) return;
    let work = this.#indexing.get(entry);
    if (work === undefined) {
      work = this.#buildIndex(entry).finally(() => this.#indexing.delete(entry));
      this.#indexing.set(entry, work);
    }
    await work;
  }

  async #buildIndex(entry: SegmentEntry): Promise<void> {
    const index = new SegmentIndex();
    await this.#withFile(entry, async ({ file, key }) => {
      const { header, end } = entry;
      const visit = ({ header: at }: ScannedFrame): void => index.add(at.firstSeq, at.offset, at.frameBytes);
      const result = await scanSegment({ file, header, key, end, thorough: false, visit });
      if (result.problem !== undefined && end !== undefined) throw damage(entry, result.offset, result.problem);
      entry.end = result.offset;
      entry.endHash ??= result.hash;
      entry.index = index;
    });
    this.keepIndex(entry);
  }

  /** Counts the entry's index among those in memory; the ones kept longest go, and are read again when needed. */
  keepIndex(entry: SegmentEntry): void {
    this.#indexed.add(entry);
    for (const oldest of this.#indexed) {
      if (this.#indexed.size <= INDEXES_MAX) break;
      this.#indexed.delete(oldest);
      oldest.index = undefined;
    }
  }

  #want(entry: SegmentEntry, slot: IndexSlot, seq: number, done: Done): void {
    const key = `${entry.header.id}/${slot.number}`;
    const read = this.#startRead(entry, slot, key);
    const waiting = read.wanted.get(seq);
    if (waiting === undefined) read.wanted.set(seq, [done]);
    else waiting.push(done);
    const sequential = this.#expected.delete(key);
    read.all ||= sequential;
    const following = entry.index?.slot(slot.number + 1);
    this.#expect(key);
    this.#expect(`${entry.header.id}/${slot.number + 1}`);
    if (!sequential || following === undefined) return;
    // Read ahead: the next slot is on its way while this one is used.
    const ahead = `${entry.header.id}/${following.number}`;
    if (!this.#reads.has(ahead)) this.#startRead(entry, following, ahead).all = true;
  }

  #expect(key: string): void {
    this.#expected.add(key);
    for (const oldest of this.#expected) {
      if (this.#expected.size <= EXPECTED_MAX) break;
      this.#expected.delete(oldest);
    }
  }

  #startRead(entry: SegmentEntry, slot: IndexSlot, key: string): SlotRead {
    const running = this.#reads.get(key);
    if (running !== undefined) return running;
    const read: SlotRead = { wanted: new Map(), all: false };
    this.#reads.set(key, read);
    this.#track(this.#readSlot(entry, slot, key, read));
    return read;
  }

  async #readSlot(entry: SegmentEntry, slot: IndexSlot, key: string, read: SlotRead): Promise<void> {
    let found: JournalFrame[] = [];
    try {
      await this.#withFile(entry, async ({ file, key: segmentKey }) => {
        const bytes = Buffer.allocUnsafeSlow(slot.end - slot.offset);
        await readAt(file, bytes, slot.offset);
        found = this.#openSlot({ entry, slot, bytes, key: segmentKey }, read);
      });
    } catch (error) {
      this.#report(entry, error);
    }
    this.#reads.delete(key);
    for (const [seq, waiting] of read.wanted) {
      const frame = found.find((one) => seq >= one.firstSeq && seq < one.firstSeq + one.count);
      for (const done of waiting) done(frame);
    }
  }

  #openSlot(loaded: LoadedSlot, read: SlotRead): JournalFrame[] {
    const { entry, slot, bytes, key } = loaded;
    const frames: JournalFrame[] = [];
    for (let at = 0; at < bytes.length; ) {
      const offset = slot.offset + at;
      const header = readFrameHeader(bytes, at);
      const { id } = entry.header;
      if (header === undefined || header.segmentId !== id || header.offset !== offset) {
        throw damage(entry, offset, "there is no valid frame header");
      }
      const last = header.firstSeq + header.count - 1;
      const wanted = read.all || [...read.wanted.keys()].some((seq) => seq >= header.firstSeq && seq <= last);
      if (wanted) {
        const frame = this.#options.cache.find(header.firstSeq) ?? openFrame(bytes, at, header, key);
        if (frame === undefined) throw damage(entry, offset, "the frame does not open with its key");
        frames.push(frame);
        this.#options.cache.add(frame);
      }
      at += header.frameBytes;
    }
    return frames;
  }

  /** Stops the journal, unless the segment was dropped meanwhile and its file is something else now. */
  #report(entry: SegmentEntry, error: unknown): void {
    if (this.#closed || !this.#options.catalogue.has(entry)) return;
    this.#options.failed(ioError("reading", segmentName(entry.header.id), error));
  }

  /** Runs `use` with the segment's file open. */
  async #withFile(entry: SegmentEntry, use: (open: OpenFile) => Promise<void>): Promise<void> {
    const { id } = entry.header;
    let handle = this.#files.get(id);
    if (handle === undefined) {
      const opened: Handle = { ready: this.#open(entry), users: 0 };
      opened.ready.catch(() => {
        if (this.#files.get(id) === opened) this.#files.delete(id);
      });
      handle = opened;
    }
    handle.users++;
    this.#files.delete(id);
    this.#files.set(id, handle);
    try {
      const open = await handle.ready;
      await this.#closeIdle(OPEN_FILES_MAX);
      await use(open);
    } finally {
      handle.users--;
    }
  }

  async #open(entry: SegmentEntry): Promise<OpenFile> {
    const { host, directory, keyring } = this.#options;
    const key = keyring.segmentKey(entry.header.keyId, entry.header.salt);
    if (key === undefined) throw damage(entry, 0, `its data key ${entry.header.keyId} is not in the keyring`);
    for (let tries = 0; ; tries++) {
      try {
        return { file: await host.disk.open(`${directory}/${segmentName(entry.header.id)}`, "read"), key };
      } catch (error) {
        // Out of descriptors passes (F10): sockets close, and so do our own idle files.
        const code = errorCode(error);
        if ((code !== "EMFILE" && code !== "ENFILE") || tries >= RETRIES_MAX || this.#closed) throw error;
      }
      await this.#closeIdle(0);
      await new Promise<void>((resolve) => host.timers.after(RETRY_MS, resolve));
    }
  }

  async #closeIdle(keep: number): Promise<void> {
    for (const [id, handle] of this.#files) {
      if (this.#files.size <= keep) return;
      if (handle.users > 0) continue;
      this.#files.delete(id);
      await closeHandle(handle);
    }
  }

  /** The segment is dropped: its file will be used for something else. */
  async forget(entry: SegmentEntry): Promise<void> {
    this.#indexed.delete(entry);
    await Promise.allSettled(this.#underWay);
    const handle = this.#files.get(entry.header.id);
    if (handle === undefined) return;
    this.#files.delete(entry.header.id);
    await closeHandle(handle);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#underWay);
    await this.#closeIdle(0);
  }

  #track(work: Promise<void>): void {
    this.#underWay.add(work);
    void work.finally(() => this.#underWay.delete(work));
  }
}

async function closeHandle(handle: Handle): Promise<void> {
  const open = await handle.ready.catch(() => undefined);
  await open?.file.close();
}

function damage(entry: SegmentEntry, offset: number, problem: string): StorageError {
  const { id } = entry.header;
  const message = `Segment ${id} is damaged at byte ${offset}: ${problem}. Run \`mess verify\`, and restore it from a backup.`;
  return new StorageError("damaged", message, { segment: id, offset });
}
