import type { DiskFile, Host } from "../host/host.ts";
import { readAt, step } from "./disk-io.ts";
import { segmentName } from "./file-names.ts";
import { decodeExtension, type TreeState } from "./frame-extension.ts";
import {
  extensionRange,
  FRAME_HEADER_BYTES,
  type FrameHeader,
  readFrameHeader,
  readFrameTrailer,
} from "./frame-format.ts";
import { leafDataOf } from "./journal-tree.ts";
import { LeafNodes } from "./leaf-nodes.ts";
import { leafHash } from "./merkle.ts";
import { SECTOR } from "./sector-checksum.ts";
import { SEGMENT_HEADER_BYTES, type SegmentHeader } from "./segment-header.ts";
import { StorageError } from "./storage-error.ts";

export interface LeavesOptions {
  readonly host: Host;
  readonly directory: string;
}

/** Read at a time while only headers are looked at. */
const WINDOW_BYTES = 256 * 1_024;

/** The tree before a segment, from its first frame; `undefined` when there is no frame, or one that does not say it. */
export function readTreeState(options: LeavesOptions, header: SegmentHeader): Promise<TreeState | undefined> {
  return withSegment(options, header, async (file) => {
    const head = Buffer.alloc(SECTOR);
    await readAt(file, head, SEGMENT_HEADER_BYTES);
    const frame = readFrameHeader(head, 0);
    if (frame === undefined || frame.segmentId !== header.id) return undefined;
    const { start, end } = extensionRange(frame);
    const bytes = Buffer.alloc(end - start);
    await readAt(file, bytes, SEGMENT_HEADER_BYTES + start);
    return decodeExtension(bytes).state;
  });
}

/**
 * The leaves of a segment from its frames' headers alone: each names the chain hash before it, and `endHash` is the one
 * after the last. They are not verified: whoever uses them compares the root they lead to.
 */
export function readLeaves(
  options: LeavesOptions,
  segment: { readonly header: SegmentHeader; readonly end: number; readonly endHash: Buffer; readonly from: number },
): Promise<LeafNodes> {
  const { header, end, endHash, from } = segment;
  return withSegment(options, header, async (file) => {
    const nodes = new LeafNodes(from);
    const window = Buffer.allocUnsafeSlow(Math.min(WINDOW_BYTES, header.bytes));
    let start = 0;
    let length = 0;
    let recordRoot: Buffer | undefined;
    for (let at = SEGMENT_HEADER_BYTES; at < end; ) {
      if (at + FRAME_HEADER_BYTES > start + length) {
        start = at;
        length = await readAt(file, window.subarray(0, Math.min(window.length, header.bytes - at)), at);
      }
      const frame = readFrameHeader(window, at - start);
      if (frame === undefined || frame.segmentId !== header.id || frame.offset !== at) {
        throw damage(header, at, "there is no valid frame header");
      }
      // Every frame but the first ends the one before.
      if (frame.counter > 0) nodes.append(leafHash(leafDataOf(frame.previousHash, recordRoot)));
      recordRoot = await readRecordRoot(file, frame);
      at += frame.frameBytes;
    }
    if (end > SEGMENT_HEADER_BYTES) nodes.append(leafHash(leafDataOf(endHash, recordRoot)));
    return nodes;
  });
}

/** Where a frame is and what its leaf stands for. */
export interface FramePlace {
  readonly firstSeq: number;
  readonly count: number;
  /** Place in its segment, from 0. */
  readonly counter: number;
  /** What its leaf is the hash of. */
  readonly leafData: Buffer;
  /** Root over its records, if it has one. */
  readonly recordRoot: Buffer | undefined;
}

/** Finds the frame that holds a record, walking from the frame at byte `from` on; `undefined` when there is none. */
export function locateFrame(
  options: LeavesOptions,
  header: SegmentHeader,
  seq: number,
  from: number = SEGMENT_HEADER_BYTES,
): Promise<FramePlace | undefined> {
  return withSegment(options, header, async (file) => {
    const head = Buffer.alloc(SECTOR);
    for (let at = from; at < header.bytes; ) {
      await readAt(file, head, at);
      const frame = readFrameHeader(head, 0);
      if (frame === undefined || frame.segmentId !== header.id || frame.offset !== at) return undefined;
      const { firstSeq, count, counter, frameBytes } = frame;
      if (seq >= firstSeq && seq < firstSeq + count) {
        await readAt(file, head, at + frameBytes - SECTOR);
        const trailer = readFrameTrailer(head, SECTOR);
        if (trailer === undefined) throw damage(header, at, "the frame's trailer is damaged");
        const recordRoot = await readRecordRoot(file, frame);
        return { firstSeq, count, counter, recordRoot, leafData: leafDataOf(Buffer.from(trailer.hash), recordRoot) };
      }
      at += frameBytes;
    }
    return undefined;
  });
}

async function readRecordRoot(file: DiskFile, frame: FrameHeader): Promise<Buffer | undefined> {
  if (frame.extensionBytes === 0) return undefined;
  const bytes = Buffer.alloc(frame.extensionBytes);
  await readAt(file, bytes, frame.offset + extensionRange(frame).start);
  return decodeExtension(bytes).recordRoot;
}

function withSegment<T>(
  { host, directory }: LeavesOptions,
  header: SegmentHeader,
  use: (file: DiskFile) => Promise<T>,
): Promise<T> {
  const path = `${directory}/${segmentName(header.id)}`;
  return step("reading", path, async () => {
    const file = await host.disk.open(path, "read");
    try {
      return await use(file);
    } finally {
      await file.close();
    }
  });
}

function damage({ id }: SegmentHeader, offset: number, problem: string): StorageError {
  const message = `Segment ${id} is damaged at byte ${offset}: ${problem}. Run \`mess verify\`, and restore it from a backup.`;
  return new StorageError("damaged", message, { segment: id, offset });
}
