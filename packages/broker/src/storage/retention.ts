import { segmentName } from "./file-names.ts";
import type { FrameCache } from "./frame-cache.ts";
import type { FrameReader } from "./frame-reader.ts";
import type { JournalTree } from "./journal-tree.ts";
import type { OpenFrame } from "./open-frame.ts";
import type { SegmentCatalogue, SegmentEntry } from "./segment-catalogue.ts";
import type { SegmentPool } from "./segment-pool.ts";
import { TRIM_BYTES, TRIM_KIND, writeTrim } from "./trim-record.ts";

export interface RetentionParts {
  readonly directory: string;
  readonly catalogue: SegmentCatalogue;
  readonly pool: SegmentPool;
  readonly reader: FrameReader;
  readonly cache: FrameCache;
  readonly tree: JournalTree;
  /** Makes sure that the tree knows the leaves of a segment. */
  readonly learnLeaves: (entry: SegmentEntry) => Promise<unknown>;
  readonly failed: (error: unknown) => void;
}

const isEmpty = (entry: SegmentEntry): boolean => entry.lastSeq < entry.header.firstSeq;

/**
 * Drops whole segments. A segment goes through: kept -> dropping (its trim record waits for a frame) -> trimming (the
 * frame is in flight) -> gone (the frame is durable; only now the file may be used for something else).
 */
export class Retention {
  readonly #parts: RetentionParts;
  #waiting: SegmentEntry[] = [];
  #trimming: SegmentEntry[] = [];
  #removing: Promise<void> = Promise.resolve();

  constructor(parts: RetentionParts) {
    this.#parts = parts;
  }

  /** Settles when the files of all durable trims are dealt with. A backup under way fails. */
  finish(): Promise<void> {
    this.#parts.catalogue.pins.end();
    return this.#removing;
  }

  /** Its trim record goes with the next frame. */
  later(entry: SegmentEntry): void {
    entry.dropping = true;
    this.#waiting.push(entry);
  }

  /** Drops a segment; `ready` when its trim record can be written. Throws when its records are still needed. */
  drop(id: number, snapshotSeq: number, ready: () => void): void {
    const { catalogue, reader, tree, learnLeaves, failed } = this.#parts;
    const entry = catalogue.byId(id);
    if (entry === undefined || entry.dropping) return;
    if (entry.active) throw new RangeError(`segment ${id} is being written and cannot be dropped`);
    if (!isEmpty(entry) && entry.lastSeq >= snapshotSeq) {
      throw new RangeError(`segment ${id} holds records that no snapshot covers (the newest is at ${snapshotSeq})`);
    }
    if (!catalogue.mayDrop(entry)) return;
    entry.dropping = true;
    const trim = (): void => {
      this.later(entry);
      ready();
    };
    // The trim record names the chain hash at the segment's end, and the tree keeps its leaves; what nobody knows any more
    // is read.
    const known = entry.endHash !== undefined ? Promise.resolve() : reader.indexOf(entry);
    if (entry.endHash !== undefined && tree.spans.has(id)) trim();
    else known.then(() => learnLeaves(entry)).then(trim, failed);
  }

  /** Segments of earlier starts that never got a frame. */
  dropEmpty(): void {
    for (const entry of this.#parts.catalogue.all) {
      if (!entry.active && !entry.dropping && isEmpty(entry)) this.later(entry);
    }
  }

  /** Adds the waiting trims to the frame that is about to be sealed. */
  append(open: OpenFrame): void {
    // Trims of empty segments are no reason for a frame of their own.
    if (open.count === 0 && this.#waiting.every(isEmpty)) return;
    const { catalogue, tree } = this.#parts;
    for (const entry of this.#waiting) {
      const at = open.reserve(TRIM_KIND, TRIM_BYTES);
      writeTrim(open.bytes, at, {
        segmentId: entry.header.id,
        firstSeq: entry.header.firstSeq,
        lastSeq: entry.lastSeq,
        startHash: entry.header.previousHash,
        endHash: entry.endHash ?? entry.header.previousHash,
      });
      const isMiddle = catalogue.all.some(
        (other) => other.header.id < entry.header.id && !other.dropping && !isEmpty(other),
      );
      tree.drop(entry.header.id, isMiddle);
    }
    this.#trimming = this.#waiting;
    this.#waiting = [];
  }

  /** The frame with the trims is durable: the files may go. */
  committed(): void {
    const trimmed = this.#trimming;
    if (trimmed.length === 0) return;
    const { catalogue, cache, failed } = this.#parts;
    const { pins } = catalogue;
    this.#trimming = [];
    for (const entry of trimmed) {
      catalogue.remove(entry);
      cache.forget(entry.header.firstSeq, entry.lastSeq);
      // Its file takes room until the backup has read it.
      if (pins.isPinned(entry.header.id)) catalogue.bytes += entry.header.bytes;
    }
    const held = trimmed.filter((entry) => pins.isPinned(entry.header.id));
    this.#removing = this.#removing.then(async () => {
      for (const entry of trimmed) await this.#remove(entry, held.includes(entry));
    });
    this.#removing.catch(failed);
  }

  async #remove(entry: SegmentEntry, held: boolean): Promise<void> {
    const { catalogue, directory, pool, reader } = this.#parts;
    const { id, bytes } = entry.header;
    await catalogue.pins.released(id);
    if (held) catalogue.bytes -= bytes;
    await reader.forget(entry);
    await pool.recycle(`${directory}/${segmentName(id)}`, bytes);
  }
}
