/** Randomness from the world, taken in larger pieces: tokens of leases are asked for by the thousand. */
import type { RandomSource } from "../host/host.ts";

const pieceBytes = 4_096;
const tokenBytes = 16;

export class RandomPool {
  readonly #random: RandomSource;
  #piece: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(random: RandomSource) {
    this.#random = random;
  }

  /** 128 bits, base64url. */
  token(): string {
    const at = this.#take(tokenBytes);
    return this.#piece.toString("base64url", at, at + tokenBytes);
  }

  /** In [0, 1). */
  fraction(): number {
    const at = this.#take(4);
    return this.#piece.readUInt32LE(at) / 0x1_0000_0000;
  }

  /** Where the next bytes are; they are not given out again. */
  #take(length: number): number {
    if (this.#at + length > this.#piece.length) {
      const fresh = this.#random.bytes(pieceBytes);
      this.#piece = Buffer.from(fresh.buffer, fresh.byteOffset, fresh.byteLength);
      this.#at = 0;
    }
    const at = this.#at;
    this.#at += length;
    return at;
  }
}
