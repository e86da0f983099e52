import type { JournalFrame } from "../model/journal.ts";

/** In front of each record's body: its length + 1 as 32 bits, then its kind. */
export const RECORD_HEAD_BYTES = 5;
/** Kinds from here to 255 are the journal's own; readers that are not the journal pass over them. */
export const OWN_KIND_MIN = 200;

/** The frame in a decrypted record area, or `undefined` when it does not hold exactly `count` records. */
export function parseRecordArea(bytes: Buffer, firstSeq: number, count: number): JournalFrame | undefined {
  if (count * RECORD_HEAD_BYTES > bytes.length) return undefined;
  const starts = new Uint32Array(count);
  const ends = new Uint32Array(count);
  const kinds = new Uint8Array(count);
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + RECORD_HEAD_BYTES > bytes.length) return undefined;
    const end = at + 4 + bytes.readUInt32LE(at);
    if (end < at + RECORD_HEAD_BYTES || end > bytes.length) return undefined;
    kinds[i] = bytes[at + 4]!;
    starts[i] = at + RECORD_HEAD_BYTES;
    ends[i] = end;
    at = end;
  }
  return at === bytes.length ? { firstSeq, count, bytes, starts, ends, kinds } : undefined;
}
