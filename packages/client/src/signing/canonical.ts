/** The form of what is signed (docs/signing.md); written with what browsers have. */
import type { Properties, UserProperties } from "@mess/wire";
import type { SignedContent } from "../message-signing.ts";

export interface SignatureHeader {
  readonly alg: string;
  readonly kid: string;
  /** Seconds since 1970. */
  readonly iat: number;
  /** base64url of 16 random bytes. */
  readonly jti: string;
  readonly topic: string;
  /** base64url of the SHA-256 of the properties. */
  readonly props: string;
}

const encoder = new TextEncoder();
const contentTypeId = 0x03;
const responseTopicId = 0x08;
const correlationDataId = 0x09;
const userPropertyId = 0x26;

/** Its members in this order, as they have to be. */
export function headerText({ alg, kid, iat, jti, topic, props }: SignatureHeader): string {
  return JSON.stringify({ alg, b64: false, crit: ["b64"], kid, iat, jti, mess: { topic, props } });
}

/** What the algorithm signs. */
export function signedBytes(protectedText: string, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const head = encoder.encode(`${protectedText}.`);
  const bytes = new Uint8Array(head.length + payload.length);
  bytes.set(head);
  bytes.set(payload, head.length);
  return bytes;
}

export async function propertiesHash(properties: Properties): Promise<string> {
  return base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", canonicalProperties(properties))));
}

function canonicalProperties(properties: Properties): Uint8Array<ArrayBuffer> {
  const { contentType, responseTopic, correlationData, userProperties = [] } = properties;
  const bytes: number[] = [];
  if (contentType !== undefined) add(bytes, contentTypeId, encoder.encode(contentType));
  if (responseTopic !== undefined) add(bytes, responseTopicId, encoder.encode(responseTopic));
  if (correlationData !== undefined) add(bytes, correlationDataId, correlationData);
  const named = userProperties
    .filter(([name]) => !name.startsWith("mess-"))
    .map(([name, value]) => ({ name: encoder.encode(name), value: encoder.encode(value) }));
  // The sort is stable: those of one name stay in their order.
  named.sort((a, b) => compare(a.name, b.name));
  for (const { name, value } of named) add(bytes, userPropertyId, name, value);
  return Uint8Array.from(bytes);
}

function add(bytes: number[], id: number, ...values: readonly Uint8Array[]): void {
  bytes.push(id);
  for (const value of values) {
    bytes.push(value.length >> 8, value.length & 0xff);
    for (const byte of value) bytes.push(byte);
  }
}

function compare(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

const deadPrefix = "$mess/dead/";
const queuePrefix = "$mess/queue/";
const leasePrefix = "$mess/lease/";

/**
 * The message as its publisher signed it: a declared subscription is read below a topic of its own and with a token in
 * place of response topic and correlation data, and a dead letter has another topic.
 */
export function asPublished({ topic, payload, properties }: SignedContent): SignedContent {
  const { responseTopic, correlationData, ...others } = properties;
  const told = new Map(properties.userProperties ?? []);
  const name = told.get("mess-origin-topic");
  const read = topic.startsWith(queuePrefix) ? topic.slice(topic.indexOf("/", queuePrefix.length) + 1) : topic;
  const origin = read.startsWith(deadPrefix) && name !== undefined ? name : read;
  if (responseTopic?.startsWith(leasePrefix) !== true) return { topic: origin, payload, properties };
  const own = told.get("mess-response-topic");
  const data = told.get("mess-correlation-data");
  return {
    topic: origin,
    payload,
    properties: {
      ...others,
      ...(own !== undefined && { responseTopic: own }),
      ...(data !== undefined && { correlationData: bytesOf(data) ?? new Uint8Array(0) }),
    },
  };
}

export function signatureOf(userProperties: UserProperties | undefined): string | undefined {
  return userProperties?.find(([name]) => name === "mess-signature")?.[1];
}

export function base64url(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Undefined when the text is not the base64url of anything. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[\w-]*$/u.test(text) || text.length % 4 === 1) return undefined;
  const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (digit) => digit.charCodeAt(0));
  return base64url(bytes) === text ? bytes : undefined;
}
