import { crc32 } from "node:zlib";
import { isZero, readU64, writeU64 } from "./little-endian.ts";
import { SECTOR } from "./sector-checksum.ts";
import { FORMAT_VERSION, OLDEST_VERSION } from "./segment-header.ts";

export const FRAME_HEADER_BYTES = 128;
/** Entry of the section table: 16 bytes about the section, 16 bytes of cipher tag. */
export const SECTION_BYTES = 32;
/** What the cipher authenticates besides a section's text: the header, and the section's entry without its tag. */
export const SECTION_TAG_AT = 16;
const TRAILER_BYTES = 64;
/** Largest frame; far above what the soft limit lets gather. */
export const FRAME_BYTES_MAX: number = 2 ** 30;
/** Largest extension; what the tree needs of itself is a few kilobytes. */
const EXTENSION_BYTES_MAX: number = 2 ** 20;

const HEADER_MAGIC = 0x4d52_464d; // "MFRM"
const TRAILER_MAGIC = 0x444e_454d; // "MEND"
/**
 * The last four bytes of a frame. Each has several bits set, so that one flipped bit never makes a zero byte: a
 * frame whose last byte is zero was not written to its end.
 */
const END_MARK = 0xa55a_c33c;
const HEADER_CRC_AT = FRAME_HEADER_BYTES - 4;
const TRAILER_CRC_AT = TRAILER_BYTES - 8;

/** In clear in front of each frame; docs/journal-format.md has the layout. */
export interface FrameHeader {
  /** Whole frame on disk, bytes; a multiple of 512. */
  readonly frameBytes: number;
  /** Ciphertext of all sections. */
  readonly cipherBytes: number;
  readonly segmentId: number;
  /** Place of the frame in its segment, from 0; the nonce of its cipher sections. */
  readonly counter: number;
  readonly firstSeq: number;
  readonly count: number;
  readonly sections: number;
  readonly keyId: number;
  /** Between sections and ciphertext: what the frame says of itself in clear. */
  readonly extensionBytes: number;
  /** Plaintext record area. */
  readonly recordBytes: number;
  readonly snapshotSeq: number;
  /** Where in the segment file the frame begins: a frame that a disk put elsewhere is not valid there. */
  readonly offset: number;
  readonly previousHash: Buffer;
}

export function writeFrameHeader(into: Buffer, header: FrameHeader): void {
  into.fill(0, 0, FRAME_HEADER_BYTES);
  into.writeUInt32LE(HEADER_MAGIC, 0);
  into.writeUInt16LE(FORMAT_VERSION, 4);
  into.writeUInt16LE(FRAME_HEADER_BYTES, 6);
  into.writeUInt32LE(header.frameBytes, 8);
  into.writeUInt32LE(header.cipherBytes, 12);
  into.writeUInt32LE(header.segmentId, 16);
  into.writeUInt32LE(header.counter, 20);
  writeU64(into, header.firstSeq, 24);
  into.writeUInt32LE(header.count, 32);
  into.writeUInt16LE(header.sections, 36);
  into.writeUInt32LE(header.keyId, 40);
  into.writeUInt32LE(header.recordBytes, 44);
  writeU64(into, header.snapshotSeq, 48);
  writeU64(into, header.offset, 56);
  header.previousHash.copy(into, 64);
  into.writeUInt32LE(header.extensionBytes, 96);
  into.writeUInt32LE(crc32(into.subarray(0, HEADER_CRC_AT)), HEADER_CRC_AT);
}

/** The header at `at`, or `undefined` when these bytes are no whole header of this version. */
export function readFrameHeader(bytes: Buffer, at: number): FrameHeader | undefined {
  if (at + FRAME_HEADER_BYTES > bytes.length || bytes.readUInt32LE(at) !== HEADER_MAGIC) return undefined;
  const crc = crc32(bytes.subarray(at, at + HEADER_CRC_AT));
  if (bytes.readUInt32LE(at + HEADER_CRC_AT) !== crc) return undefined;
  const version = bytes.readUInt16LE(at + 4);
  if (version < OLDEST_VERSION || version > FORMAT_VERSION) return undefined;
  if (bytes.readUInt16LE(at + 6) !== FRAME_HEADER_BYTES) return undefined;
  const header: FrameHeader = {
    frameBytes: bytes.readUInt32LE(at + 8),
    cipherBytes: bytes.readUInt32LE(at + 12),
    segmentId: bytes.readUInt32LE(at + 16),
    counter: bytes.readUInt32LE(at + 20),
    firstSeq: readU64(bytes, at + 24),
    count: bytes.readUInt32LE(at + 32),
    sections: bytes.readUInt16LE(at + 36),
    keyId: bytes.readUInt32LE(at + 40),
    recordBytes: bytes.readUInt32LE(at + 44),
    snapshotSeq: readU64(bytes, at + 48),
    offset: readU64(bytes, at + 56),
    previousHash: bytes.subarray(at + 64, at + 96),
    extensionBytes: bytes.readUInt32LE(at + 96),
  };
  if (bytes.readUInt16LE(at + 38) !== 0 || !isZero(bytes, at + 100, at + HEADER_CRC_AT)) return undefined;
  if (header.sections < 1 || header.count < 1 || header.extensionBytes > EXTENSION_BYTES_MAX) return undefined;
  if (header.sections === 1 && header.cipherBytes !== header.recordBytes) return undefined;
  return frameBytes(header) === header.frameBytes ? header : undefined;
}

