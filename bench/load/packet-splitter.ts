/** What follows the fixed header is `bytes` from `at` up to `end`; valid during the call only. */
export type PacketHandler = (first: number, bytes: Buffer, at: number, end: number) => void;

const headerBytesMax = 5;

/** Cuts a byte stream into packets. Nothing is copied but a packet that lies across two reads. */
export class PacketSplitter {
  readonly #onPacket: PacketHandler;
  #held: Buffer = Buffer.allocUnsafe(512);
  #heldLength = 0;

  constructor(onPacket: PacketHandler) {
    this.#onPacket = onPacket;
  }

  push(bytes: Buffer, length: number): void {
    let at = this.#heldLength > 0 ? this.#complete(bytes, length) : 0;
    while (at < length) {
      const body = bodyStart(bytes, at, length);
      const end = body < 0 ? -1 : body + remaining;
      if (body < 0 || end > length) break;
      this.#onPacket(bytes[at] as number, bytes, body, end);
      at = end;
    }
    if (at < length) this.#hold(bytes, at, length);
  }

  /** Finishes the held packet and says how many bytes of this read it took. */
  #complete(bytes: Buffer, length: number): number {
    let at = 0;
    let body = bodyStart(this.#held, 0, this.#heldLength);
    while (body < 0) {
      if (at >= length) return at;
      this.#hold(bytes, at, at + 1);
      at += 1;
      body = bodyStart(this.#held, 0, this.#heldLength);
    }
    const end = body + remaining;
    const taken = Math.min(length, at + end - this.#heldLength);
    this.#hold(bytes, at, taken);
    if (this.#heldLength === end) {
      this.#heldLength = 0;
      this.#onPacket(this.#held[0] as number, this.#held, body, end);
    }
    return taken;
  }

  #hold(bytes: Buffer, from: number, to: number): void {
    const needed = this.#heldLength + to - from;
    if (needed > this.#held.length) {
      const larger = Buffer.allocUnsafe(needed * 2);
      this.#held.copy(larger, 0, 0, this.#heldLength);
      this.#held = larger;
    }
    bytes.copy(this.#held, this.#heldLength, from, to);
    this.#heldLength = needed;
  }
}

/** The Remaining Length that `bodyStart` read last: a second result without an object for each packet. */
let remaining = 0;

/** Where the packet at `at` has its body, or -1 while its fixed header is not complete. */
function bodyStart(bytes: Buffer, at: number, length: number): number {
  remaining = 0;
  for (let index = 1; index < headerBytesMax; index += 1) {
    if (at + index >= length) return -1;
    const byte = bytes[at + index] as number;
    remaining |= (byte & 0x7f) << (7 * (index - 1));
    if (byte < 0x80) return at + index + 1;
  }
  throw new Error("the broker sent a packet whose length is not a variable byte integer");
}
