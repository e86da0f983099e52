/**
 * API keys: a public id and a secret of 256 random bits. A key of that strength needs no slow hash; what is stored is
 * its SHA-256. Prefix and checksum let secret scanners and people recognize a key, whole or cut.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { crc32 } from "node:zlib";

export interface Credential {
  /** Public: the MQTT user name, shown in lists and in the audit trail. */
  readonly id: string;
  /** Never logged, never stored, never in an error text. */
  readonly secret: string;
}

const ID_PREFIX = "k_";
const ID_BYTES = 10;
const SECRET_PREFIX = "mess_";
const SECRET_BYTES = 32;
/** 62^43 > 2^256 and 62^6 > 2^32. */
const SECRET_DIGITS = 43;
const CHECKSUM_DIGITS = 6;
const SECRET_LENGTH = SECRET_PREFIX.length + SECRET_DIGITS + CHECKSUM_DIGITS;
const HASH_BYTES = 32;

const BASE32 = "abcdefghijkmnpqrstuvwxyz23456789";
const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** A new key. `random` returns that many bytes of a cryptographic source. */
export function newApiKey(random: (length: number) => Uint8Array): Credential {
  const body = SECRET_PREFIX + digits(random(SECRET_BYTES), BASE62, SECRET_DIGITS);
  return {
    // 10 bytes are 16 digits of 5 bits, with nothing left over.
    id: ID_PREFIX + digits(random(ID_BYTES), BASE32, (ID_BYTES * 8) / 5),
    secret: body + checksum(body),
  };
}

/** True for a whole secret, false for one that was cut or mistyped. Says nothing about whether the key exists. */
export function checksumHolds(secret: string): boolean {
  if (secret.length !== SECRET_LENGTH || !secret.startsWith(SECRET_PREFIX)) return false;
  const body = secret.slice(0, -CHECKSUM_DIGITS);
  return checksum(body) === secret.slice(-CHECKSUM_DIGITS);
}

/** SHA-256 of the secret as UTF-8, 32 bytes: what a `KeyRecord` holds. */
export function hashSecret(secret: string): Uint8Array {
  return createHash("sha256").update(secret, "utf8").digest();
}

/** Compared against when there is no such key, so that the time taken tells nothing. */
const NO_KEY_HASH = new Uint8Array(HASH_BYTES);

/** True when `secret` belongs to `hash`. Pass `undefined` for an unknown id: the work is the same, the answer is no. */
export function verifySecret(secret: string, hash: Uint8Array | undefined): boolean {
  const usable = hash !== undefined && hash.length === HASH_BYTES;
  const equal = timingSafeEqual(hashSecret(secret), usable ? hash : NO_KEY_HASH);
  return equal && usable && secret !== "";
}

function checksum(body: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(body));
  return digits(bytes, BASE62, CHECKSUM_DIGITS);
}

/** The bytes as one big-endian number in the given alphabet, zero-padded to `length` digits. */
function digits(bytes: Uint8Array, alphabet: string, length: number): string {
  const base = BigInt(alphabet.length);
  let rest = BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
  let text = "";
  for (let digit = 0; digit < length; digit++) {
    text = (alphabet[Number(rest % base)] ?? "") + text;
    rest /= base;
  }
  return text;
}
