import type { DiskFile, Host, Timer } from "../host/host.ts";
import type { CorruptPlace, ScrubStatus } from "../model/storage-administration.ts";
import { ioError } from "./disk-io.ts";
import { segmentName } from "./file-names.ts";
import type { Keyring } from "./keyring.ts";
import type { SegmentCatalogue, SegmentEntry } from "./segment-catalogue.ts";
import { type ScanResult, scanSegment } from "./segment-scan.ts";
import { StorageError } from "./storage-error.ts";

export interface ScrubberParts {
  readonly host: Host;
  readonly directory: string;
  readonly keyring: Keyring;
  readonly catalogue: SegmentCatalogue;
  readonly pace?: ScrubPace | undefined;
}

export interface ScrubPace {
  /** Before the first pass of a process, milliseconds. */
  readonly firstAfter: number;
  /** From the begin of a pass to the begin of the next. */
  readonly every: number;
  /** A pass is spread over so many milliseconds, unless `bytesPerSecondMin` ends it sooner. */
  readonly spread: number;
  readonly bytesPerSecondMin: number;
  /** Of a pass that somebody asked for. */
  readonly bytesPerSecondAsked: number;
}

const HOUR = 3_600_000;
/** A full pass within 24 hours (RELIABILITY F4), however much there is; a small journal is done in seconds, and then left alone. */
const standardPace: ScrubPace = {
  firstAfter: 60_000,
  every: 24 * HOUR,
  spread: 20 * HOUR,
  bytesPerSecondMin: 1_048_576,
  bytesPerSecondAsked: 64 * 1_048_576,
};

/** Read and worked through without a pause: well under a millisecond. */
const PIECE = 64 * 1_024;
/** The first place is told; a broken disk must not fill the audit trail. */
const PLACES_MAX = 16;

/**
 * Reads everything that is stored over and over, in the background, and tells what is not what was written. It changes
 * nothing: what a reader needs of a damaged segment stops the journal when it is read (FrameReader).
 */
export class Scrubber {
  readonly #parts: ScrubberParts;
  readonly #pace: ScrubPace;
  readonly #places: CorruptPlace[] = [];
  #observe: (place: CorruptPlace) => void = () => undefined;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #hurried = false;
  #closed = false;
  #wake: (() => void) | undefined;
  #bytes = 0;
  #passes = 0;
  #endedAt: number | undefined;
  #passBytes = 0;
  #passDone = 0;

  constructor(parts: ScrubberParts) {
    this.#parts = parts;
    this.#pace = parts.pace ?? standardPace;
  }

  /** Begins to work. `observe` hears of each damaged segment once. */
  start(observe: (place: CorruptPlace) => void): void {
    this.#observe = observe;
    this.#sleep(this.#pace.firstAfter);
  }

