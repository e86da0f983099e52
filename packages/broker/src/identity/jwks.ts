/** Public keys of an issuer as a JWK Set (RFC 7517): read once, bounded, each key for one algorithm and found by its exact `kid`. */
import { createPublicKey } from "node:crypto";
import { type CryptoKey, importJWK, type JWK } from "jose";
import { type JwtAlgorithm, jwtAlgorithms } from "../model/jwt.ts";

export interface JwksKey {
  readonly algorithm: JwtAlgorithm;
  readonly key: CryptoKey;
}

export interface JwksSet {
  readonly keys: ReadonlyMap<string, JwksKey>;
  /** What was left out and why, for the log: `key 2 ("old"): its kid is there twice`. */
  readonly skipped: readonly string[];
}

/** A set is larger only by mistake. */
export const jwksBytesMax: number = 256 * 1_024;
const keysMax = 100;
const kidLengthMax = 128;
const rsaBitsMin = 2_048;
/** Verifying takes longer with each bit. */
const rsaBitsMax = 8_192;
/** Members of private keys (RFC 7518 section 6): with one of them a set is no public one. */
const privateMembers = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] as const;

/** Members of public keys. */
const materialMembers = ["kty", "crv", "x", "y", "n", "e"] as const;

type Members = Readonly<Record<string, unknown>>;

/**
 * Reads a set. Keys that are not for `algorithms`, or broken, are left out; rejects with an `Error` that says why when
 * the text is no set, holds a private or symmetric key, or has no key that can be used. No part of the text is in it.
 */
export async function readJwks(text: string, algorithms: readonly JwtAlgorithm[]): Promise<JwksSet> {
  const keys = new Map<string, JwksKey>();
  const skipped: string[] = [];
  const seen = new Set<string>();
  for (const [index, entry] of entriesOf(text).entries()) {
    const jwk = entry as Members;
    const leaveOut = (why: string): void => {
      skipped.push(`key ${index}${isKid(jwk["kid"]) ? ` (${JSON.stringify(jwk["kid"])})` : ""}: ${why}`);
    };
    const kid = jwk["kid"];
    const algorithm = algorithmOf(jwk);
    if (!isKid(kid)) leaveOut("it has no kid that can be used");
    else if (algorithm === undefined) leaveOut(`it is for none of ${jwtAlgorithms.join(", ")}`);
    else if (seen.has(kid)) {
      // Which of the two is meant cannot be known.
      keys.delete(kid);
      leaveOut("its kid is there twice");
    } else {
      seen.add(kid);
      const key = algorithms.includes(algorithm)
        ? await importKey(jwk, algorithm)
        : `${algorithm} is not in algorithms`;
      if (typeof key === "string") leaveOut(key);
      else keys.set(kid, { algorithm, key });
    }
  }
  if (keys.size === 0) throw new Error(`the key set has no key that can be used (${skipped[0] ?? "it is empty"})`);
  return { keys, skipped };
}

/** A kid is compared and shown, and never a part of a path or an address. */
export function isKid(kid: unknown): kid is string {
  return typeof kid === "string" && kid.length <= kidLengthMax && /^[\x21-\x7e]+$/.test(kid);
}

function entriesOf(text: string): readonly object[] {
  if (text.length > jwksBytesMax) throw new Error(`the key set is larger than ${jwksBytesMax} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error("the key set is no JSON");
  }
  const list =
    typeof value === "object" && value !== null && Object.hasOwn(value, "keys") && (value as Members)["keys"];
  if (!Array.isArray(list)) throw new Error('the key set is no object with an array "keys" (RFC 7517)');
  if (list.length > keysMax) throw new Error(`the key set has more than ${keysMax} keys`);
  for (const [index, entry] of list.entries()) {
    if (typeof entry !== "object" || entry === null || Array.isArray(entry))
      throw new Error(`key ${index} is no object`);
    if (privateMembers.some((member) => Object.hasOwn(entry, member)))
      throw new Error(
        `key ${index} is a private or symmetric key; whoever reads it makes tokens: publish public keys alone`,
      );
  }
  return list as object[];
}

/** By the kind of the key; what its `alg` says must be the same. */
function algorithmOf(jwk: Members): JwtAlgorithm | undefined {
  const { kty, crv, alg, use, key_ops: operations } = jwk;
  if (use !== undefined && use !== "sig") return undefined;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes("verify"))) return undefined;
  const algorithm = kindOf(kty, crv);
  const isSame = alg === undefined || alg === algorithm || (algorithm === "EdDSA" && alg === "Ed25519");
  return isSame ? algorithm : undefined;
}

function kindOf(kty: unknown, crv: unknown): JwtAlgorithm | undefined {
  if (kty === "OKP" && crv === "Ed25519") return "EdDSA";
  if (kty === "EC" && crv === "P-256") return "ES256";
  return kty === "RSA" ? "RS256" : undefined;
}

async function importKey(jwk: Members, algorithm: JwtAlgorithm): Promise<CryptoKey | string> {
  // The rest of the entry (certificates, addresses) is not for us.
  const material = Object.fromEntries(materialMembers.flatMap((name) => (name in jwk ? [[name, jwk[name]]] : [])));
  try {
    const details = createPublicKey({ key: material, format: "jwk" }).asymmetricKeyDetails;
    const bits = details?.modulusLength;
    if (algorithm === "RS256" && (bits === undefined || bits < rsaBitsMin || bits > rsaBitsMax))
      return `an RSA key has ${rsaBitsMin} to ${rsaBitsMax} bits`;
    if (algorithm === "RS256" && !(details?.publicExponent !== undefined && details.publicExponent >= 65_537n))
      return "its public exponent is less than 65537";
    const key = await importJWK(material as JWK, algorithm);
    return key instanceof Uint8Array ? "it is symmetric" : key;
  } catch {
    return "it is broken";
  }
}
