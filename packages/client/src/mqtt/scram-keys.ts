/** What SCRAM-SHA-256 makes of a password (RFC 5802 section 3, RFC 7677), by WebCrypto: the same in Node and browsers. */
import { MessError } from "../mess-error.ts";
import { prepared } from "./prepare-password.ts";

const keyBytes = 32;
const saltBytes = 16;
/** OWASP, for PBKDF2 with SHA-256. */
const iterationsDefault = 600_000;

export interface ScramKeys {
  readonly clientKey: Uint8Array;
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

/** What a server keeps of a password; `PUT /v1/principals/NAME/password` takes it. Each in base64 but the number. */
export interface PasswordVerifier {
  readonly salt: string;
  readonly iterations: number;
  readonly storedKey: string;
  readonly serverKey: string;
}

/**
 * Makes the verifier of a password, so that the password itself is never sent.
 *
 * @param iterations of PBKDF2: the work of each login, and of each guess of whoever steals the verifier. 600,000 by
 * default; the broker takes 15,000 and more, for devices without much power
 * @throws MessError for a password that none can be
 */
export async function passwordVerifier(
  password: string,
  iterations: number = iterationsDefault,
): Promise<PasswordVerifier> {
  const salt = globalThis.crypto.getRandomValues(new Uint8Array(saltBytes));
  const { storedKey, serverKey } = await scramKeys(password, salt, iterations);
  return { salt: toBase64(salt), iterations, storedKey: toBase64(storedKey), serverKey: toBase64(serverKey) };
}

/** @throws MessError for a password that none can be */
export async function scramKeys(password: string, salt: Uint8Array, iterations: number): Promise<ScramKeys> {
  const { subtle } = globalThis.crypto;
  const secret = utf8(prepared(password, "password"));
  const key = await subtle.importKey("raw", secret, "PBKDF2", false, ["deriveBits"]);
  const how = { name: "PBKDF2", hash: "SHA-256", salt: own(salt), iterations };
  const salted = new Uint8Array(await subtle.deriveBits(how, key, keyBytes * 8));
  const clientKey = await hmac(salted, "Client Key");
  const storedKey = new Uint8Array(await subtle.digest("SHA-256", own(clientKey)));
  return { clientKey, storedKey, serverKey: await hmac(salted, "Server Key") };
}

export async function hmac(key: Uint8Array, text: string): Promise<Uint8Array> {
  const { subtle } = globalThis.crypto;
  const imported = await subtle.importKey("raw", own(key), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await subtle.sign("HMAC", imported, utf8(text)));
}

export function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

/** @throws MessError */
export function fromBase64(text: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch (cause) {
    throw new MessError("PROTOCOL_ERROR", "the server sent what is no base64", { cause });
  }
}

/** WebCrypto takes nothing that shares its memory. */
function own(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return own(new TextEncoder().encode(text));
}
