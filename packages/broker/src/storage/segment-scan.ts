import type { DiskFile } from "../host/host.ts";
import type { JournalFrame } from "../model/journal.ts";
import { FileWindow } from "./file-window.ts";
import { extensionRange, type FrameHeader, readFrameHeader, readFrameTrailer } from "./frame-format.ts";
import { frameDamage, headerMismatch, openFrame } from "./frame-open.ts";
import { SECTOR } from "./sector-checksum.ts";
import { SEGMENT_HEADER_BYTES, type SegmentHeader } from "./segment-header.ts";
import type { SegmentKey } from "./segment-key.ts";

const WINDOW_BYTES = 1_024 * 1_024;

/** How far a scan has come. */
export interface ScanPosition {
  readonly offset: number;
  readonly counter: number;
  /** Last record before `offset`. */
  readonly seq: number;
  readonly hash: Buffer;
  /** The largest snapshot position that a frame named. */
  readonly snapshotSeq: number;
}

export interface ScannedFrame {
  readonly header: FrameHeader;
  readonly frame: JournalFrame;
  /** Valid during the visit. */
  readonly extension: Buffer;
}

export interface ScanOptions {
  readonly file: DiskFile;
  readonly header: SegmentHeader;
  /** Without one the text stays closed: header, sums and chain are checked, and frames come without their records. */
  readonly key: SegmentKey | undefined;
  /** Byte past the last frame, where it is known; else the scan goes on while there are frames. */
  readonly end: number | undefined;
  /** Checks sums and chain too; without, the cipher's tag alone speaks for the bytes. */
  readonly thorough: boolean;
  readonly visit: (scanned: ScannedFrame) => void;
  /** Read at a time, and worked through without a pause; less lets others have their turn. */
  readonly windowBytes?: number;
  /** Called after each frame with its bytes; what it returns is waited for, and its rejection is the scan's. */
  readonly pause?: (bytes: number) => Promise<void> | undefined;
}

export interface ScanResult extends ScanPosition {
  /** Why the scan stopped before `end`; `undefined` when it reached it, or the end of the file. */
  readonly problem: string | undefined;
}

/** Position in front of a segment's first frame. */
export function scanStart(header: SegmentHeader): ScanPosition {
  return {
    offset: SEGMENT_HEADER_BYTES,
    counter: 0,
    seq: header.firstSeq - 1,
    hash: header.previousHash,
    snapshotSeq: header.snapshotSeq,
  };
}

/** Visits the frames of a segment in order, each checked against the one before. Reads only. */
export async function scanSegment(options: ScanOptions): Promise<ScanResult> {
  const { file, header, end } = options;
  const window = new FileWindow(file, header.bytes, options.windowBytes ?? WINDOW_BYTES);
  let position = scanStart(header);
  for (;;) {
    if (position.offset === end || position.offset + SECTOR > header.bytes) return { ...position, problem: undefined };
    const next = await scanFrame(options, window, position);
    if (typeof next === "string") return { ...position, problem: next };
    if (end !== undefined && next.offset > end)
      return { ...position, problem: "the frame is longer than what was sealed" };
    const waiting = options.pause?.(next.offset - position.offset);
    if (waiting !== undefined) await waiting;
    position = next;
  }
}

async function scanFrame(
  options: ScanOptions,
  window: FileWindow,
  position: ScanPosition,
): Promise<ScanPosition | string> {
  const { header, key, thorough, visit } = options;
  const headerAt = await window.show(position.offset, SECTOR);
  if (headerAt < 0) return "the file ends within a frame";
  const first = readFrameHeader(window.current.bytes, headerAt);
  if (first === undefined) return "there is no valid frame header";
  const mismatch = headerMismatch(first, {
    segmentId: header.id,
    keyId: header.keyId,
    counter: position.counter,
    offset: position.offset,
    firstSeq: position.seq + 1,
    previousHash: position.hash,
  });
  if (mismatch !== undefined) return mismatch;
  const at = await window.show(position.offset, first.frameBytes);
  if (at < 0) return "the frame is longer than its segment";
  const { bytes } = window.current;
  // The view may have moved; the header's hash points into the old bytes.
  const frameHeader = readFrameHeader(bytes, at);
  if (frameHeader === undefined) return "there is no valid frame header";
  if (thorough) {
    const damage = frameDamage(window.current, at, frameHeader);
    if (damage !== undefined) return damage;
  }
  const frame = key === undefined ? closedFrame(frameHeader) : openFrame(bytes, at, frameHeader, key);
  if (frame === undefined) return "the frame does not open with its key";
  const trailer = readFrameTrailer(bytes, at + frameHeader.frameBytes);
  if (trailer === undefined) return "the frame's trailer is damaged";
  const { start, end } = extensionRange(frameHeader);
  visit({ header: frameHeader, frame, extension: bytes.subarray(at + start, at + end) });
  return {
    offset: position.offset + frameHeader.frameBytes,
    counter: position.counter + 1,
    seq: position.seq + frameHeader.count,
    hash: Buffer.from(trailer.hash),
    snapshotSeq: Math.max(position.snapshotSeq, frameHeader.snapshotSeq),
  };
}

const none = { bytes: Buffer.alloc(0), starts: new Uint32Array(0), ends: new Uint32Array(0), kinds: new Uint8Array(0) };

/** A frame whose key nobody has here. */
function closedFrame({ firstSeq }: FrameHeader): JournalFrame {
  return { firstSeq, count: 0, ...none };
}
