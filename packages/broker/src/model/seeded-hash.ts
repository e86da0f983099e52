/**
 * HalfSipHash-1-3: a keyed 32-bit hash. Clients choose topic names and filters, so a table that hashes them needs a
 * secret: without one, colliding names make every look-up walk the table (THREATS D5). Same seed, same hashes: the
 * simulator stays deterministic. It is not a signature and must not be used as one.
 */
export class SeededHash {
  readonly #key0: number;
  readonly #key1: number;

  /** `seed`: a random integer; up to 53 bits of it count. */
  constructor(seed: number) {
    this.#key0 = (seed >>> 0) ^ 0x6d657373;
    this.#key1 = (Math.floor(seed / 0x1_0000_0000) >>> 0) ^ 0x746f7069;
  }

  /** Of `bytes[start..end)`; a signed 32-bit integer. */
  bytes(bytes: Uint8Array, start: number, end: number): number {
    let v0 = this.#key0;
    let v1 = this.#key1;
    let v2 = 0x6c796765 ^ v0;
    let v3 = 0x74656462 ^ v1;
    const whole = end - ((end - start) & 3);
    let at = start;
    while (true) {
      const last = at >= whole;
      let word = 0;
      if (!last) {
        word =
          (bytes[at] as number) |
          ((bytes[at + 1] as number) << 8) |
          ((bytes[at + 2] as number) << 16) |
          ((bytes[at + 3] as number) << 24);
        at += 4;
      } else {
        word = (end - start) << 24;
        if (at < end) word |= bytes[at] as number;
        if (at + 1 < end) word |= (bytes[at + 1] as number) << 8;
        if (at + 2 < end) word |= (bytes[at + 2] as number) << 16;
      }
      v3 ^= word;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= word;
      if (last) return finish(v0, v1, v2, v3);
    }
  }

  /** Of the UTF-16 code units `text[start..end)`; a signed 32-bit integer, not the one its UTF-8 bytes have. */
  text(text: string, start: number, end: number): number {
    let v0 = this.#key0;
    let v1 = this.#key1;
    let v2 = 0x6c796765 ^ v0;
    let v3 = 0x74656462 ^ v1;
    const whole = end - ((end - start) & 1);
    let at = start;
    while (true) {
      const last = at >= whole;
      let word = 0;
      if (!last) {
        word = text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16);
        at += 2;
      } else {
        word = (end - start) << 24;
        // The units are whole, so the top of the last word is free for the length as in the byte form.
        if (at < end) word ^= text.charCodeAt(at);
      }
      v3 ^= word;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= word;
      if (last) return finish(v0, v1, v2, v3);
    }
  }
}

/** The three closing rounds. */
function finish(a: number, b: number, c: number, d: number): number {
  let v0 = a;
  let v1 = b;
  let v2 = c ^ 0xff;
  let v3 = d;
  for (let round = 0; round < 3; round++) {
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
  }
  return v1 ^ v3;
}
