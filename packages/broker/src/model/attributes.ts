/**
 * What a message says to the broker itself: ordering key, id, priority, time of delivery, and where a dead letter came
 * from. Tagged, so that later versions can add to them; unknown tags are passed over.
 */

export interface MessageAttributes {
  /** Ordering key (`mess-key`). */
  readonly key?: string;
  /** Idempotency id (`mess-id`), within its publisher. */
  readonly id?: string;
  /** 0 (last) to 9 (first); `priorityDefault` when absent. */
  readonly priority?: number;
  /** Wall-clock milliseconds before which it is not to be delivered. */
  readonly deliverAt?: number;
  /** Offset it was first stored under: of a released delayed message, of a dead letter, of a redriven one. */
  readonly origin?: number;
  /** Of a dead letter: the topic it was published to. */
  readonly originTopic?: string;
  /** Of a dead letter: why. */
  readonly reason?: string;
  /** Of a dead letter: failed attempts. */
  readonly attempts?: number;
  /** Of a signed message, once its signature was verified: as `formatSignedNonce` has it. */
  readonly nonce?: string;
  /** Erasure domain that its headers and payload belong to. */
  readonly domain?: number;
}

const tags = {
  key: 1,
  id: 2,
  priority: 3,
  deliverAt: 4,
  origin: 5,
  originTopic: 6,
  reason: 7,
  attempts: 8,
  nonce: 9,
  domain: 10,
} as const;

export type AttributeName = keyof typeof tags;

const textOf: ReadonlySet<AttributeName> = new Set<AttributeName>(["key", "id", "originTopic", "reason", "nonce"]);
const names: readonly AttributeName[] = Object.keys(tags) as AttributeName[];
const nameOf: ReadonlyMap<number, AttributeName> = new Map(names.map((name) => [tags[name], name]));

/** Length included; empty for none. Numbers are f64. Texts together may have 65,000 bytes: the doors' limits are far below. */
export function writeAttributes(attributes: MessageAttributes): Buffer {
  const parts: Buffer[] = [];
  for (const name of names) {
    const value = attributes[name];
    if (value === undefined) continue;
    const body = typeof value === "string" ? Buffer.from(value, "utf8") : doubleBytes(value);
    const head = Buffer.alloc(3);
    head[0] = tags[name];
    head.writeUInt16LE(body.length, 1);
    parts.push(head, body);
  }
  if (parts.length === 0) return Buffer.alloc(0);
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = Buffer.alloc(2);
  head.writeUInt16LE(length, 0);
  return Buffer.concat([head, ...parts], 2 + length);
}

interface AttributeBytes {
  readonly bytes: Buffer;
  readonly attributesStart: number;
  readonly headerStart: number;
}

export function readAttributes(message: AttributeBytes): MessageAttributes {
  const found: Partial<Record<AttributeName, string | number>> = {};
  scan(message, (tag, start, end) => {
    const name = nameOf.get(tag);
    if (name !== undefined) found[name] = attributeValue(message.bytes, name, start, end);
    return true;
  });
  return found as MessageAttributes;
}

/** One attribute alone, without an object for the others. */
export function readAttribute<N extends AttributeName>(message: AttributeBytes, name: N): MessageAttributes[N] {
  let value: string | number | undefined;
  scan(message, (tag, start, end) => {
    if (tag !== tags[name]) return true;
    value = attributeValue(message.bytes, name, start, end);
    return false;
  });
  return value as MessageAttributes[N];
}

/** Visits until `visit` says false. They come out of an authenticated frame, or of this file. */
function scan(message: AttributeBytes, visit: (tag: number, start: number, end: number) => boolean): void {
  const { bytes, headerStart } = message;
  let at = message.attributesStart + 2;
  while (at + 3 <= headerStart) {
    const start = at + 3;
    const end = start + bytes.readUInt16LE(at + 1);
    if (end > headerStart || !visit(bytes[at] as number, start, end)) return;
    at = end;
  }
}

function attributeValue(bytes: Buffer, name: AttributeName, start: number, end: number): string | number {
  return textOf.has(name) ? bytes.toString("utf8", start, end) : bytes.readDoubleLE(start);
}

function doubleBytes(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
}
