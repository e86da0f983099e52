import type { SegmentInfo } from "../model/journal.ts";
import { type IdRange, idRanges, LIVE_RANGES_MAX, SEGMENT_HEADER_BYTES, type SegmentHeader } from "./segment-header.ts";
import { SegmentIndex } from "./segment-index.ts";
import { SegmentPins } from "./segment-pins.ts";

/** A segment that is kept. */
export interface SegmentEntry {
  readonly header: SegmentHeader;
  /** Less than `header.firstSeq` when there is none. */
  lastSeq: number;
  /** Byte past the last frame; `undefined` for old segments until somebody reads them. */
  end: number | undefined;
  /** Chain hash after its last frame; unknown like `end`. */
  endHash: Buffer | undefined;
  active: boolean;
  /** A trim record for it is on its way. */
  dropping: boolean;
  index: SegmentIndex | undefined;
}

/** What is known of a segment that was just made. */
export function newEntry(header: SegmentHeader): SegmentEntry {
  return {
    header,
    lastSeq: header.firstSeq - 1,
    end: SEGMENT_HEADER_BYTES,
    endHash: header.previousHash,
    active: true,
    dropping: false,
    index: new SegmentIndex(),
  };
}

/** The segments that are kept, oldest first. */
export class SegmentCatalogue {
  #entries: SegmentEntry[] = [];
  /** Bytes of all files, those that are only pinned included. */
  bytes = 0;
  readonly pins: SegmentPins = new SegmentPins();

  get all(): readonly SegmentEntry[] {
    return this.#entries;
  }

  add(entry: SegmentEntry): SegmentEntry {
    this.#entries.push(entry);
    this.bytes += entry.header.bytes;
    return entry;
  }

  remove(entry: SegmentEntry): void {
    const kept = this.#entries.filter((other) => other !== entry);
    if (kept.length < this.#entries.length) this.bytes -= entry.header.bytes;
    this.#entries = kept;
  }

  has(entry: SegmentEntry): boolean {
    return this.#entries.includes(entry);
  }

  byId(id: number): SegmentEntry | undefined {
    return this.#entries.find((entry) => entry.header.id === id);
  }

  /** The segment that holds record `seq`. */
  holding(seq: number): SegmentEntry | undefined {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#entries[middle]!.header.firstSeq <= seq) low = middle + 1;
      else high = middle;
    }
    // Segments without records share their first number with the next one.
    for (let i = low - 1; i >= 0; i--) {
      const entry = this.#entries[i]!;
      if (entry.lastSeq >= seq && entry.header.firstSeq <= seq) return entry;
      if (entry.lastSeq >= entry.header.firstSeq) return undefined;
    }
    return undefined;
  }

  /** Ids of what is kept, with one more, as a segment header names them. */
  liveRanges(next: number): IdRange[] {
    return idRanges([...this.#entries.map((entry) => entry.header.id), next]);
  }

  /** False when dropping this segment would leave more holes than a header can name. */
  mayDrop(entry: SegmentEntry): boolean {
    const ids = this.#entries.filter((kept) => kept !== entry && !kept.dropping).map((kept) => kept.header.id);
    return idRanges(ids).length < LIVE_RANGES_MAX;
  }

  infos(): SegmentInfo[] {
    return this.#entries
      .filter((entry) => !entry.dropping)
      .map(({ header, lastSeq, active }) => {
        return { id: header.id, firstSeq: header.firstSeq, lastSeq, bytes: header.bytes, active };
      });
  }
}
