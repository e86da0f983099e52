import { MessError } from "../mess-error.ts";

/**
 * A JSON Web Key as `mess signing-key` writes it: Ed25519 (`kty` OKP; private with `d`) or a shared secret (`kty` oct).
 * `kid` is the id the broker knows it by.
 */
export interface SigningJwk {
  readonly kid?: string;
  readonly alg?: string;
  readonly kty?: string;
  readonly crv?: string;
  readonly x?: string;
  readonly d?: string;
  readonly k?: string;
}

/** Node and browsers name it differently. */
type WebCryptoKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

export interface ImportedKey {
  readonly kid: string;
  readonly alg: "EdDSA" | "HS256";
  readonly algorithm: "Ed25519" | "HMAC";
  readonly key: WebCryptoKey;
}

/** @throws MessError INVALID_ARGUMENT */
export async function importKey(jwk: SigningJwk, use: "sign" | "verify"): Promise<ImportedKey> {
  const { kid, kty, crv, x, d, k } = jwk;
  if (kid === undefined || kid === "") throw wrong("it has no kid, the id the broker knows it by");
  if (kty === "oct" && k !== undefined) {
    const key = await imported({ kty, k }, { name: "HMAC", hash: "SHA-256" }, use);
    return { kid, alg: "HS256", algorithm: "HMAC", key };
  }
  if (kty !== "OKP" || crv !== "Ed25519" || x === undefined) throw wrong("it is neither Ed25519 nor a shared secret");
  if (use === "sign" && d === undefined) throw wrong("it is a public key, and signing takes the private one");
  const key = await imported({ kty, crv, x, ...(use === "sign" && { d }) }, "Ed25519", use);
  return { kid, alg: "EdDSA", algorithm: "Ed25519", key };
}

async function imported(
  jwk: SigningJwk,
  algorithm: "Ed25519" | { readonly name: "HMAC"; readonly hash: "SHA-256" },
  use: "sign" | "verify",
): Promise<WebCryptoKey> {
  try {
    return await crypto.subtle.importKey("jwk", jwk, algorithm, false, [use]);
  } catch (cause) {
    throw wrong("it cannot be used here", cause);
  }
}

function wrong(what: string, cause?: unknown): MessError {
  return new MessError("INVALID_ARGUMENT", `the signing key is not one that can be used: ${what}`, {
    hint: "mess signing-key add PRINCIPAL --out FILE makes one",
    cause,
  });
}
