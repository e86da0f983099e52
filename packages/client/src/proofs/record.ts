import { type Bytes, fromBase64, joined } from "./bytes.ts";
import { leafHash, verifyInclusion } from "./tree.ts";

/** A record of a frame with a root over its records, as a proof holds it; bytes are base64. */
export interface RecordExtra {
  readonly index: number;
  readonly count: number;
  readonly kind: number;
  readonly salt: string;
  readonly path: readonly string[];
  readonly body: string;
}

/** A record that was proved. */
export interface ProvedRecord {
  readonly seq: number;
  readonly kind: number;
  readonly body: Uint8Array;
  /** What the record says, where it is a message. */
  readonly message?: ProvedMessage;
}

export interface ProvedMessage {
  readonly topic: string;
  readonly publisher: string;
  /** Wall-clock milliseconds. */
  readonly publishedAt: number;
  readonly payload: Uint8Array;
}

const SALT_BYTES = 16;
const MESSAGE_BYTES_MIN = 24;
/** Kinds of records that hold a message, and where it begins. */
const messageStarts: ReadonlyMap<number, number> = new Map([
  [1, 0],
  [3, 8],
]);

/** The record, if it is in the tree of this root as number `seq`. */
export async function verifyRecord(
  seq: number,
  record: RecordExtra,
  root: Uint8Array,
): Promise<ProvedRecord | undefined> {
  const { index, count, kind } = record;
  const salt = fromBase64(record.salt);
  const body = fromBase64(record.body);
  const path = record.path.map(fromBase64);
  if (salt?.length !== SALT_BYTES || body === undefined || path.includes(undefined)) return undefined;
  if (!Number.isSafeInteger(seq) || seq < 0 || !Number.isInteger(kind) || kind < 0 || kind > 255) return undefined;
  const head = new DataView(new ArrayBuffer(9));
  head.setBigUint64(0, BigInt(seq), true);
  head.setUint8(8, kind);
  const leaf = await leafHash(joined(salt, new Uint8Array(head.buffer), body));
  const proof = { index, size: count, leaf, path: path as Bytes[] };
  if (!(await verifyInclusion(proof, root))) return undefined;
  const message = messageOf(kind, body);
  return { seq, kind, body, ...(message !== undefined && { message }) };
}

/** docs/journal-format.md, "Messages". */
function messageOf(kind: number, body: Bytes): ProvedMessage | undefined {
  const start = messageStarts.get(kind);
  if (start === undefined || body.length < start + MESSAGE_BYTES_MIN) return undefined;
  const bytes = body.subarray(start);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const principalEnd = MESSAGE_BYTES_MIN + view.getUint8(1);
  const topicEnd = principalEnd + view.getUint16(2, true);
  if (topicEnd + 2 > bytes.length && (view.getUint8(0) & 8) !== 0) return undefined;
  const attributes = (view.getUint8(0) & 8) === 0 ? 0 : 2 + view.getUint16(topicEnd, true);
  const payloadStart = topicEnd + attributes + view.getUint32(20, true);
  if (payloadStart > bytes.length) return undefined;
  const text = (from: number, to: number): string => new TextDecoder().decode(bytes.subarray(from, to));
  return {
    topic: text(principalEnd, topicEnd),
    publisher: text(MESSAGE_BYTES_MIN, principalEnd),
    publishedAt: view.getFloat64(8, true),
    payload: bytes.slice(payloadStart),
  };
}
