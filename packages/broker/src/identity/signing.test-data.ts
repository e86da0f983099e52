/** A publisher with a key, for tests of what takes signed messages. */
import { createHmac, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import type { SignatureAlgorithm, SignedProperties } from "../model/signing.ts";
import { canonicalHeader, propertiesHash } from "./message-signature.ts";

export interface SignOptions {
  readonly properties?: SignedProperties;
  /** Wall-clock milliseconds. */
  readonly now?: number;
  readonly nonce?: Uint8Array;
  readonly keyId?: string;
}

export class TestSigner {
  readonly algorithm: SignatureAlgorithm;
  keyId = "sk_test";
  /** Of Ed25519. */
  readonly publicPem: string;
  readonly #private: KeyObject;
  /** Of HMAC. */
  secret: Uint8Array = new Uint8Array(0);

  constructor(algorithm: SignatureAlgorithm = "EdDSA") {
    this.algorithm = algorithm;
    const pair = generateKeyPairSync("ed25519");
    this.#private = pair.privateKey;
    this.publicPem = pair.publicKey.export({ format: "pem", type: "spki" }) as string;
  }

  /** The 32 bytes of the key as the broker keeps it. */
  get key(): Uint8Array {
    if (this.algorithm === "HS256") return this.secret;
    const { x = "" } = this.#private.export({ format: "jwk" });
    return Buffer.from(x, "base64url");
  }

  sign(topic: string, payload: string | Uint8Array, options: SignOptions = {}): string {
    const { properties = {}, now = Date.now(), nonce = randomBytes(16), keyId = this.keyId } = options;
    const { algorithm } = this;
    const issuedAt = Math.floor(now / 1_000);
    const hash = propertiesHash(properties);
    const header = canonicalHeader({ algorithm, keyId, issuedAt, nonce, topic, propertiesHash: hash });
    const text = Buffer.from(header).toString("base64url");
    const signed = Buffer.concat([Buffer.from(`${text}.`), Buffer.from(payload)]);
    const signature =
      algorithm === "EdDSA"
        ? sign(null, signed, this.#private)
        : createHmac("sha256", this.secret).update(signed).digest();
    return `${text}..${signature.toString("base64url")}`;
  }
}
