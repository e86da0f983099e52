/** A message that somebody wants published over HTTP, on its way to a draft of the core's. */
import { type Properties, writeForwardProperties } from "@mess/wire";
import type { Limits } from "../../../config/limits.ts";
import { MessageDraft, noExpiry, writeAttributes } from "../../../model/message.ts";
import { formatSignedNonce, type SignedNonce } from "../../../model/signing.ts";
import type { ProblemCode, ProblemError } from "./problem.ts";
import type { MessageOptions } from "./publish-options.ts";

export interface OutgoingMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly options: MessageOptions;
  /** What travels on: content type, response topic, correlation data, user properties. */
  readonly properties: Properties;
}

/** MQTT 5.0 1.5.4, 1.5.6: what the two bytes of a length can say. */
const STRING_BYTES_MAX = 65_535;

type MessageFault = { readonly code: ProblemCode; readonly error: ProblemError };

/** Why a message is refused before the core sees it: its bounds are those of MQTT. */
export function messageFault(message: OutgoingMessage, limits: Limits): MessageFault | undefined {
  const { topic, payload, properties } = message;
  const { contentType = "", correlationData = "", responseTopic = "", userProperties = [] } = properties;
  if (userProperties.length > limits.userPropertiesMax) {
    return invalid("headers", `has more than ${limits.userPropertiesMax} headers`);
  }
  const headerBytes = userProperties.reduce((sum, [name, value]) => sum + bytesOf(name) + bytesOf(value), 0);
  if (headerBytes > limits.userPropertyBytesMax) {
    return invalid("headers", `has headers of more than ${limits.userPropertyBytesMax} bytes`);
  }
  const strings = { contentType, correlationData, headers: userProperties.flat() };
  for (const [path, value] of Object.entries(strings)) {
    const isLong = [value].flat().some((one) => bytesOf(one) > STRING_BYTES_MAX);
    if (isLong) return invalid(path, `has more than ${STRING_BYTES_MAX} bytes`);
  }
  const others = bytesOf(topic) + bytesOf(contentType) + bytesOf(correlationData) + bytesOf(responseTopic);
  if (payload.length + headerBytes + others <= limits.packetBytesMax) return undefined;
  const error = { path: "", message: `topic, headers and payload have more than ${limits.packetBytesMax} bytes` };
  return { code: "too-large", error };
}

function bytesOf(value: string | Uint8Array): number {
  return typeof value === "string" ? Buffer.byteLength(value) : value.length;
}

function invalid(path: string, message: string): MessageFault {
  return { code: "invalid", error: { path, message } };
}

/** QoS 1: it is answered when it is durable. `nonce` of a signature that was verified. */
export function draftOf(message: OutgoingMessage, now: number, nonce: SignedNonce | undefined): MessageDraft {
  const { topic, payload, options } = message;
  const draft = new MessageDraft();
  const headers = writeForwardProperties(travelling(message));
  draft.qos = 1;
  draft.retain = options.retain ?? false;
  draft.expirySeconds = options.expiry ?? noExpiry;
  draft.topicBytes = Buffer.from(topic, "utf8");
  draft.topicEnd = draft.topicBytes.length;
  draft.headerBytes = headers;
  draft.headerEnd = headers.length;
  draft.payloadBytes = payload;
  draft.payloadEnd = payload.length;
  const attributes = attributesOf(options, now);
  draft.attributes = writeAttributes(
    nonce === undefined ? attributes : { ...attributes, nonce: formatSignedNonce(nonce) },
  );
  return draft;
}

/** A consumer gets the signature too, to verify it again. */
function travelling({ properties, options: { signature } }: OutgoingMessage): Properties {
  if (signature === undefined) return properties;
  return { ...properties, userProperties: [...(properties.userProperties ?? []), ["mess-signature", signature]] };
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
