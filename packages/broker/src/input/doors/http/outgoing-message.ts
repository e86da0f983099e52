/** A message that somebody wants published over HTTP, on its way to a draft of the core's. */
import { type Properties, writeForwardProperties } from "@mess/wire";
import type { Limits } from "../../../config/limits.ts";
import { MessageDraft, noExpiry, writeAttributes } from "../../../model/message.ts";
import type { ProblemCode, ProblemError } from "./problem.ts";
import type { MessageOptions } from "./publish-options.ts";

export interface OutgoingMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly options: MessageOptions;
  /** What travels on: content type, response topic, correlation data, user properties. */
  readonly properties: Properties;
}

/** Why a message is refused before the core sees it: its bounds are those of MQTT. */
export function messageFault(
  message: OutgoingMessage,
  limits: Limits,
): { readonly code: ProblemCode; readonly error: ProblemError } | undefined {
  const { topic, payload, properties } = message;
  const pairs = properties.userProperties ?? [];
  if (pairs.length > limits.userPropertiesMax) return invalid(`has more than ${limits.userPropertiesMax} headers`);
  const headerBytes = pairs.reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value), 0);
  if (headerBytes > limits.userPropertyBytesMax) {
    return invalid(`has headers of more than ${limits.userPropertyBytesMax} bytes`);
  }
  const bytes = payload.length + headerBytes + Buffer.byteLength(topic);
  if (bytes <= limits.packetBytesMax) return undefined;
  const error = { path: "", message: `topic, headers and payload have more than ${limits.packetBytesMax} bytes` };
  return { code: "too-large", error };
}

function invalid(message: string): { readonly code: ProblemCode; readonly error: ProblemError } {
  return { code: "invalid", error: { path: "headers", message } };
}

/** QoS 1: it is answered when it is durable. */
export function draftOf({ topic, payload, options, properties }: OutgoingMessage, now: number): MessageDraft {
  const draft = new MessageDraft();
  const headers = writeForwardProperties(properties);
  draft.qos = 1;
  draft.retain = options.retain ?? false;
  draft.expirySeconds = options.expiry ?? noExpiry;
  draft.topicBytes = Buffer.from(topic, "utf8");
  draft.topicEnd = draft.topicBytes.length;
  draft.headerBytes = headers;
  draft.headerEnd = headers.length;
  draft.payloadBytes = payload;
  draft.payloadEnd = payload.length;
  draft.attributes = writeAttributes(attributesOf(options, now));
  return draft;
}

function attributesOf(options: MessageOptions, now: number): Parameters<typeof writeAttributes>[0] {
  const { key, id, priority, delay, at } = options;
  const deliverAt = delay === undefined ? at : now + delay;
  return {
    ...(key !== undefined && { key }),
    ...(id !== undefined && { id }),
    ...(priority !== undefined && { priority }),
    ...(deliverAt !== undefined && deliverAt > now && { deliverAt }),
  };
}
