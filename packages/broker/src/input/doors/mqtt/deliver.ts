/** Turns deliveries into PUBLISH packets. One encoder for all connections: a delivery is encoded and gone. */
import { type ProtocolVersion, PublishEncoder, patchPacketId } from "@mess/wire";
import type { DeliveryForm } from "../../../model/link.ts";
import { type MessageView, noExpiry } from "../../../model/message.ts";
import { addPrefix, addProperties, isDeadLetter, topicPrefixOf } from "./delivery-extras.ts";
import type { OutputBuffer } from "./output-buffer.ts";
import type { SharedForms } from "./shared-forms.ts";
import type { OutboundAliases } from "./topic-aliases.ts";

const encoder: PublishEncoder = new PublishEncoder();
const nothing: Uint8Array = new Uint8Array(0);

export interface Receiving {
  readonly forms: SharedForms;
  readonly version: ProtocolVersion;
  readonly output: OutputBuffer;
  readonly maximumPacketSize: number;
  readonly aliases: OutboundAliases | undefined;
  /** It asked for offset, time and the like of what it gets. */
  readonly wantsMeta: boolean;
}

/** False when the packet would be larger than the client takes. */
export function deliver(to: Receiving, message: MessageView, form: DeliveryForm): boolean {
  const hasMeta = to.wantsMeta && form.offset > 0;
  if (hasMeta || form.lease !== undefined || isDeadLetter(message))
    return deliverWithExtras(to, message, form, hasMeta);
  const isPlain =
    to.aliases === undefined && form.subscriptionIdentifiers.length === 0 && form.secondsLeft === noExpiry;
  if (form.sharedSeq !== 0 && isPlain) return deliverShared(to, message, form);
  return deliverOwn(to, message, form);
}

/** Encoded once for all receivers that want the same form; only the packet id is each one's own. */
function deliverShared(to: Receiving, message: MessageView, form: DeliveryForm): boolean {
  const kind = (to.version << 4) | (form.qos << 2) | (form.retain ? 2 : 0) | (form.dup ? 1 : 0);
  let encoded = to.forms.get(form.sharedSeq, kind);
  if (encoded === undefined) {
    prepare(message, form);
    const bytes = Buffer.allocUnsafeSlow(encoder.size(to.version));
    encoder.write(to.version, bytes, 0);
    encoded = { seq: form.sharedSeq, kind, bytes, packetIdAt: encoder.packetIdAt };
    to.forms.put(encoded);
  }
  const { bytes, packetIdAt } = encoded;
  if (bytes.length > to.maximumPacketSize) return false;
  const at = to.output.reserve(bytes.length);
  const chunk = to.output.chunk as Buffer;
  bytes.copy(chunk, at);
  if (form.qos > 0) patchPacketId(chunk, at + packetIdAt, form.packetId);
  return true;
}

function deliverOwn(to: Receiving, message: MessageView, form: DeliveryForm): boolean {
  prepare(message, form);
  if (to.aliases !== undefined) chooseAlias(to, to.aliases, message.topic);
  const size = encoder.size(to.version);
  if (size > to.maximumPacketSize) return false;
  const at = to.output.reserve(size);
  encoder.write(to.version, to.output.chunk as Buffer, at);
  return true;
}

/** With another topic or properties of the broker's. What the client merely asked for is left out where it does not fit. */
function deliverWithExtras(to: Receiving, message: MessageView, form: DeliveryForm, hasMeta: boolean): boolean {
  const { version, maximumPacketSize } = to;
  prepare(message, form);
  const prefix = topicPrefixOf(form);
  addPrefix(encoder, prefix);
  let fits = version === 4 || addProperties(encoder, message, form, hasMeta);
  if (fits && hasMeta && version === 5 && encoder.size(version) > maximumPacketSize) {
    prepare(message, form);
    addPrefix(encoder, prefix);
    fits = addProperties(encoder, message, form, false);
  }
  if (fits && to.aliases !== undefined) chooseAlias(to, to.aliases, prefix + message.topic);
  const size = encoder.size(version);
  if (!fits || size > maximumPacketSize) return false;
  const at = to.output.reserve(size);
  encoder.write(version, to.output.chunk as Buffer, at);
  return true;
}

/** A new alias goes with its topic, and only if the packet still fits: the client must not miss the one that sets it. */
function chooseAlias(to: Receiving, aliases: OutboundAliases, topic: string): void {
  const known = aliases.known(topic);
  if (known !== 0) {
    encoder.topicAlias = known;
    encoder.sendTopic = false;
    return;
  }
  encoder.topicAlias = aliases.free;
  if (encoder.topicAlias === 0) return;
  if (encoder.size(to.version) > to.maximumPacketSize) encoder.topicAlias = 0;
  else aliases.sent(topic);
}

function prepare(message: MessageView, form: DeliveryForm): void {
  encoder.source = message.bytes;
  encoder.topicPrefix = nothing;
  encoder.extraLength = 0;
  encoder.topicStart = message.topicStart;
  encoder.topicEnd = message.topicEnd;
  encoder.forwardStart = message.headerStart;
  encoder.forwardEnd = message.headerEnd;
  encoder.payloadStart = message.payloadStart;
  encoder.payloadEnd = message.payloadEnd;
  encoder.qos = form.qos;
  encoder.retain = form.retain;
  encoder.dup = form.dup;
  encoder.packetId = form.packetId;
  encoder.messageExpiry = form.secondsLeft === noExpiry ? -1 : form.secondsLeft;
  encoder.topicAlias = 0;
  encoder.sendTopic = true;
  encoder.subscriptionIdentifiers = form.subscriptionIdentifiers;
}

/** A PUBLISH as it arrived, without what ends with the connection it came on (its topic alias). */
export function canonicalPublish(source: {
  readonly topic: Uint8Array;
  readonly forward: Uint8Array;
  readonly payload: Uint8Array;
  readonly messageExpiry: number;
}): Buffer {
  const joined = Buffer.concat([source.topic, source.forward, source.payload]);
  encoder.source = joined;
  encoder.topicPrefix = nothing;
  encoder.extraLength = 0;
  encoder.topicStart = 0;
  encoder.topicEnd = source.topic.length;
  encoder.forwardStart = source.topic.length;
  encoder.forwardEnd = source.topic.length + source.forward.length;
  encoder.payloadStart = encoder.forwardEnd;
  encoder.payloadEnd = joined.length;
  encoder.qos = 0;
  encoder.retain = false;
  encoder.dup = false;
  encoder.packetId = 0;
  encoder.messageExpiry = source.messageExpiry;
  encoder.topicAlias = 0;
  encoder.sendTopic = true;
  encoder.subscriptionIdentifiers = [];
  const out = Buffer.allocUnsafe(encoder.size(5));
  encoder.write(5, out, 0);
  return out;
}
