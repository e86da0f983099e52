import { isSpan, type Span } from "./leaf-span.ts";
import { readU64, writeU64 } from "./little-endian.ts";
import { blocksOf, HASH_BYTES } from "./merkle.ts";

const ITEM_HEAD_BYTES = 8;
const SPAN_HEAD_BYTES = 16;
/** Holes in the middle of a journal that are remembered; behind more, proofs of the oldest leaves are not to be had. */
export const DROPPED_SPANS_MAX = 64;

const STATE_TAG = 1;
const DROPPED_TAG = 2;
const RECORDS_TAG = 3;
/** Bytes that a root over records takes in an extension. */
export const RECORD_ROOT_BYTES: number = ITEM_HEAD_BYTES + HASH_BYTES;

/** The tree as it was before the segment whose first frame says so. */
export interface TreeState {
  /** All leaves, from 0. */
  readonly whole: Span;
  /** The leaves of the last segment before this one that holds a frame. */
  readonly previous: Span;
  /** Leaves of dropped segments that lie after a kept one. */
  readonly dropped: readonly Span[];
}

/** What a frame says of itself in clear, and what its chain hash covers: hashes alone. */
export interface FrameExtension {
  /** In the first frame of a segment: so the tree outlives the segments before it. */
  readonly state?: TreeState;
  /** Leaves of segments whose trim records are in this frame, and that an older one outlives. */
  readonly dropped?: readonly Span[];
  /** Root of the tree over the frame's records. */
  readonly recordRoot?: Buffer;
}

/** Items of tag (1), zeros (3), length (4), value. */
export function encodeExtension({ state, dropped = [], recordRoot }: FrameExtension): Buffer {
  const items: Buffer[] = [];
  if (state !== undefined) items.push(...item(STATE_TAG, spans([state.whole, state.previous, ...state.dropped])));
  for (const span of dropped) items.push(...item(DROPPED_TAG, spans([span])));
  if (recordRoot !== undefined) items.push(...item(RECORDS_TAG, recordRoot));
  return Buffer.concat(items);
}

const spans = (list: readonly Span[]): Buffer => Buffer.concat(list.flatMap(encodeSpan));

function item(tag: number, value: Buffer): Buffer[] {
  const head = Buffer.alloc(ITEM_HEAD_BYTES);
  head.writeUInt8(tag, 0);
  head.writeUInt32LE(value.length, 4);
  return [head, value];
}

function encodeSpan({ from, to, hashes }: Span): Buffer[] {
  const head = Buffer.alloc(SPAN_HEAD_BYTES);
  writeU64(head, from, 0);
  writeU64(head, to, 8);
  return [head, hashes];
}

/** Nothing throws: an item that is not as it should be, or unknown, is passed over. */
export function decodeExtension(bytes: Buffer): FrameExtension {
  let state: TreeState | undefined;
  let recordRoot: Buffer | undefined;
  const dropped: Span[] = [];
  for (let at = 0; at + ITEM_HEAD_BYTES <= bytes.length; ) {
    const start = at + ITEM_HEAD_BYTES;
    const end = start + bytes.readUInt32LE(at + 4);
    if (end > bytes.length) break;
    const value = bytes.subarray(start, end);
    if (bytes[at] === STATE_TAG) state = readState(value);
    else if (bytes[at] === DROPPED_TAG) dropped.push(...(readSpans(value) ?? []));
    else if (bytes[at] === RECORDS_TAG && value.length === HASH_BYTES) recordRoot = Buffer.from(value);
    at = end;
  }
  const root = recordRoot !== undefined && { recordRoot };
  return { ...root, ...(state !== undefined && { state }), ...(dropped.length > 0 && { dropped }) };
}

function readState(value: Buffer): TreeState | undefined {
  const [whole, previous, ...dropped] = readSpans(value) ?? [];
  if (whole === undefined || previous === undefined || whole.from !== 0) return undefined;
  return { whole, previous, dropped };
}

function readSpans(value: Buffer): Span[] | undefined {
  const spans: Span[] = [];
  for (let at = 0; at < value.length; ) {
    if (at + SPAN_HEAD_BYTES > value.length || spans.length === 2 + DROPPED_SPANS_MAX) return undefined;
    const from = readU64(value, at);
    const to = readU64(value, at + 8);
    if (!Number.isSafeInteger(to) || from > to) return undefined;
    at += SPAN_HEAD_BYTES;
    const end = at + blocksOf({ from, to }).length * HASH_BYTES;
    const span: Span = { from, to, hashes: Buffer.from(value.subarray(at, end)) };
    if (!isSpan(span)) return undefined;
    spans.push(span);
    at = end;
  }
  return spans;
}
