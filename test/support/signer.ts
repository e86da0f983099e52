/** A publisher that signs, with a foreign JOSE library and by nothing of mess (docs/signing.md). */
import { createHash, createPrivateKey, type JsonWebKey, type KeyObject, randomBytes } from "node:crypto";
import { FlattenedSign } from "jose";
import { messAt } from "./cli.ts";
import type { Server } from "./server.ts";

/** SHA-256 of nothing: a message without properties. */
const noProperties = createHash("sha256").digest("base64url");

export interface SignFields {
  readonly kid?: string;
  /** Seconds since 1970; now without it. */
  readonly iat?: number;
  readonly props?: string;
}

export class Signer {
  readonly kid: string;
  readonly #alg: string;
  readonly #key: KeyObject | Uint8Array;

  constructor(jwk: Readonly<Record<string, string>>) {
    const { kid = "", alg = "", k, ...key } = jwk;
    this.kid = kid;
    this.#alg = alg;
    this.#key =
      k === undefined ? createPrivateKey({ key: key as JsonWebKey, format: "jwk" }) : Buffer.from(k, "base64url");
  }

  async sign(topic: string, payload: string, fields: SignFields = {}): Promise<string> {
    const { kid = this.kid, iat = Math.floor(Date.now() / 1_000), props = noProperties } = fields;
    const jti = randomBytes(16).toString("base64url");
    const header = { alg: this.#alg, b64: false, crit: ["b64"], kid, iat, jti, mess: { topic, props } };
    const jws = await new FlattenedSign(Buffer.from(payload)).setProtectedHeader(header).sign(this.#key);
    return `${jws.protected}..${jws.signature}`;
  }
}

/** Gives the principal a key, made by the command. */
export async function createSigner(server: Server, principal: string, ...options: string[]): Promise<Signer> {
  const made = await messAt(server, ["signing-key", "add", principal, ...options]);
  if (made.code !== 0) throw new Error(`signing-key add: ${made.stderr}`);
  return new Signer(JSON.parse(made.stdout) as Record<string, string>);
}
