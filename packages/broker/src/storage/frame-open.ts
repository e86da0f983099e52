import { createDecipheriv, hash, type KeyObject } from "node:crypto";
import type { JournalFrame } from "../model/journal.ts";
import {
  associatedData,
  extensionRange,
  FRAME_HEADER_BYTES,
  type FrameHeader,
  readFrameTrailer,
  SECTION_BYTES,
  SECTION_TAG_AT,
  tableCrc,
  tableStart,
  writeNonce,
} from "./frame-format.ts";
import { isZero } from "./little-endian.ts";
import { parseRecordArea } from "./record-area.ts";
import { findBadSector, SECTOR } from "./sector-checksum.ts";

const CIPHER_PIECE = 64 * 1_024;

/** Frames read from disk: `bytes` begins at the start of its own `ArrayBuffer`, frames at multiples of 512 in it. */
export interface FrameWindow {
  readonly bytes: Buffer;
  readonly words: Uint32Array;
}

export function frameWindow(length: number): FrameWindow {
  const bytes = Buffer.allocUnsafeSlow(length);
  return { bytes, words: new Uint32Array(bytes.buffer) };
}

/** What the next frame of a chain must say of itself. */
export interface ExpectedFrame {
  readonly segmentId: number;
  readonly keyId: number;
  readonly counter: number;
  readonly offset: number;
  readonly firstSeq: number;
  readonly previousHash: Buffer;
}

/** Why the header does not continue the chain, or `undefined` when it does. */
export function headerMismatch(header: FrameHeader, expected: ExpectedFrame): string | undefined {
  if (header.segmentId !== expected.segmentId) return `the frame belongs to segment ${header.segmentId}`;
  if (header.offset !== expected.offset) return `the frame belongs at byte ${header.offset}`;
  if (header.counter !== expected.counter) return `the frame is number ${header.counter}, not ${expected.counter}`;
  if (header.firstSeq !== expected.firstSeq) {
    return `the frame begins with record ${header.firstSeq}, not ${expected.firstSeq}`;
  }
  if (header.keyId !== expected.keyId) return `the frame names data key ${header.keyId}, not ${expected.keyId}`;
  if (header.previousHash.compare(expected.previousHash) !== 0) return "the frame continues another chain";
  return undefined;
}

/** Chain hash after a frame, computed from its bytes. */
function chainHash(bytes: Buffer, at: number, header: FrameHeader): Buffer {
  return hash("sha256", bytes.subarray(at, at + cipherEnd(header)), "buffer");
}

function cipherEnd(header: FrameHeader): number {
  return extensionRange(header).end + header.cipherBytes;
}

/** Checks all that needs no key: trailer, table, sector sums, padding, chain hash. */
export function frameDamage(window: FrameWindow, at: number, header: FrameHeader): string | undefined {
  const { bytes } = window;
  const length = header.frameBytes;
  const trailer = readFrameTrailer(bytes, at + length);
  if (trailer === undefined) return "the frame's trailer is damaged";
  if (trailer.frameBytes !== length || trailer.firstSeq !== header.firstSeq || trailer.count !== header.count) {
    return "the frame's trailer and header disagree";
  }
  if (trailer.tableCrc !== tableCrc(bytes, at, length)) return "the frame's sector table is damaged";
  const table = tableStart(length);
  const bad = findBadSector({ words: window.words, base: at / 4, table: table / 4, sectors: length / SECTOR });
  if (bad >= 0) return `sector ${bad} of the frame is damaged`;
  if (!isZero(bytes, at + cipherEnd(header), at + table)) return "the frame's padding is not zero";
  if (chainHash(bytes, at, header).compare(trailer.hash) !== 0) return "the frame's chain hash is wrong";
  return undefined;
}

const nonce = Buffer.alloc(12);

/** Decrypts a frame whose header was read at `at`; `undefined` when it is not what the key sealed. */
export function openFrame(bytes: Buffer, at: number, header: FrameHeader, key: KeyObject): JournalFrame | undefined {
  const section = at + FRAME_HEADER_BYTES;
  const extension = extensionRange(header);
  const from = at + extension.end;
  if (from + header.cipherBytes > bytes.length) return undefined;
  writeNonce(nonce, 0, header.counter);
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 });
  decipher.setAAD(associatedData(bytes, at, section, bytes.subarray(at + extension.start, from)));
  decipher.setAuthTag(bytes.subarray(section + SECTION_TAG_AT, section + SECTION_BYTES));
  const plain = Buffer.allocUnsafeSlow(header.recordBytes);
  for (let done = 0; done < header.cipherBytes; done += CIPHER_PIECE) {
    const end = Math.min(done + CIPHER_PIECE, header.cipherBytes);
    decipher.update(bytes.subarray(from + done, from + end)).copy(plain, done);
  }
  try {
    decipher.final();
  } catch {
    return undefined;
  }
  return parseRecordArea(plain, header.firstSeq, header.count);
}