/** What the size of a frame depends on. */
export interface FrameParts {
  readonly cipherBytes: number;
  readonly extensionBytes: number;
  readonly sections: number;
}

/** Bytes on disk of a frame: all parts, one table entry for each sector, rounded up to sectors. */
export function frameBytes({ cipherBytes, extensionBytes, sections }: FrameParts): number {
  const parts = FRAME_HEADER_BYTES + SECTION_BYTES * sections + extensionBytes + cipherBytes + TRAILER_BYTES;
  return Math.ceil(parts / (SECTOR - 4)) * SECTOR;
}

/** Where the extension of a frame begins and ends, counted from the frame's first byte; the ciphertext follows it. */
export function extensionRange(header: FrameHeader): { readonly start: number; readonly end: number } {
  const start = FRAME_HEADER_BYTES + SECTION_BYTES * header.sections;
  return { start, end: start + header.extensionBytes };
}

/** What the cipher authenticates besides the text of the section whose entry begins at `section`. */
export function associatedData(bytes: Buffer, at: number, section: number, extension: Buffer): Buffer {
  const header = bytes.subarray(at, at + FRAME_HEADER_BYTES);
  const entry = bytes.subarray(section, section + SECTION_TAG_AT);
  if (extension.length === 0 && section === at + FRAME_HEADER_BYTES)
    return bytes.subarray(at, section + SECTION_TAG_AT);
  return Buffer.concat([header, entry, extension]);
}

/** Where the sector table of a frame begins. */
export function tableStart(bytes: number): number {
  return bytes - TRAILER_BYTES - 4 * (bytes / SECTOR);
}

/** The commit: it is the last thing in a frame's last sector. */
export interface FrameTrailer {
  readonly frameBytes: number;
  readonly firstSeq: number;
  readonly count: number;
  readonly tableCrc: number;
  readonly hash: Buffer;
}

/** `frame` is the whole frame; its sector table must be there already. */
export function writeFrameTrailer(frame: Buffer, trailer: Omit<FrameTrailer, "frameBytes" | "tableCrc">): void {
  const at = frame.length - TRAILER_BYTES;
  frame.writeUInt32LE(TRAILER_MAGIC, at);
  frame.writeUInt32LE(frame.length, at + 4);
  writeU64(frame, trailer.firstSeq, at + 8);
  frame.writeUInt32LE(trailer.count, at + 16);
  frame.writeUInt32LE(crc32(frame.subarray(tableStart(frame.length), at)), at + 20);
  trailer.hash.copy(frame, at + 24);
  frame.writeUInt32LE(crc32(frame.subarray(at, at + TRAILER_CRC_AT)), at + TRAILER_CRC_AT);
  frame.writeUInt32LE(END_MARK, at + TRAILER_BYTES - 4);
}

/** The trailer that ends at `end`, or `undefined` when these bytes are none. */
export function readFrameTrailer(bytes: Buffer, end: number): FrameTrailer | undefined {
  const at = end - TRAILER_BYTES;
  if (at < 0 || end > bytes.length || bytes.readUInt32LE(end - 4) !== END_MARK) return undefined;
  if (bytes.readUInt32LE(at) !== TRAILER_MAGIC) return undefined;
  if (bytes.readUInt32LE(at + TRAILER_CRC_AT) !== crc32(bytes.subarray(at, at + TRAILER_CRC_AT))) return undefined;
  return {
    frameBytes: bytes.readUInt32LE(at + 4),
    firstSeq: readU64(bytes, at + 8),
    count: bytes.readUInt32LE(at + 16),
    tableCrc: bytes.readUInt32LE(at + 20),
    hash: bytes.subarray(at + 24, at + 56),
  };
}

/** CRC of a frame's sector table. */
export function tableCrc(bytes: Buffer, at: number, length: number): number {
  return crc32(bytes.subarray(at + tableStart(length), at + length - TRAILER_BYTES));
}

/** Writes the 12-byte nonce: which section, then the frame's counter. */
export function writeNonce(into: Buffer, section: number, counter: number): void {
  into.writeUInt32LE(section, 0);
  writeU64(into, counter, 4);
}
