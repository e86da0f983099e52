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
export type SignatureProblem = "sig.bad" | "sig.required" | "sig.replay" | "sig.stale" | "sig.busy";

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
