/** Disks write whole sectors; a torn write leaves some of them as they were. */
export const SECTOR = 512;
const SECTOR_WORDS = SECTOR / 4;

/** Entry of a sector that holds nothing but the table itself. Not zero: a sector of a frame is never all zero. */
const UNCOVERED = 0xffff_ffff;

/**
 * Mixes words `[from, to)` into 32 bits. Each step maps its lane one to one, so that any change of one word changes
 * the sum. It tells rot from an unwritten sector and names the place; trust comes from the chain hash and the cipher
 * tag. A CRC from `node:zlib` costs 2.5 times as much in calls on pieces this small.
 */
function sectorChecksum(words: Uint32Array, from: number, to: number, sector: number): number {
  let a = 0x9e37_79b1 ^ sector;
  let b = 0x85eb_ca77;
  let c = 0xc2b2_ae3d;
  let d = 0x27d4_eb2f;
  let i = from;
  for (const last = to - 3; i < last; i += 4) {
    a = Math.imul(a ^ words[i]!, 0x9e37_79b1);
    b = Math.imul(b ^ words[i + 1]!, 0x85eb_ca77);
    c = Math.imul(c ^ words[i + 2]!, 0xc2b2_ae3d);
    d = Math.imul(d ^ words[i + 3]!, 0x27d4_eb2f);
    a ^= a >>> 15;
    b ^= b >>> 15;
    c ^= c >>> 15;
    d ^= d >>> 15;
  }
  for (; i < to; i++) {
    a = Math.imul(a ^ words[i]!, 0x9e37_79b1);
    a ^= a >>> 15;
  }
  a = Math.imul(a ^ b, 0x9e37_79b1);
  a ^= a >>> 13;
  c = Math.imul(c ^ d, 0x85eb_ca77);
  c ^= c >>> 13;
  return Math.imul(a ^ c, 0xc2b2_ae3d) >>> 0;
}

/** A frame as 32-bit words of a larger buffer: `base` is the index of the frame's first word, lengths are words. */
export interface FrameWords {
  readonly words: Uint32Array;
  readonly base: number;
  /** Where the table begins; the sums cover everything before it. */
  readonly table: number;
  readonly sectors: number;
}

function checksumOf(frame: FrameWords, sector: number): number {
  const from = sector * SECTOR_WORDS;
  if (from >= frame.table) return UNCOVERED;
  const to = Math.min(from + SECTOR_WORDS, frame.table);
  return sectorChecksum(frame.words, frame.base + from, frame.base + to, sector);
}

export function writeSectorTable(frame: FrameWords): void {
  const { words, sectors } = frame;
  const at = frame.base + frame.table;
  for (let sector = 0; sector < sectors; sector++) words[at + sector] = checksumOf(frame, sector);
}

/** True when the table says that this sector holds what was written. */
export function sectorIsGood(frame: FrameWords, sector: number): boolean {
  return frame.words[frame.base + frame.table + sector] === checksumOf(frame, sector);
}

/** First sector that does not hold what was written, or -1. */
export function findBadSector(frame: FrameWords): number {
  for (let sector = 0; sector < frame.sectors; sector++) if (!sectorIsGood(frame, sector)) return sector;
  return -1;
}
