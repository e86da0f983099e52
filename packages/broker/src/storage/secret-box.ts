import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject } from "node:crypto";
import type { RandomSource } from "../host/host.ts";
import type { SecretBox } from "../model/journal.ts";

const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const DERIVED_BYTES = 32;
const HEAD_BYTES = 1 + NONCE_BYTES + TAG_BYTES;

/** `version | nonce | tag | ciphertext` under a 32-byte key; `associated` is bound to it. */
export function sealSecret(key: KeyObject, plain: Uint8Array, associated: Buffer, random: RandomSource): Buffer {
  const nonce = random.bytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(associated);
  const text = cipher.update(plain);
  cipher.final();
  return Buffer.concat([Buffer.of(VERSION), nonce, cipher.getAuthTag(), text]);
}

/** `undefined` when `sealed` was not made by `sealSecret` with this key and these associated data. */
export function openSecret(key: KeyObject, sealed: Uint8Array, associated: Buffer): Buffer | undefined {
  if (sealed.length < HEAD_BYTES || sealed[0] !== VERSION) return undefined;
  const nonce = sealed.subarray(1, 1 + NONCE_BYTES);
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(associated);
  decipher.setAuthTag(sealed.subarray(1 + NONCE_BYTES, HEAD_BYTES));
  const plain = decipher.update(sealed.subarray(HEAD_BYTES));
  try {
    decipher.final();
  } catch {
    return undefined;
  }
  return plain;
}

export function secretKey(bytes: Uint8Array): KeyObject {
  return createSecretKey(Buffer.from(bytes));
}

export function secretBox(key: KeyObject, random: RandomSource): SecretBox {
  const associated = (purpose: string): Buffer => Buffer.from(`mess/box/v1\0${purpose}`, "utf8");
  return {
    seal: (plain, purpose) => sealSecret(key, plain, associated(purpose), random),
    open: (sealed, purpose) => openSecret(key, sealed, associated(purpose)),
    derive: (purpose) => Buffer.from(hkdfSync("sha256", key, "", `mess/derive/v1\0${purpose}`, DERIVED_BYTES)),
  };
}
