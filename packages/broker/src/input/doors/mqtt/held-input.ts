/** What a client had sent when it was told to wait: decoded when its time has come (THREATS D6). */
import type { PacketDecoder } from "@mess/wire";

const noBytes: Buffer = Buffer.alloc(0);
/** All connections together. Past it what has arrived is decoded at once: it is paid for later. */
const heldMax = 16 * 1_024 * 1_024;

/** One for all connections. */
export interface HeldInputShare {
  heldInputBytes: number;
}

/**
 * Stops the decoder behind the packet with which a rate was used up. A thousand clients of one principal that were all
 * read to the end of what they sent would each bring hundreds of messages that nobody may send.
 */
export class HeldInput {
  readonly #share: HeldInputShare;
  readonly #decoder: PacketDecoder;
  readonly #decode: (bytes: Buffer, start: number, end: number) => void;
  #behind: Buffer = noBytes;
  #isHeld = false;

  constructor(
    share: HeldInputShare,
    decoder: PacketDecoder,
    decode: (bytes: Buffer, start: number, end: number) => void,
  ) {
    this.#share = share;
    this.#decoder = decoder;
    this.#decode = decode;
  }

  /** Nothing more is decoded for now. */
  hold(): void {
    this.#isHeld = true;
    this.#decoder.pause();
  }

  /** Keeps what was not decoded, if it was for this. */
  keep(bytes: Buffer, start: number, end: number): void {
    if (!this.#isHeld) return;
    const length = end - start;
    if (this.#share.heldInputBytes + length <= heldMax) {
      this.#share.heldInputBytes += length;
      this.#behind = Buffer.concat([this.#behind, bytes.subarray(start, end)]);
      return;
    }
    this.goOn();
    this.#decode(bytes, start, end);
  }

  /** What was kept comes first; in it the client may have to wait again. */
  goOn(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#decoder.goOn();
    const behind = this.#behind;
    this.discard();
    if (behind.length > 0) this.#decode(behind, 0, behind.length);
  }

  discard(): void {
    this.#share.heldInputBytes -= this.#behind.length;
    this.#behind = noBytes;
  }
}
