import { crc32 } from "node:zlib";
import { readU64, writeU64 } from "./little-endian.ts";

/** Bytes in front of a segment's first frame. */
export const SEGMENT_HEADER_BYTES = 4_096;
export const FORMAT_VERSION = 2;
/** The one before stays readable: it has no erasure domains and no extension. */
export const OLDEST_VERSION = 1;
/** Runs of segment ids a header can name; holes in the middle of a journal are bounded by it. */
export const LIVE_RANGES_MAX = 480;

const MAGIC = Buffer.from("MESSSEG\n", "latin1");
const RANGES_AT = 152;
const CRC_AT = SEGMENT_HEADER_BYTES - 4;

/** Segment ids `first ... last`, both included. */
export interface IdRange {
  readonly first: number;
  readonly last: number;
}

/** The header of a segment file; docs/journal-format.md has the layout. */
export interface SegmentHeader {
  /** 16 random bytes shared by all files of one journal. */
  readonly journalId: Buffer;
  readonly id: number;
  readonly keyId: number;
  /** Size of the whole file, header included. */
  readonly bytes: number;
  /** Sequence number that the segment's first record has. */
  readonly firstSeq: number;
  readonly snapshotSeq: number;
  readonly salt: Buffer;
  /** Chain hash after the last frame before this segment; zeros in the first. */
  readonly previousHash: Buffer;
  /** Last segment before this one that holds a frame, and where its frames end; 0 and 0 when there is none. */
  readonly previousId: number;
  readonly previousEnd: number;
  /** Frames that its data key had sealed in the segments before; 0 in segments from before they were counted. */
  readonly keyFrames: number;
  /** Segments that were kept when this one was made, itself included. */
  readonly live: readonly IdRange[];
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  MAGIC.copy(bytes, 0);
  bytes.writeUInt16LE(FORMAT_VERSION, 8);
  bytes.writeUInt32LE(SEGMENT_HEADER_BYTES, 12);
  header.journalId.copy(bytes, 16);
  bytes.writeUInt32LE(header.id, 32);
  bytes.writeUInt32LE(header.keyId, 36);
  writeU64(bytes, header.bytes, 40);
  writeU64(bytes, header.firstSeq, 48);
  writeU64(bytes, header.snapshotSeq, 56);
  header.salt.copy(bytes, 64);
  header.previousHash.copy(bytes, 96);
  bytes.writeUInt32LE(header.previousId, 128);
  bytes.writeUInt32LE(header.keyFrames, 132);
  writeU64(bytes, header.previousEnd, 136);
  bytes.writeUInt32LE(header.live.length, 144);
  header.live.forEach((range, i) => {
    bytes.writeUInt32LE(range.first, RANGES_AT + 8 * i);
    bytes.writeUInt32LE(range.last, RANGES_AT + 8 * i + 4);
  });
  bytes.writeUInt32LE(crc32(bytes.subarray(0, CRC_AT)), CRC_AT);
  return bytes;
}

export type DecodedSegmentHeader =
  | { readonly ok: true; readonly header: SegmentHeader }
  /** `newer`: whole, but of a version this program does not know. */
  | { readonly ok: false; readonly problem: string; readonly newer: boolean };

const damaged = (problem: string): DecodedSegmentHeader => ({ ok: false, problem, newer: false });

export function decodeSegmentHeader(bytes: Buffer): DecodedSegmentHeader {
  if (bytes.length < SEGMENT_HEADER_BYTES) return damaged("the file is shorter than its header");
  if (bytes.compare(MAGIC, 0, 8, 0, 8) !== 0) return damaged("the header does not begin with the segment mark");
  if (bytes.readUInt32LE(CRC_AT) !== crc32(bytes.subarray(0, CRC_AT))) {
    return damaged("the checksum of the header is wrong");
  }
  const version = bytes.readUInt16LE(8);
  if (version < OLDEST_VERSION || version > FORMAT_VERSION)
    return { ok: false, problem: `format version ${version} is not known`, newer: true };
  const count = bytes.readUInt32LE(144);
  if (count < 1 || count > LIVE_RANGES_MAX) return damaged("the header's list of segments is impossible");
  const live: IdRange[] = [];
  for (let at = RANGES_AT; at < RANGES_AT + 8 * count; at += 8) {
    live.push({ first: bytes.readUInt32LE(at), last: bytes.readUInt32LE(at + 4) });
  }
  return {
    ok: true,
    header: {
      journalId: Buffer.from(bytes.subarray(16, 32)),
      id: bytes.readUInt32LE(32),
      keyId: bytes.readUInt32LE(36),
      bytes: readU64(bytes, 40),
      firstSeq: readU64(bytes, 48),
      snapshotSeq: readU64(bytes, 56),
      salt: Buffer.from(bytes.subarray(64, 96)),
      previousHash: Buffer.from(bytes.subarray(96, 128)),
      previousId: bytes.readUInt32LE(128),
      keyFrames: bytes.readUInt32LE(132),
      previousEnd: readU64(bytes, 136),
      live,
    },
  };
}

/** Ascending ids as runs. */
export function idRanges(ids: readonly number[]): IdRange[] {
  const ranges: { first: number; last: number }[] = [];
  for (const id of ids) {
    const open = ranges.at(-1);
    if (open !== undefined && open.last + 1 === id) open.last = id;
    else ranges.push({ first: id, last: id });
  }
  return ranges;
}
