/** Issuers with keys of every kind, and tokens of them as the tests want them. */
import { createHmac, generateKeyPairSync, type KeyObject } from "node:crypto";
import { type JWK, SignJWT } from "jose";
import type { JwtAlgorithm } from "../model/jwt.ts";
import { type JwksKey, readJwks } from "./jwks.ts";
import type { JwksSource } from "./jwks-source.ts";
import type { JwtIssuer } from "./jwt.ts";

export interface TestKey {
  readonly kid: string;
  readonly algorithm: JwtAlgorithm;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly jwk: JWK;
}

export function testKey(kid: string, algorithm: JwtAlgorithm = "EdDSA"): TestKey {
  const { publicKey, privateKey } = pairOf(algorithm);
  const jwk = { ...(publicKey.export({ format: "jwk" }) as JWK), kid, alg: algorithm, use: "sig" };
  return { kid, algorithm, publicKey, privateKey, jwk };
}

function pairOf(algorithm: JwtAlgorithm): { publicKey: KeyObject; privateKey: KeyObject } {
  if (algorithm === "EdDSA") return generateKeyPairSync("ed25519");
  if (algorithm === "ES256") return generateKeyPairSync("ec", { namedCurve: "P-256" });
  return generateKeyPairSync("rsa", { modulusLength: 2_048 });
}

export function jwksText(...keys: readonly (TestKey | object)[]): string {
  return JSON.stringify({ keys: keys.map((key) => ("jwk" in key ? key.jwk : key)) });
}

export async function fixedKeys(...keys: readonly TestKey[]): Promise<JwksSource> {
  const set = await readJwks(jwksText(...keys), ["EdDSA", "ES256", "RS256"]);
  return { find: (kid): Promise<JwksKey | undefined> => Promise.resolve(set.keys.get(kid)) };
}

/** 2027-01-15T08:00:00Z */
export const nowMs = 1_800_000_000_000;
const nowSeconds = nowMs / 1_000;

export function issuerOf(keys: JwksSource, more: Partial<JwtIssuer> = {}): JwtIssuer {
  return {
    name: "idp",
    issuer: "https://idp.example/",
    audience: ["mess"],
    algorithms: ["EdDSA", "ES256", "RS256"],
    principalClaim: "sub",
    principalPrefix: "",
    clockToleranceMs: 30_000,
    maxLifetimeMs: 86_400_000,
    keys,
    ...more,
  };
}

type Claims = Readonly<Record<string, unknown>>;

export const goodClaims: Claims = {
  iss: "https://idp.example/",
  aud: "mess",
  sub: "shop",
  iat: nowSeconds - 10,
  exp: nowSeconds + 600,
};

/** A token that is right but for what `claims` and `header` change; `undefined` takes a member away. */
export function signed(key: TestKey, claims: Claims = {}, header: Claims = {}): Promise<string> {
  const payload = { ...goodClaims, ...claims };
  const head = { alg: key.algorithm, kid: key.kid, ...header };
  return new SignJWT(payload).setProtectedHeader(head).sign(key.privateKey, { crit: { mess: true } });
}

/** What no library would make: any header, any payload, and a signature over them by `sign`. */
export function forged(
  header: Claims | string,
  payload: Claims | string,
  sign: (input: string) => string = () => "c2ln",
): string {
  const encode = (part: Claims | string): string =>
    Buffer.from(typeof part === "string" ? part : JSON.stringify(part)).toString("base64url");
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${sign(input)}`;
}

export function hmac(secret: string | Buffer): (input: string) => string {
  return (input) => createHmac("sha256", secret).update(input).digest("base64url");
}
