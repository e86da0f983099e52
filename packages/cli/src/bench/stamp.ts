/** What a bench message carries in its first bytes: which run, who sent it, which one it is, when it was due. */
export const stampBytes = 24;

export interface Stamp {
  runId: number;
  publisher: number;
  sequence: number;
  /** Milliseconds of this process's monotonic clock. */
  due: number;
}

/** A payload of `size` bytes (at least `stampBytes`). The rest does not compress and is the same in every message. */
export function stampedPayload(size: number, stamp: Stamp): Uint8Array {
  const payload = new Uint8Array(Math.max(size, stampBytes));
  for (let index = stampBytes; index < payload.length; index += 1) payload[index] = (index * 167) ^ (index >>> 8);
  const view = new DataView(payload.buffer);
  view.setFloat64(0, stamp.runId);
  view.setUint32(8, stamp.publisher);
  view.setUint32(12, stamp.sequence);
  view.setFloat64(16, stamp.due);
  return payload;
}

/** Overwrites sequence and time, so that a publisher makes one payload for all its messages. */
export class Stamper {
  readonly #payload: Buffer;

  constructor(payload: Uint8Array) {
    this.#payload = Buffer.from(payload);
  }

  /** A payload of its own for this message, cut from Node's pool when it is small. */
  next(sequence: number, due: number): Uint8Array {
    this.#payload.writeUInt32BE(sequence, 12);
    this.#payload.writeDoubleBE(due, 16);
    return Buffer.from(this.#payload);
  }
}

let viewed: ArrayBufferLike | undefined;
let view: DataView<ArrayBufferLike> = new DataView(new ArrayBuffer(0));

/** A socket's buffer holds hundreds of messages: one view serves them all. */
function viewOf(buffer: ArrayBufferLike): DataView {
  if (viewed === buffer) return view;
  viewed = buffer;
  view = new DataView(buffer);
  return view;
}

/** Fills `into`; false when the bytes are not a stamp. */
export function readStamp(bytes: Uint8Array, start: number, end: number, into: Stamp): boolean {
  if (end - start < stampBytes) return false;
  const data = viewOf(bytes.buffer);
  const at = bytes.byteOffset + start;
  into.runId = data.getFloat64(at);
  into.publisher = data.getUint32(at + 8);
  into.sequence = data.getUint32(at + 12);
  into.due = data.getFloat64(at + 16);
  return true;
}
