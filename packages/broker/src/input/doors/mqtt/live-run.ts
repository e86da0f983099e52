/** Walks the packets of a run of QoS 0 publishes (model/link.ts) as messages. The bytes were checked by the decoder. */
import type { LiveRun } from "../../../model/link.ts";
import { MessageView, noExpiry } from "../../../model/message.ts";

const messageExpiryProperty = 0x02;
const view: MessageView = new MessageView();

/** `wireForm` is the protocol version the packets are in. `visit` gets one view again and again. */
export function eachMessage(run: LiveRun, wireForm: number, visit: (message: MessageView) => void): void {
  let at = run.start;
  while (at < run.end) {
    at = readPacket(run.bytes, at, wireForm);
    visit(view);
  }
}

function readPacket(bytes: Buffer, start: number, wireForm: number): number {
  let at = start + 1;
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++] as number;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  const end = at + length;
  const topicLength = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  view.bytes = bytes;
  view.qos = 0;
  view.retain = false;
  view.topicStart = at + 2;
  view.topicEnd = at + 2 + topicLength;
  view.expirySeconds = noExpiry;
  at = view.topicEnd;
  // What is said to the broker does not travel in runs.
  view.attributesStart = at;
  view.headerStart = at;
  view.headerEnd = at;
  if (wireForm === 5) at = readHeaders(bytes, at);
  view.payloadStart = at;
  view.payloadEnd = end;
  return end;
}

function readHeaders(bytes: Buffer, start: number): number {
  let at = start;
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++] as number;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  const end = at + length;
  // Packets with an expiry were written by `canonicalPublish`, which puts it first.
  if (length >= 5 && bytes[at] === messageExpiryProperty) {
    view.expirySeconds = bytes.readUInt32BE(at + 1);
    at += 5;
  }
  view.attributesStart = at;
  view.headerStart = at;
  view.headerEnd = end;
  return end;
}