  /** Does a pass at once and fast, or hurries the one under way. */
  passNow(): void {
    this.#hurried = true;
    this.#wake?.();
    if (this.#running === undefined && !this.#closed) this.#begin();
  }

  status(): ScrubStatus {
    return {
      bytes: this.#bytes,
      passes: this.#passes,
      running: this.#running !== undefined,
      ...(this.#running !== undefined && { passBytes: this.#passBytes, passDone: this.#passDone }),
      ...(this.#endedAt !== undefined && { endedAt: this.#endedAt }),
      corrupt: [...this.#places],
    };
  }

  /** Resolves when nothing is read any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    this.#wake?.();
    await this.#running;
  }

  #sleep(milliseconds: number): void {
    if (this.#closed) return;
    this.#timer = this.#parts.host.timers.after(milliseconds, () => this.#begin());
  }

  #begin(): void {
    this.#timer?.cancel();
    const began = this.#parts.host.clock.monotonic();
    this.#running = this.#pass().finally(() => {
      this.#running = undefined;
      this.#hurried = false;
      this.#sleep(Math.max(1_000, this.#pace.every - (this.#parts.host.clock.monotonic() - began)));
    });
  }

  async #pass(): Promise<void> {
    const { catalogue, host } = this.#parts;
    const entries = [...catalogue.all];
    this.#passBytes = entries.reduce((sum, { end, header }) => sum + (end ?? header.bytes), 0);
    this.#passDone = 0;
    // Not always the oldest first: a process that lives shorter than a pass takes gets everywhere in time.
    const first = entries.length === 0 ? 0 : (host.random.bytes(1)[0] ?? 0) % entries.length;
    for (const entry of [...entries.slice(first), ...entries.slice(0, first)]) {
      if (this.#closed) return;
      await this.#check(entry);
    }
    if (this.#closed) return;
    this.#passes++;
    this.#endedAt = host.clock.now();
  }

  async #check(entry: SegmentEntry): Promise<void> {
    if (this.#isKnown(entry) || !this.#isKept(entry)) return;
    const problem = await this.#look(entry);
    // Looked at twice: what was read badly once may be a matter of the way from the disk, and mends itself.
    if (problem === undefined || (await this.#look(entry)) === undefined) return;
    if (this.#closed || !this.#isKept(entry) || this.#places.length >= PLACES_MAX) return;
    this.#places.push(problem);
    this.#observe(problem);
  }

  async #look(entry: SegmentEntry): Promise<CorruptPlace | undefined> {
    const { header } = entry;
    const place = (offset: number, seq: number, reason: string): CorruptPlace => {
      return { file: segmentName(header.id), segment: header.id, offset, seq, reason };
    };
    // What is durable by now; the active segment goes on growing.
    const { end, endHash, lastSeq } = entry;
    try {
      const result = await this.#scan(entry, end);
      if (result === undefined) return undefined;
      if (result.problem !== undefined && (end !== undefined || result.seq < lastSeq)) {
        return place(result.offset, result.seq + 1, result.problem);
      }
      const whole = result.seq === lastSeq && (endHash === undefined || result.hash.compare(endHash) === 0);
      return whole ? undefined : place(result.offset, result.seq + 1, "it is not what was written to it");
    } catch (error) {
      if (this.#closed || !this.#isKept(entry)) return undefined;
      const failure = ioError("reading", segmentName(header.id), error);
      if (failure instanceof StorageError && failure.code === "io") return place(0, header.firstSeq, failure.message);
      throw failure;
    }
  }

  async #scan(entry: SegmentEntry, end: number | undefined): Promise<ScanResult | undefined> {
    const { host, directory, keyring } = this.#parts;
    const { header } = entry;
    const key = keyring.segmentKey(header.keyId, header.salt);
    if (key === undefined)
      return { ...emptyResult(entry), problem: `its data key ${header.keyId} is not in the keyring` };
    const file: DiskFile = await host.disk.open(`${directory}/${segmentName(header.id)}`, "read");
    try {
      const pause = (bytes: number): Promise<void> | undefined => this.#pauseAfter(bytes);
      const visit = (): void => undefined;
      return await scanSegment({ file, header, key, end, thorough: true, visit, windowBytes: PIECE, pause });
    } catch (error) {
      if (error === stopped) return undefined;
      throw error;
    } finally {
      await file.close();
    }
  }

  /** Spreads the reading over time; nothing to wait for within a piece. */
  #owed = 0;
  #pauseAfter(bytes: number): Promise<void> | undefined {
    if (this.#closed) return Promise.reject(stopped);
    this.#bytes += bytes;
    this.#passDone += bytes;
    this.#owed += bytes;
    if (this.#owed < PIECE) return undefined;
    const { spread, bytesPerSecondMin, bytesPerSecondAsked } = this.#pace;
    const perSecond = this.#hurried
      ? bytesPerSecondAsked
      : Math.max(bytesPerSecondMin, (this.#passBytes / spread) * 1_000);
    const milliseconds = (this.#owed / perSecond) * 1_000;
    this.#owed = 0;
    return new Promise((resolve, reject) => {
      const timer = this.#parts.host.timers.after(milliseconds, () => this.#wake?.());
      this.#wake = () => {
        timer.cancel();
        this.#wake = undefined;
        if (this.#closed) reject(stopped);
        else resolve();
      };
    });
  }

  /** Segments that are dropped become something else under the reader's hands. */
  #isKept(entry: SegmentEntry): boolean {
    return this.#parts.catalogue.has(entry);
  }

  #isKnown({ header }: SegmentEntry): boolean {
    return this.#places.some(({ segment }) => segment === header.id);
  }
}

const stopped = new Error("the scrub stopped");

function emptyResult({ header }: SegmentEntry): Omit<ScanResult, "problem"> {
  const { firstSeq, previousHash: hash, snapshotSeq } = header;
  return { offset: 0, counter: 0, seq: firstSeq - 1, hash, snapshotSeq };
}
