const WORD = 2 ** 32;

/** 64-bit unsigned numbers of the format; sequence numbers stay below 2^53. */
export function writeU64(into: Buffer, value: number, at: number): void {
  into.writeUInt32LE(value % WORD, at);
  into.writeUInt32LE(Math.floor(value / WORD), at + 4);
}

/** May lose precision above 2^53; no valid field is that large, and the checksum in front of it was right. */
export function readU64(from: Buffer, at: number): number {
  return from.readUInt32LE(at) + from.readUInt32LE(at + 4) * WORD;
}

/** True when all bytes of `[from, to)` are zero. */
export function isZero(bytes: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; ) {
    const length = Math.min(zeros.length, to - at);
    if (bytes.compare(zeros, 0, length, at, at + length) !== 0) return false;
    at += length;
  }
  return true;
}

const zeros = Buffer.alloc(4_096);
