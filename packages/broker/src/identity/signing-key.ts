/** Keys of signed messages as they come and go: PEM, new ids, new secrets. */
import { createPublicKey, type KeyObject } from "node:crypto";
import { publicKeyProblem } from "./ed25519-point.ts";

const pemLengthMax = 1_024;
const idBytes = 12;
const secretBytes = 32;

/** The 32 bytes of an Ed25519 public key, or why it is none that can be used. */
export function readPublicKey(pem: string): Uint8Array | { readonly problem: string } {
  const text = pem.trim();
  if (/PRIVATE KEY/.test(text)) {
    return {
      problem: "that is a private key, which stays with its owner; `openssl pkey -pubout` makes the public one of it",
    };
  }
  if (text.length > pemLengthMax || !text.startsWith("-----BEGIN PUBLIC KEY-----")) {
    return { problem: "a public key is SPKI in PEM (-----BEGIN PUBLIC KEY-----)" };
  }
  const key = parsed(text);
  if (key === undefined) return { problem: "the PEM cannot be read" };
  const { kty, crv, x } = key.asymmetricKeyType === "ed25519" ? key.export({ format: "jwk" }) : {};
  if (kty !== "OKP" || crv !== "Ed25519" || typeof x !== "string") {
    return { problem: `the key is for ${key.asymmetricKeyType ?? "nothing known"}; only Ed25519 keys are taken` };
  }
  const bytes = Buffer.from(x, "base64url");
  const problem = publicKeyProblem(bytes);
  return problem === "" ? bytes : { problem };
}

function parsed(pem: string): KeyObject | undefined {
  try {
    return createPublicKey({ key: pem, format: "pem", type: "spki" });
  } catch {
    return undefined;
  }
}

/** SPKI in PEM of the 32 bytes. */
export function publicKeyPem(key: Uint8Array): string {
  const x = Buffer.from(key).toString("base64url");
  return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" }).export({
    format: "pem",
    type: "spki",
  }) as string;
}

/** `random` returns that many bytes of a cryptographic source. */
export function newSigningKeyId(random: (length: number) => Uint8Array): string {
  return `sk_${Buffer.from(random(idBytes)).toString("base64url")}`;
}

/** As long as the hash: no longer one would be stronger (RFC 2104, section 3). */
export function newSigningSecret(random: (length: number) => Uint8Array): Uint8Array {
  return random(secretBytes);
}
