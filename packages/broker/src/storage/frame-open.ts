import { createDecipheriv, hash } from "node:crypto";
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
import { joinSections, type OpenedSection } from "./frame-sections.ts";
import { isZero } from "./little-endian.ts";
import { parseRecordArea } from "./record-area.ts";
import { findBadSector, SECTOR } from "./sector-checksum.ts";
import type { SegmentKey } from "./segment-key.ts";

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

/**
 * Decrypts a frame whose header was read at `at`; `undefined` when it is not what the keys sealed. What lies in domains
 * whose key was destroyed comes as zeros.
 */
export function openFrame(bytes: Buffer, at: number, header: FrameHeader, key: SegmentKey): JournalFrame | undefined {
  const { firstSeq, count, recordBytes: length } = header;
  const from = at + extensionRange(header).end;
  if (from + header.cipherBytes > bytes.length) return undefined;
  const sections: OpenedSection[] = [];
  let offset = 0;
  for (let number = 0; number < header.sections; number++) {
    const section = openSection({ bytes, at, header, key }, number, offset);
    if (section === undefined) return undefined;
    sections.push(section);
    offset += section.bytes;
  }
  if (offset !== header.cipherBytes) return undefined;
  const own = sections[0]?.plain;
  if (sections.length === 1 && own !== undefined) return parseRecordArea(own, firstSeq, count);
  return joinSections(sections, { firstSeq, count, length });
}

interface Sealed {
  readonly bytes: Buffer;
  readonly at: number;
  readonly header: FrameHeader;
  readonly key: SegmentKey;
}

function openSection({ bytes, at, header, key }: Sealed, number: number, offset: number): OpenedSection | undefined {
  const section = at + FRAME_HEADER_BYTES + SECTION_BYTES * number;
  const domain = bytes.readUInt32LE(section);
  const length = bytes.readUInt32LE(section + 8);
  const isInPlace = bytes.readUInt32LE(section + 4) === offset && (domain === 0) === (number === 0);
  if (!isInPlace || offset + length > header.cipherBytes) return undefined;
  const own = domain === 0 ? key.own : key.of(domain);
  if (own === undefined) return undefined;
  if (own === "none") return { domain, bytes: length, plain: undefined };
  const extension = extensionRange(header);
  const text = at + extension.end + offset;
  writeNonce(nonce, number, header.counter);
  const decipher = createDecipheriv("aes-256-gcm", own, nonce, { authTagLength: 16 });
  decipher.setAAD(associatedData(bytes, at, section, bytes.subarray(at + extension.start, at + extension.end)));
  decipher.setAuthTag(bytes.subarray(section + SECTION_TAG_AT, section + SECTION_BYTES));
  const plain = Buffer.allocUnsafeSlow(length);
  for (let done = 0; done < length; done += CIPHER_PIECE) {
    const end = Math.min(done + CIPHER_PIECE, length);
    decipher.update(bytes.subarray(text + done, text + end)).copy(plain, done);
  }
  try {
    decipher.final();
  } catch {
    return undefined;
  }
  return { domain, bytes: length, plain };
}
