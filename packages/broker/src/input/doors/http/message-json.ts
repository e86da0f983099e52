/** Messages as the JSON that pulls, event streams and pages of messages hold. What is read can be published again. */
import { isUtf8 } from "node:buffer";
import { type Properties, readProperties } from "@mess/wire";
import { z } from "zod";
import { type MessageAttributes, type MessageView, noExpiry, readAttributes } from "../../../model/message.ts";
import type { Lease } from "../../../model/queue.ts";
import type { StoredMessage } from "../../../model/queue-administration.ts";

const headers = z
  .record(z.string(), z.union([z.string(), z.array(z.string())]))
  .describe("user properties of MQTT 5.0; an array where a name comes more than once");

const messageFields = {
  offset: z.int().min(0).describe("place in the journal's total order; 0 for what is not stored (QoS 0)"),
  topic: z.string(),
  publisher: z.string().describe("principal"),
  time: z.iso.datetime().describe("when it was published"),
  retain: z.literal(true).optional(),
  key: z.string().optional(),
  id: z.string().optional(),
  priority: z.int().min(0).max(9).optional(),
  expirySeconds: z.int().optional().describe("seconds left"),
  contentType: z.string().optional(),
  responseTopic: z.string().optional(),
  correlationDataBase64: z.string().optional(),
  signature: z.string().optional().describe("of a signed message: JWS with detached payload"),
  headers,
  payload: z.string().optional().describe("when the payload is valid UTF-8"),
  payloadBase64: z.string().optional().describe("when it is not"),
  dead: z
    .strictObject({
      reason: z.string(),
      attempts: z.int(),
      topic: z.string().describe("topic it was published to"),
      offset: z.int().describe("offset it had there"),
    })
    .optional()
    .describe("of a dead letter"),
};

export const messageSchema: z.ZodObject = z.strictObject(messageFields).meta({ id: "Message" });

export const leasedMessageSchema: z.ZodObject = z
  .strictObject({
    token: z.string().describe("settles it, once"),
    attempt: z
      .int()
      .min(1)
      .describe("1 for the first delivery; nacks and expired leases count, lost connections do not"),
    leaseExpiresAt: z.iso.datetime().describe("settle or extend before"),
    ...messageFields,
  })
  .meta({ id: "LeasedMessage" });

/** As `messageSchema` and `leasedMessageSchema` describe it. */
export type MessageJson = Readonly<Record<string, unknown>>;

interface MessageParts {
  readonly offset: number;
  readonly topic: string;
  readonly publisher: string;
  readonly time: number;
  readonly retain: boolean;
  readonly secondsLeft: number;
  readonly attributes: MessageAttributes;
  readonly properties: Properties;
  readonly payload: Buffer;
}

export interface ViewForm {
  readonly offset: number;
  readonly retain: boolean;
  /** Seconds, or `noExpiry`. */
  readonly secondsLeft: number;
}

/** Copies what it needs: the view may be gone afterwards. */
export function viewJson(message: MessageView, form: ViewForm): MessageJson {
  return json({
    offset: form.offset,
    topic: message.topic,
    publisher: message.principal,
    time: message.publishedAt,
    retain: form.retain,
    secondsLeft: form.secondsLeft,
    attributes: message.hasAttributes ? readAttributes(message) : {},
    properties: readProperties(message.bytes, message.headerStart, message.headerEnd) ?? {},
    payload: message.bytes.subarray(message.payloadStart, message.payloadEnd),
  });
}

export function leasedJson(message: MessageView, lease: Lease): MessageJson {
  const { offset, secondsLeft } = lease;
  return {
    token: lease.token,
    attempt: lease.attempt,
    leaseExpiresAt: timeText(lease.expiresAt),
    ...viewJson(message, { offset, secondsLeft, retain: false }),
  };
}

export function storedJson(message: StoredMessage): MessageJson {
  const { payload } = message;
  return json({
    ...message,
    secondsLeft: noExpiry,
    properties: readProperties(message.headers, 0, message.headers.length) ?? {},
    payload: Buffer.from(payload.buffer, payload.byteOffset, payload.length),
  });
}

/** RFC 3339, in UTC with milliseconds. */
export function timeText(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

function json(parts: MessageParts): MessageJson {
  const { attributes, properties, payload, retain } = parts;
  const { key, id, priority, reason, attempts, originTopic, origin } = attributes;
  const { contentType, responseTopic, correlationData } = properties;
  const userProperties = properties.userProperties ?? [];
  const signature = userProperties.find(([name]) => name === "mess-signature")?.[1];
  const isDead = originTopic !== undefined;
  return {
    offset: parts.offset,
    topic: parts.topic,
    publisher: parts.publisher,
    time: timeText(parts.time),
    ...(retain && { retain }),
    ...(key !== undefined && { key }),
    ...(id !== undefined && { id }),
    ...(priority !== undefined && { priority }),
    ...(parts.secondsLeft !== noExpiry && { expirySeconds: parts.secondsLeft }),
    ...(contentType !== undefined && { contentType }),
    ...(responseTopic !== undefined && { responseTopic }),
    ...(correlationData !== undefined && { correlationDataBase64: base64(correlationData) }),
    ...(signature !== undefined && { signature }),
    headers: headersJson(userProperties.filter(([name]) => name !== "mess-signature")),
    ...(isUtf8(payload) ? { payload: payload.toString("utf8") } : { payloadBase64: payload.toString("base64") }),
    ...(isDead && { dead: { reason: reason ?? "", attempts: attempts ?? 0, topic: originTopic, offset: origin ?? 0 } }),
  };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}

function headersJson(pairs: readonly (readonly [string, string])[]): Record<string, string | string[]> {
  const found = new Map<string, string | string[]>();
  for (const [name, value] of pairs) {
    const earlier = found.get(name);
    if (earlier === undefined) found.set(name, value);
    else if (typeof earlier === "string") found.set(name, [earlier, value]);
    else earlier.push(value);
  }
  // Own members whatever their names: `__proto__` is one like any other.
  return Object.fromEntries(found);
}
