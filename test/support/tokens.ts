/** JWTs of an issuer that a server under test knows: good ones, and every kind that must be refused. */
import { createPublicKey } from "node:crypto";
import {
  forged,
  hmac,
  jwksText,
  signed,
  type TestKey,
  testKey,
} from "../../packages/broker/src/identity/jwt.test-data.ts";

export const seconds = (): number => Math.floor(Date.now() / 1_000);

export interface TestIssuer {
  /** By EdDSA, ES256 and RS256. */
  readonly keys: readonly [TestKey, TestKey, TestKey];
  /** Calls itself by a kid of the issuer. */
  readonly stranger: TestKey;
}

export function testIssuer(): TestIssuer {
  return { keys: [testKey("ed"), testKey("es", "ES256"), testKey("rs", "RS256")], stranger: testKey("ed") };
}

/** The configuration that lets its tokens in. */
export const issuerToml = (jwksFile: string): string =>
  `[[jwt]]\nname = "idp"\nissuer = "https://idp.example/"\naudience = "mess"\njwksFile = "${jwksFile}"\nclockTolerance = "0s"\n`;

export const issuerKeys = ({ keys }: TestIssuer): string => jwksText(...keys);

/** Good for a minute but for what `claims` and `header` change. */
export function goodToken(key: TestKey, claims: object = {}, header: object = {}): Promise<string> {
  return signed(key, { iat: seconds(), exp: seconds() + 60, ...claims }, { ...header });
}

/** A name for each, and how it is made: a moment before it is used, since they hold times. */
export function badTokens(
  { keys, stranger }: TestIssuer,
  principal: () => string,
): readonly (readonly [string, () => string | Promise<string>])[] {
  const publicPem = (key: TestKey): string =>
    createPublicKey(key.privateKey).export({ type: "spki", format: "pem" }).toString();
  const claims = (): Record<string, unknown> => ({
    iss: "https://idp.example/",
    aud: "mess",
    sub: principal(),
    iat: seconds(),
    exp: seconds() + 60,
  });
  const token = (key: TestKey, more: object = {}, header: object = {}): Promise<string> =>
    goodToken(key, { sub: principal(), ...more }, header);
  const [ed, , rs] = keys;
  return [
    ["alg none", () => forged({ alg: "none", kid: "ed" }, claims(), () => "")],
    ["HS256 by the public key", () => forged({ alg: "HS256", kid: "rs" }, claims(), hmac(publicPem(rs)))],
    ["a key of its own in the header", () => token(stranger, {}, { jwk: stranger.jwk })],
    ["a stranger's key under a known kid", () => token(stranger)],
    ["a kid that is a path", () => token(ed, {}, { kid: "../../dev/null" })],
    ["no kid", () => token(ed, {}, { kid: undefined })],
    ["one that has ended", () => token(ed, { exp: seconds() - 60 })],
    ["one that begins in an hour", () => token(ed, { nbf: seconds() + 3_600 })],
    ["one that ends in 2106", () => token(ed, { exp: 4_294_967_295 })],
    ["one without an end", () => token(ed, { exp: undefined })],
    ["another audience", () => token(ed, { aud: "other" })],
    ["another issuer", () => token(ed, { iss: "https://idp.example" })],
    ["a subject that the policy does not know", () => token(ed, { sub: "nobody" })],
    ["the subject admin", () => token(ed, { sub: "admin" })],
    ["a subject of every object", () => token(ed, { sub: "constructor" })],
    ["one that is too long", () => token(ed, { pad: "x".repeat(9_000) })],
    ["dots alone", () => ".."],
  ];
}
