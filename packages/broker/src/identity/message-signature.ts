/**
 * Signatures of messages: JWS in compact form with detached, unencoded payload (RFC 7515, RFC 7797). docs/signing.md is
 * the form for people, docs/vectors/signing.json has examples. There is one way to write each header, so that a
 * signature that was altered in any way is another one, and refused.
 */
import { createHash, createPublicKey, type KeyObject, timingSafeEqual, verify, webcrypto } from "node:crypto";
import {
  nonceBytes,
  type SignatureAlgorithm,
  type SignatureFault,
  type SignedProperties,
  type SigningKeyRecord,
  signatureAlgorithms,
  signatureFault,
} from "../model/signing.ts";
import { isCanonicalSignature } from "./ed25519-point.ts";

/** Of a whole signature, in characters. */
export const signatureLengthMax = 2_048;

export interface MessageSignature {
  readonly algorithm: SignatureAlgorithm;
  readonly keyId: string;
  /** Seconds since 1970. */
  readonly issuedAt: number;
  /** 16 bytes. */
  readonly nonce: Buffer;
  readonly topic: string;
  /** base64url of the SHA-256 of `canonicalProperties`. */
  readonly propertiesHash: string;
  /** The protected header as it came, base64url: what is signed. */
  readonly protectedText: string;
  readonly signature: Buffer;
}

/** Names that begin so are between client and broker, which adds and removes them: they are not signed. */
const reservedPrefix = "mess-";
const contentTypeId = 0x03;
const responseTopicId = 0x08;
const correlationDataId = 0x09;
const userPropertyId = 0x26;
const signatureBytes: Readonly<Record<SignatureAlgorithm, number>> = { EdDSA: 64, HS256: 32 };
const keyIdForm = /^[A-Za-z0-9_-]{1,64}$/;
const hashBytes = 32;

/**
 * The properties that are signed as MQTT 5.0 writes them (section 2.2.2), in this order: content type, response topic,
 * correlation data, user properties by their names' UTF-8 bytes (of equal names in the order they have in the message).
 */
export function canonicalProperties(properties: SignedProperties): Buffer {
  const { contentType, responseTopic, correlationData, userProperties = [] } = properties;
  const parts: Uint8Array[] = [];
  if (contentType !== undefined) addProperty(parts, contentTypeId, contentType);
  if (responseTopic !== undefined) addProperty(parts, responseTopicId, responseTopic);
  if (correlationData !== undefined) addProperty(parts, correlationDataId, correlationData);
  const own = userProperties.filter(([name]) => !name.startsWith(reservedPrefix));
  const named = own.map(([name, value]) => ({ name: Buffer.from(name, "utf8"), value: Buffer.from(value, "utf8") }));
  named.sort((a, b) => a.name.compare(b.name));
  for (const { name, value } of named) addProperty(parts, userPropertyId, name, value);
  return Buffer.concat(parts);
}

function addProperty(parts: Uint8Array[], id: number, ...values: readonly (string | Uint8Array)[]): void {
  parts.push(Uint8Array.of(id));
  for (const value of values) {
    const bytes = typeof value === "string" ? Buffer.from(value, "utf8") : value;
    parts.push(Uint8Array.of(bytes.length >> 8, bytes.length & 0xff), bytes);
  }
}

/** base64url of the SHA-256. */
export function propertiesHash(properties: SignedProperties): string {
  return createHash("sha256").update(canonicalProperties(properties)).digest("base64url");
}

/** The protected header: its members in this order, without spaces, as `JSON.stringify` writes them. */
export function canonicalHeader(header: {
  readonly algorithm: string;
  readonly keyId: string;
  readonly issuedAt: number;
  readonly nonce: Uint8Array;
  readonly topic: string;
  readonly propertiesHash: string;
}): string {
  const { algorithm: alg, keyId: kid, issuedAt: iat, topic, propertiesHash: props } = header;
  const jti = Buffer.from(header.nonce).toString("base64url");
  return JSON.stringify({ alg, b64: false, crit: ["b64"], kid, iat, jti, mess: { topic, props } });
}

/** Never throws. Whether it holds, and for which message, is asked afterwards. */
export function parseMessageSignature(text: string): MessageSignature | SignatureFault {
  if (text.length > signatureLengthMax) return bad(`a signature has ${signatureLengthMax} characters at most`);
  const [protectedText = "", payload, signatureText = "", ...others] = text.split(".");
  if (payload !== "" || others.length > 0) return bad("it is not a JWS in compact form with detached payload");
  const header = bytesOf(protectedText);
  const signature = bytesOf(signatureText);
  if (header === undefined || signature === undefined) return bad("header or signature is not base64url");
  const read = readHeader(header);
  if (typeof read === "string") return bad(read);
  if (signature.length !== signatureBytes[read.algorithm]) {
    return bad(`an ${read.algorithm} signature has ${signatureBytes[read.algorithm]} bytes`);
  }
  return { ...read, protectedText, signature };
}

