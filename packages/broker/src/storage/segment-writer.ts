import type { Host } from "../host/host.ts";
import type { JournalFrame } from "../model/journal.ts";
import { type ActiveSegment, makeSegment } from "./active-segment.ts";
import { encodeExtension, RECORD_ROOT_BYTES } from "./frame-extension.ts";
import { frameBytes } from "./frame-format.ts";
import type { FrameReader } from "./frame-reader.ts";
import { FrameSealer, type SealedFrame } from "./frame-seal.ts";
import { sectionSizes } from "./frame-sections.ts";
import type { JournalTree } from "./journal-tree.ts";
import type { Keyring } from "./keyring.ts";
import { recordRoot } from "./record-tree.ts";
import type { Retention } from "./retention.ts";
import { newEntry, type SegmentCatalogue, type SegmentEntry } from "./segment-catalogue.ts";
import { SEGMENT_HEADER_BYTES } from "./segment-header.ts";
import type { SegmentPool } from "./segment-pool.ts";
import { takeSegmentFile } from "./segment-space.ts";

export interface WriterParts {
  readonly host: Host;
  readonly directory: string;
  readonly keyring: Keyring;
  readonly limits: { readonly segmentBytes: number; readonly diskBytesMax: number };
  readonly catalogue: SegmentCatalogue;
  readonly pool: SegmentPool;
  readonly active: ActiveSegment;
  readonly tree: JournalTree;
  readonly reader: FrameReader;
  readonly retention: Retention;
  /** Last segment with a frame, and where its frames end. */
  readonly lastFilledId: number;
  readonly lastFilledEnd: number;
}

/** The segment that frames go to, and the next one when it is full: places, seals and accounts for one frame at a time. */
export class SegmentWriter {
  readonly #parts: WriterParts;
  readonly #sealer: FrameSealer = new FrameSealer();
  #active: ActiveSegment;
  #entry: SegmentEntry;
  #filledId: number;
  #filledEnd: number;
  #extension: Buffer = Buffer.alloc(0);
  #recordRoot: Buffer | undefined;
  /** The next frame goes into a new segment, whatever room this one has. */
  #newSegmentWanted = false;

  constructor(parts: WriterParts) {
    this.#parts = parts;
    this.#active = parts.active;
    this.#entry = parts.catalogue.add(newEntry(parts.active.header));
    this.#filledId = parts.lastFilledId;
    this.#filledEnd = parts.lastFilledEnd;
  }

  get active(): ActiveSegment {
    return this.#active;
  }

  /** What comes now goes into a new segment, under the data key that is current then; if there is room for one. */
  changeSegment(): void {
    this.#newSegmentWanted = true;
  }

  /** Data key of the segment, and frames it has sealed in all. */
  get dataKey(): { readonly id: number; readonly frames: number } {
    return { id: this.#active.keyId, frames: this.#active.keyFrames };
  }

  /** What has to be on disk before the frame: keys that seal a part of it, and a segment with room; nothing, mostly. */
  prepare(frame: JournalFrame): Promise<void> | undefined {
    const { domains } = this.#parts.keyring;
    domains.ensure((frame.confined ?? []).map(({ domain }) => domain));
    const length = this.#extend(frame);
    const mustRoll = length > this.#active.room || this.#newSegmentWanted;
    return mustRoll || domains.needsFlush ? this.#makeReady(frame, mustRoll, length) : undefined;
  }

  /** The frame as it goes to `active.file` at `active.offset`. Valid until the next one. */
  seal(frame: JournalFrame): SealedFrame {
    const active = this.#active;
    // Only now it is settled which segment's key makes the salts.
    this.#recordRoot = frame.isProved === true ? recordRoot(frame, active) : undefined;
    const root = this.#recordRoot;
    const extension = root === undefined ? [] : [encodeExtension({ recordRoot: root })];
    return this.#sealer.seal(frame, active, Buffer.concat([this.#extension, ...extension]));
  }

  /** The frame is durable. */
  committed(frame: JournalFrame, sealed: SealedFrame): void {
    const active = this.#active;
    const entry = this.#entry;
    entry.index?.add(frame.firstSeq, active.offset, sealed.bytes.length);
    active.advance(sealed);
    this.#parts.tree.committed(sealed.hash, this.#recordRoot);
    entry.lastSeq = frame.firstSeq + frame.count - 1;
    entry.end = active.offset;
    entry.endHash = sealed.hash;
    this.#filledId = active.segmentId;
    this.#filledEnd = active.offset;
  }

  /** Settles what the frame says of the tree, which is more in the first of a segment; its bytes on disk. */
  #extend(frame: JournalFrame): number {
    const { tree } = this.#parts;
    const { counter, room } = this.#active;
    const sizes = sectionSizes(frame);
    const rootBytes = frame.isProved === true ? RECORD_ROOT_BYTES : 0;
    const length = frameBytes({ ...sizes, extensionBytes: tree.extension(false).length + rootBytes });
    this.#extension = tree.extension(counter === 0 || length > room || this.#newSegmentWanted);
    return frameBytes({ ...sizes, extensionBytes: this.#extension.length + rootBytes });
  }

  async #makeReady(frame: JournalFrame, mustRoll: boolean, length: number): Promise<void> {
    const { domains } = this.#parts.keyring;
    if (domains.needsFlush) await domains.flush();
    if (!mustRoll) return;
    this.#newSegmentWanted = false;
    await this.#roll(frame.firstSeq, length);
  }

  /** Goes on in a new segment that has room for a frame of so many bytes. */
  async #roll(firstSeq: number, length: number): Promise<void> {
    const { catalogue, reader, retention, tree, pool } = this.#parts;
    const old = this.#active;
    const zeroed = await takeSegmentFile(this.#parts, SEGMENT_HEADER_BYTES + length).catch((error: unknown) => {
      // Another data key was wanted, and there is no room for it now: no reason to stop.
      if (length <= old.room) return undefined;
      throw error;
    });
    if (zeroed === undefined) {
      this.#extension = tree.extension(old.counter === 0);
      return;
    }
    const next = await makeSegment(this.#parts, zeroed, {
      id: old.segmentId + 1,
      firstSeq,
      snapshotSeq: old.snapshotSeq,
      previousHash: old.previousHash,
      previousId: this.#filledId,
      previousEnd: this.#filledEnd,
      previousKey: this.dataKey,
      live: catalogue.liveRanges(old.segmentId + 1),
    });
    // A snapshot may have been taken while the segment was made.
    next.snapshotSeq = old.snapshotSeq;
    this.#entry.active = false;
    reader.keepIndex(this.#entry);
    if (this.#entry.lastSeq < this.#entry.header.firstSeq) retention.later(this.#entry);
    this.#active = next;
    tree.rolled(old.segmentId);
    this.#entry = catalogue.add(newEntry(next.header));
    await old.file.close();
    pool.prepare();
  }
}
