/**
 * The bytes of a message inside a record, and a view over them. Little-endian.
 *
 *   0 u8  flags: bits 0-1 QoS, bit 2 RETAIN, bit 3 attributes
 *   1 u8  length of the publisher's principal name
 *   2 u16 length of the topic name
 *   4 u32 number of the publisher's session
 *   8 f64 time of publishing, wall-clock milliseconds
 *  16 u32 message expiry in seconds, 0xFFFFFFFF for none
 *  20 u32 length of the forwarded headers
 *  24 principal, topic, attributes (if flagged), headers, payload (to the end)
 *
 * Attributes are what the broker itself understands (model/attributes.ts): u16 length of all that follows, then each
 * u8 tag, u16 length, bytes.
 *
 * Headers are opaque here: the MQTT door writes the 5.0 properties that travel on, in wire form.
 */
export const messageHeaderBytes = 24;
export const noExpiry = 0xffff_ffff;
const retainFlag = 4;
const attributesFlag = 8;
const noAttributes = new Uint8Array(0);

/** What is needed to write a message; one instance is reused for every publish of a door. */
export class MessageDraft {
  qos: 0 | 1 | 2 = 0;
  retain = false;
  expirySeconds: number = noExpiry;
  topicBytes: Uint8Array = new Uint8Array(0);
  topicStart = 0;
  topicEnd = 0;
  headerBytes: Uint8Array = new Uint8Array(0);
  headerStart = 0;
  headerEnd = 0;
  payloadBytes: Uint8Array = new Uint8Array(0);
  payloadStart = 0;
  payloadEnd = 0;
  /** As `writeAttributes` makes them; empty for none. */
  attributes: Uint8Array = noAttributes;
  /** The publisher says that it sent this before (DUP). Asked of signed messages alone. */
  isRepeat = false;
}

export { type MessageAttributes, readAttributes, writeAttributes } from "./attributes.ts";

/** For drafts that are reused: most messages have none. */
export const withoutAttributes: Uint8Array = noAttributes;

export function messageSize(draft: MessageDraft, principal: Uint8Array): number {
  return (
    messageHeaderBytes +
    principal.length +
    (draft.topicEnd - draft.topicStart) +
    draft.attributes.length +
    (draft.headerEnd - draft.headerStart) +
    (draft.payloadEnd - draft.payloadStart)
  );
}

export interface MessageOrigin {
  readonly principalBytes: Uint8Array;
  readonly number: number;
}

/** Writes `messageSize` bytes at `at`. */
export function writeMessage(out: Buffer, at: number, draft: MessageDraft, origin: MessageOrigin, now: number): void {
  const principal = origin.principalBytes;
  const topicLength = draft.topicEnd - draft.topicStart;
  const { attributes } = draft;
  out[at] = draft.qos | (draft.retain ? retainFlag : 0) | (attributes.length > 0 ? attributesFlag : 0);
  out[at + 1] = principal.length;
  out[at + 2] = topicLength & 0xff;
  out[at + 3] = topicLength >>> 8;
  out.writeUInt32LE(origin.number, at + 4);
  out.writeDoubleLE(now, at + 8);
  out.writeUInt32LE(draft.expirySeconds, at + 16);
  out.writeUInt32LE(draft.headerEnd - draft.headerStart, at + 20);
  let to = at + messageHeaderBytes;
  out.set(principal, to);
  to += principal.length;
  to = copy(draft.topicBytes, draft.topicStart, draft.topicEnd, out, to);
  if (attributes.length > 0) to = copy(attributes, 0, attributes.length, out, to);
  to = copy(draft.headerBytes, draft.headerStart, draft.headerEnd, out, to);
  copy(draft.payloadBytes, draft.payloadStart, draft.payloadEnd, out, to);
}

/** `Buffer.copy` beats `set(subarray)` (no view is made), and a loop beats both below some twenty bytes. */
function copy(source: Uint8Array, start: number, end: number, out: Buffer, to: number): number {
  const length = end - start;
  if (length < 24) {
    for (let i = 0; i < length; i++) out[to + i] = source[start + i] as number;
  } else {
    Buffer.prototype.copy.call(source, out, to, start, end);
  }
  return to + length;
}

/** A message where it lies. Reused: valid until the next `read`. */
export class MessageView {
  bytes: Buffer = Buffer.alloc(0);
  qos: 0 | 1 | 2 = 0;
  retain = false;
  publisherNumber = 0;
  publishedAt = 0;
  expirySeconds: number = noExpiry;
  principalStart = 0;
  principalEnd = 0;
  topicStart = 0;
  topicEnd = 0;
  /** Where the attributes begin, their length included; equal to `headerStart` when there are none. */
  attributesStart = 0;
  headerStart = 0;
  headerEnd = 0;
  payloadStart = 0;
  payloadEnd = 0;
  /** Headers and payload are erased: zeros stand in their place. */
  isBlank = false;

  read(bytes: Buffer, start: number, end: number): this {
    this.bytes = bytes;
    this.isBlank = false;
    const flags = bytes[start] as number;
    this.qos = (flags & 3) as 0 | 1 | 2;
    this.retain = (flags & retainFlag) !== 0;
    this.principalStart = start + messageHeaderBytes;
    this.principalEnd = this.principalStart + (bytes[start + 1] as number);
    this.topicStart = this.principalEnd;
    this.topicEnd = this.topicStart + ((bytes[start + 2] as number) | ((bytes[start + 3] as number) << 8));
    this.publisherNumber = bytes.readUInt32LE(start + 4);
    this.publishedAt = bytes.readDoubleLE(start + 8);
    this.expirySeconds = bytes.readUInt32LE(start + 16);
    this.attributesStart = this.topicEnd;
    this.headerStart = this.topicEnd;
    if ((flags & attributesFlag) !== 0) {
      this.headerStart += 2 + ((bytes[this.topicEnd] as number) | ((bytes[this.topicEnd + 1] as number) << 8));
    }
    this.headerEnd = this.headerStart + bytes.readUInt32LE(start + 20);
    this.payloadStart = this.headerEnd;
    this.payloadEnd = end;
    return this;
  }

  get topic(): string {
    return this.bytes.toString("utf8", this.topicStart, this.topicEnd);
  }

  get principal(): string {
    return this.bytes.toString("utf8", this.principalStart, this.principalEnd);
  }

  get hasAttributes(): boolean {
    return this.headerStart > this.attributesStart;
  }

  /** Seconds left at `now`; `noExpiry` for none; 0 when it is over [MQTT-3.3.2-5, MQTT-3.3.2-6]. */
  secondsLeft(now: number): number {
    if (this.expirySeconds === noExpiry) return noExpiry;
    const elapsed = Math.max(0, Math.floor((now - this.publishedAt) / 1000));
    return Math.max(0, this.expirySeconds - elapsed);
  }
}
