import { readU64, writeU64 } from "./little-endian.ts";
import { OWN_KIND_MIN } from "./record-area.ts";

/** Kind of the record that says a segment was dropped. */
export const TRIM_KIND: number = OWN_KIND_MIN;
export const TRIM_BYTES = 88;
const VERSION = 1;

/** What remains of a dropped segment: its place in the sequence and in the chain. */
export interface Trim {
  readonly segmentId: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** Chain hash before its first frame and after its last one. */
  readonly startHash: Buffer;
  readonly endHash: Buffer;
}

export function writeTrim(into: Buffer, at: number, trim: Trim): void {
  into.writeUInt32LE(VERSION, at);
  into.writeUInt32LE(trim.segmentId, at + 4);
  writeU64(into, trim.firstSeq, at + 8);
  writeU64(into, trim.lastSeq, at + 16);
  trim.startHash.copy(into, at + 24);
  trim.endHash.copy(into, at + 56);
}

/** `undefined` when the body is not one that `writeTrim` made. */
export function readTrim(bytes: Buffer, start: number, end: number): Trim | undefined {
  if (end - start !== TRIM_BYTES || bytes.readUInt32LE(start) !== VERSION) return undefined;
  return {
    segmentId: bytes.readUInt32LE(start + 4),
    firstSeq: readU64(bytes, start + 8),
    lastSeq: readU64(bytes, start + 16),
    startHash: Buffer.from(bytes.subarray(start + 24, start + 56)),
    endHash: Buffer.from(bytes.subarray(start + 56, end)),
  };
}
