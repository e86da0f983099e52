/** Signed publishes: keys that verify them, and what is remembered of each. How a signature looks is docs/signing.md. */

/** Names as JOSE has them (RFC 7518, RFC 8037). */
export const signatureAlgorithms = ["EdDSA", "HS256"] as const;
export type SignatureAlgorithm = (typeof signatureAlgorithms)[number];

/** A key that says which messages are a principal's. */
export interface SigningKeyRecord {
  /** `sk_…`: what a signature names as `kid`. */
  readonly id: string;
  /** Nobody else may publish what it signed (THREATS A16). */
  readonly principal: string;
  readonly name: string;
  readonly algorithm: SignatureAlgorithm;
  /** Ed25519: the 32 bytes of the public key. HMAC: the secret, never shown again. */
  readonly key: Uint8Array;
  /** Wall-clock milliseconds. */
  readonly createdAt: number;
}

/** Bytes of the number used once (`jti`). */
export const nonceBytes = 16;

/** Why a signed message, or one that should be signed, is not taken; the words clients and the audit trail see. */
export const signatureProblems = ["sig.bad", "sig.required", "sig.replay", "sig.stale", "sig.busy"] as const;
export type SignatureProblem = (typeof signatureProblems)[number];

export interface SignatureFault {
  readonly problem: SignatureProblem;
  /** For people; begins with the problem. */
  readonly text: string;
}

export function signatureFault(problem: SignatureProblem, text: string): SignatureFault {
  return { problem, text: `${problem}: ${text}` };
}

/** `issuedAt` in seconds, the others in milliseconds. A signature from the future is as stale as one of old (THREATS C5). */
export function isTimely(issuedAt: number, now: number, windowMs: number): boolean {
  return Math.abs(now - issuedAt * 1_000) <= windowMs;
}

/** What the journal says of a new key. */
export interface SigningKeyAdded {
  readonly id: string;
  readonly principal: string;
  readonly name: string;
  readonly algorithm: SignatureAlgorithm;
  /** base64 */
  readonly key: string;
  readonly createdAt: number;
  readonly by: string;
}

export interface SigningKeyRemoved {
  readonly id: string;
  readonly by: string;
}

/** What the journal keeps of a signature, with its message, so that it is not taken again. */
export interface SignedNonce {
  readonly keyId: string;
  /** 16 bytes. */
  readonly nonce: Buffer;
  /** Seconds since 1970. */
  readonly issuedAt: number;
  /** Of the packet that brought it; 0 for none. */
  readonly packetId: number;
}

/** As the attribute `nonce` has it. */
export function formatSignedNonce({ keyId, nonce, issuedAt, packetId }: SignedNonce): string {
  return `${keyId} ${nonce.toString("base64url")} ${issuedAt} ${packetId}`;
}

/** Of what `formatSignedNonce` wrote. */
export function parseSignedNonce(text: string): SignedNonce {
  const [keyId = "", nonce = "", issuedAt = "", packetId = ""] = text.split(" ");
  return {
    keyId,
    nonce: Buffer.from(nonce, "base64url"),
    issuedAt: Number(issuedAt),
    packetId: Number(packetId),
  };
}

/** What of a message's properties is signed. Absent and empty are not the same. */
export interface SignedProperties {
  readonly contentType?: string | undefined;
  readonly responseTopic?: string | undefined;
  readonly correlationData?: Uint8Array | undefined;
  readonly userProperties?: readonly (readonly [name: string, value: string])[] | undefined;
}

/** A message as a door received it, with its signature. */
export interface SignedMessage {
  readonly principal: string;
  readonly topic: string;
  readonly properties: SignedProperties;
  /** Not to be changed until the verdict is there. */
  readonly payload: Uint8Array;
  /** As `mess-signature` has it. */
  readonly signature: string;
}

/** `nonce` is what the message has to bear in the journal; undefined where its topic asks for no verification. */
export type SignatureVerdict = { readonly nonce: Omit<SignedNonce, "packetId"> | undefined } | SignatureFault;

/** Whether a signature holds, and is of the right key. Whether it was taken before the engine says, when it takes the message. */
export interface SignatureVerifier {
  /** At once where no arithmetic is needed; a promise never rejects. Refusals are audited here. */
  verify(message: SignedMessage): SignatureVerdict | Promise<SignatureVerdict>;
}

export function isFault(verdict: SignatureVerdict): verdict is SignatureFault {
  return "problem" in verdict;
}
