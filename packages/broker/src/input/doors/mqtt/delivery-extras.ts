/** What the broker adds to one copy of a message: another topic, and properties of its own. Off the fast path. */
import { type Properties, type PublishEncoder, readProperties, writeForwardProperties } from "@mess/wire";
import type { DeliveryForm } from "../../../model/link.ts";
import { type MessageView, readAttributes } from "../../../model/message.ts";
import type { Lease } from "../../../model/queue.ts";
import { deadLetterPrefix, leasePrefix, queuePrefix } from "../../../model/settings.ts";
import { PropertyBytes } from "./property-bytes.ts";

const dollar = 0x24;
const deadPrefix: Buffer = Buffer.from(deadLetterPrefix, "utf8");
const extras: PropertyBytes = new PropertyBytes();
const noBytes: Uint8Array = new Uint8Array(0);
/** Bytes of a string in MQTT. */
const stringBytesMax = 65_535;

export function isDeadLetter(message: MessageView): boolean {
  const { bytes, topicStart, topicEnd } = message;
  if (bytes[topicStart] !== dollar || topicEnd - topicStart <= deadPrefix.length) return false;
  return deadPrefix.compare(bytes, topicStart, topicStart + deadPrefix.length) === 0;
}

/** What goes before the topic: a declared subscription is read below a name of its own, which its filter matches. */
export function topicPrefixOf(form: DeliveryForm): string {
  return form.lease === undefined || form.plainTopic ? "" : `${queuePrefix}${form.lease.subscription}/`;
}

let lastPrefix = "";
let lastPrefixBytes: Uint8Array = noBytes;

export function addPrefix(encoder: PublishEncoder, prefix: string): void {
  if (prefix !== lastPrefix) {
    lastPrefix = prefix;
    lastPrefixBytes = prefix === "" ? noBytes : Buffer.from(prefix, "utf8");
  }
  encoder.topicPrefix = lastPrefixBytes;
}

/**
 * Fills the encoder with the properties that the broker adds for a client of 5.0: always those of dead letters and
 * explicit leases, and with `meta` what the client asked for. False when a property cannot be written.
 */
export function addProperties(
  encoder: PublishEncoder,
  message: MessageView,
  form: DeliveryForm,
  meta: boolean,
): boolean {
  const { lease } = form;
  extras.clear();
  const isExplicit = lease !== undefined && lease.token !== "";
  if (isExplicit && !addToken(encoder, message, lease)) return false;
  if (lease !== undefined && (isExplicit || meta)) extras.user("mess-attempt", String(lease.attempt));
  const isDead = isDeadLetter(message);
  const attributes = message.hasAttributes && (isDead || meta) ? readAttributes(message) : {};
  if (isDead) {
    extras.user("mess-dead-reason", attributes.reason ?? "");
    extras.user("mess-attempts", String(attributes.attempts ?? 0));
    extras.user("mess-origin-topic", attributes.originTopic ?? "");
    extras.user("mess-origin-offset", String(attributes.origin ?? 0));
  }
  if (meta) {
    extras.user("mess-offset", String(form.offset));
    extras.user("mess-time", timeText(message.publishedAt));
    extras.user("mess-publisher", message.principal);
    if (attributes.key !== undefined) extras.user("mess-key", attributes.key);
    if (lease !== undefined) extras.user("mess-subscription", lease.subscription);
  }
  encoder.extra = extras.bytes;
  encoder.extraLength = extras.length;
  return true;
}

let lastTime = 0;
let lastTimeText: string = new Date(0).toISOString();

/** RFC 3339. Many messages are of the same millisecond, and the text is dear. */
function timeText(milliseconds: number): string {
  if (milliseconds !== lastTime) {
    lastTime = milliseconds;
    lastTimeText = new Date(milliseconds).toISOString();
  }
  return lastTimeText;
}

/** The token takes the place of the publisher's own Response Topic and Correlation Data, which go as user properties. */
function addToken(encoder: PublishEncoder, message: MessageView, lease: Lease): boolean {
  const own: Properties =
    message.headerEnd > message.headerStart
      ? (readProperties(message.bytes, message.headerStart, message.headerEnd) ?? {})
      : {};
  const { responseTopic, correlationData, ...others } = own;
  if (responseTopic !== undefined || correlationData !== undefined) {
    encoder.forwardStart = 0;
    encoder.forwardEnd = 0;
    extras.append(writeForwardProperties(others));
  }
  extras.responseTopic(leasePrefix + lease.subscription);
  extras.correlationData(lease.token);
  if (responseTopic !== undefined) extras.user("mess-response-topic", responseTopic);
  if (correlationData === undefined) return true;
  const text = Buffer.from(correlationData).toString("base64url");
  if (text.length > stringBytesMax) return false;
  extras.user("mess-correlation-data", text);
  return true;
}
