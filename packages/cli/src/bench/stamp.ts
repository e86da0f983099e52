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
export function restamp(payload: Uint8Array, sequence: number, due: number): void {
  const view = new DataView(payload.buffer, payload.byteOffset, stampBytes);
  view.setUint32(12, sequence);
  view.setFloat64(16, due);
}

/** Fills `into`; false when the bytes are not a stamp. */
export function readStamp(bytes: Uint8Array, start: number, end: number, into: Stamp): boolean {
  if (end - start < stampBytes) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, stampBytes);
  into.runId = view.getFloat64(0);
  into.publisher = view.getUint32(8);
  into.sequence = view.getUint32(12);
  into.due = view.getFloat64(16);
  return true;
}