/** base64url without padding and with no bits left over: one text for the same bytes. */
function bytesOf(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64url");
  return bytes.toString("base64url") === text ? bytes : undefined;
}

type Header = Omit<MessageSignature, "protectedText" | "signature">;

function readHeader(bytes: Buffer): Header | string {
  const header = recordOf(parsedJson(bytes.toString("utf8")));
  const { topic, props } = recordOf(header["mess"]);
  const { alg, kid, iat, jti } = header;
  const algorithm = signatureAlgorithms.find((known) => known === alg);
  if (algorithm === undefined) return `"alg" must be one of ${signatureAlgorithms.join(", ")}`;
  if (typeof kid !== "string" || !keyIdForm.test(kid)) return '"kid" is not the id of a signing key';
  if (!isSeconds(iat)) return '"iat" must be whole seconds since 1970';
  const nonce = typeof jti === "string" ? bytesOf(jti) : undefined;
  if (nonce?.length !== nonceBytes) return `"jti" must be the base64url of ${nonceBytes} random bytes`;
  if (typeof topic !== "string") return '"mess" must have the topic';
  if (typeof props !== "string" || bytesOf(props)?.length !== hashBytes)
    return '"mess" must have the hash of properties';
  const read = { algorithm, keyId: kid, issuedAt: iat, nonce, topic, propertiesHash: props };
  // Compared as bytes: what is not UTF-8 was read as something else.
  if (!Buffer.from(canonicalHeader(read), "utf8").equals(bytes)) {
    return "the protected header has other members, another order or another spelling than the canonical form";
  }
  return read;
}

function isSeconds(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

/** Everything but the arithmetic; `undefined` when it fits. The key is `undefined` for an unknown id. */
export function signatureMismatch(
  signature: MessageSignature,
  key: Pick<SigningKeyRecord, "principal" | "algorithm"> | undefined,
  message: { readonly principal: string; readonly topic: string; readonly properties: SignedProperties },
): SignatureFault | undefined {
  // One text for both: who has which key is nobody else's business.
  if (key === undefined || key.principal !== message.principal) {
    return bad(`"${message.principal}" has no signing key "${signature.keyId}"`);
  }
  // The key says which algorithm it is for, never the signature: a public key is no secret (THREATS D2).
  if (key.algorithm !== signature.algorithm) return bad(`the key is for ${key.algorithm}, not ${signature.algorithm}`);
  if (signature.topic !== message.topic) return bad("it was made for another topic");
  if (signature.propertiesHash !== propertiesHash(message.properties)) {
    return bad("it was made for other properties (content type, response topic, correlation data, user properties)");
  }
  return undefined;
}

/** What a key verifies with; made once a key. */
export type SignatureKey =
  | { readonly algorithm: "EdDSA"; readonly key: KeyObject }
  | { readonly algorithm: "HS256"; readonly key: webcrypto.CryptoKey };

export async function importSignatureKey({ algorithm, key }: SigningKeyRecord): Promise<SignatureKey> {
  if (algorithm === "EdDSA") {
    const x = Buffer.from(key).toString("base64url");
    return { algorithm, key: createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" }) };
  }
  const form = { name: "HMAC", hash: "SHA-256" };
  return { algorithm, key: await webcrypto.subtle.importKey("raw", key, form, false, ["sign"]) };
}

/** On the thread pool, whatever the size of the payload: the loop goes on. */
export async function signatureHolds(
  { protectedText, signature }: Pick<MessageSignature, "protectedText" | "signature">,
  key: SignatureKey,
  payload: Uint8Array,
): Promise<boolean> {
  const signed = Buffer.concat([Buffer.from(`${protectedText}.`, "latin1"), payload]);
  if (key.algorithm === "HS256") {
    const wanted = Buffer.from(await webcrypto.subtle.sign("HMAC", key.key, signed));
    return wanted.length === signature.length && timingSafeEqual(wanted, signature);
  }
  if (!isCanonicalSignature(signature)) return false;
  return new Promise((resolve) => {
    verify(null, signed, key.key, signature, (error, holds) => resolve(error === null && holds));
  });
}

function bad(text: string): SignatureFault {
  return signatureFault("sig.bad", text);
}
