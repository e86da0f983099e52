import type { Confined, JournalFrame } from "../model/journal.ts";
import { FRAME_BYTES_MAX } from "./frame-format.ts";
import { RECORD_HEAD_BYTES } from "./record-area.ts";

const BYTES_MIN = 1_024;
const RECORDS_MIN = 16;
/** Room for sector table and the rest of a frame, so that the largest record area still makes a legal frame. */
const RECORD_BYTES_MAX = FRAME_BYTES_MAX - FRAME_BYTES_MAX / 64;

/** So many times its soft size a frame may have while it is open: 64 MiB by default, far from what it can hold. */
export const SOFT_SIZES_MAX = 32;

/**
 * The frame that fills. Its buffers belong to the frame once it is taken: nobody knows when the last reader of a
 * frame is done, so none are used twice. Their sizes follow the frames of late, which keeps both copies while
 * growing and unused room small.
 */
export class OpenFrame {
  bytes: Buffer = Buffer.allocUnsafeSlow(BYTES_MIN);
  /** Bytes used. */
  length = 0;
  count = 0;
  #confined: Confined[] = [];
  #isProved = false;
  readonly #domains: Set<number> = new Set();
  #starts: Uint32Array = new Uint32Array(RECORDS_MIN);
  #ends: Uint32Array = new Uint32Array(RECORDS_MIN);
  #kinds: Uint8Array = new Uint8Array(RECORDS_MIN);
  #bytesOfLate = 0;
  #recordsOfLate = 0;

  /** Room for a record with a body of exactly `length` bytes; returns where the body begins in `bytes`. */
  reserve(kind: number, length: number): number {
    const at = this.length;
    const start = at + RECORD_HEAD_BYTES;
    const end = start + length;
    const index = this.count;
    if (end > this.bytes.length || index === this.#kinds.length) this.#grow(end);
    const { bytes } = this;
    const size = length + 1;
    bytes[at] = size;
    bytes[at + 1] = size >>> 8;
    bytes[at + 2] = size >>> 16;
    bytes[at + 3] = size >>> 24;
    bytes[at + 4] = kind;
    this.#starts[index] = start;
    this.#ends[index] = end;
    this.#kinds[index] = kind;
    this.count = index + 1;
    this.length = end;
    return start;
  }

  /** The last record belongs to an erasure domain from byte `from` on. */
  confine(domain: number, from: number): void {
    const index = this.count - 1;
    if (index < 0 || from < this.#starts[index]! || from > this.length) {
      throw new RangeError(`byte ${from} is not in the last record`);
    }
    this.#confined.push({ index, domain, from });
    this.#domains.add(domain);
  }

  /** Its records are to be proved one by one. */
  prove(): void {
    this.#isProved = true;
  }

  /** How many erasure domains have a part in it. */
  get domains(): number {
    return this.#domains.size;
  }

  /** Hands over what has gathered and begins anew. */
  take(firstSeq: number): JournalFrame {
    const { length, count } = this;
    const frame: JournalFrame = {
      firstSeq,
      count,
      bytes: this.bytes.subarray(0, length),
      starts: this.#starts.subarray(0, count),
      ends: this.#ends.subarray(0, count),
      kinds: this.#kinds.subarray(0, count),
      ...(this.#confined.length > 0 && { confined: this.#confined }),
      ...(this.#isProved && { isProved: true }),
    };
    this.#isProved = false;
    this.#confined = [];
    this.#domains.clear();
    this.#bytesOfLate = Math.max(length, Math.floor(this.#bytesOfLate * 0.9));
    this.#recordsOfLate = Math.max(count, Math.floor(this.#recordsOfLate * 0.9));
    this.bytes = Buffer.allocUnsafeSlow(roomFor(this.#bytesOfLate, BYTES_MIN));
    const records = roomFor(this.#recordsOfLate, RECORDS_MIN);
    this.#starts = new Uint32Array(records);
    this.#ends = new Uint32Array(records);
    this.#kinds = new Uint8Array(records);
    this.length = 0;
    this.count = 0;
    return frame;
  }

  #grow(bytesNeeded: number): void {
    if (bytesNeeded > RECORD_BYTES_MAX) throw new RangeError("the open frame is full: congestion was not heeded");
    if (bytesNeeded > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, roomFor(bytesNeeded, BYTES_MIN)));
      this.bytes.copy(larger, 0, 0, this.length);
      this.bytes = larger;
    }
    if (this.count < this.#kinds.length) return;
    const records = this.#kinds.length * 2;
    const starts = new Uint32Array(records);
    const ends = new Uint32Array(records);
    const kinds = new Uint8Array(records);
    starts.set(this.#starts);
    ends.set(this.#ends);
    kinds.set(this.#kinds);
    this.#starts = starts;
    this.#ends = ends;
    this.#kinds = kinds;
  }
}

/** `used` and an eighth more, rounded up to the unit. */
function roomFor(used: number, unit: number): number {
  return Math.ceil((used + (used >>> 3) + 1) / unit) * unit;
}
