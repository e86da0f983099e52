import { webcrypto } from "node:crypto";

/** A certificate with its private key: the certificate in PEM, the key as PKCS #8 DER. */
export interface IssuedCertificate {
  readonly certificate: string;
  readonly key: Uint8Array;
}

/** Clocks of clients may be behind ours. */
const BACKDATED_MS = 3_600_000;
const DAY_MS = 86_400_000;
export const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
type Library = typeof import("@peculiar/x509");

/** Loaded at the first certificate only: it costs a fifth of a second, and most starts issue none. */
export async function x509Library(): Promise<Library> {
  // The library throws at import unless this stands before it.
  await import("reflect-metadata");
  return await import("@peculiar/x509");
}

/** The private key of an authority of ours, to sign with. */
export function signingKeyOf(authority: IssuedCertificate): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey("pkcs8", new Uint8Array(authority.key), P256, false, ["sign"]);
}

export function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(P256, true, ["sign", "verify"]);
}

/** PKCS #8 DER. */
export async function privateKeyBytes(keys: webcrypto.CryptoKeyPair): Promise<Uint8Array> {
  return new Uint8Array(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
}

export function pemFile(pem: string): string {
  return pem.endsWith("\n") ? pem : `${pem}\n`;
}

/** 127 random bits: positive whatever they are (RFC 5280, 4.1.2.2). Upper-case hexadecimal. */
export function newSerialNumber(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] as number) & 0x7f) | 0x01;
  return Buffer.from(bytes).toString("hex").toUpperCase();
}

export function validity(now: number, days: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(now - BACKDATED_MS), notAfter: new Date(now + days * DAY_MS) };
}
