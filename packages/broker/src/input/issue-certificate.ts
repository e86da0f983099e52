import { webcrypto } from "node:crypto";
import { isIP } from "node:net";

/** A certificate with its private key: the certificate in PEM, the key as PKCS #8 DER. */
export interface IssuedCertificate {
  readonly certificate: string;
  readonly key: Uint8Array;
}

export interface IssueAuthorityOptions {
  /** Tells this authority from others in lists of trusted ones. */
  readonly commonName: string;
  readonly now: number;
  readonly days: number;
}

export interface IssueServerOptions {
  readonly authority: IssuedCertificate;
  /** DNS names and IP addresses; at least one. */
  readonly names: readonly string[];
  readonly now: number;
  readonly days: number;
}

const DAY_MS = 86_400_000;
/** Clocks of clients may be behind ours. */
const BACKDATED_MS = 3_600_000;
const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
type Library = typeof import("@peculiar/x509");

/** Loaded at the first certificate only: it costs a fifth of a second, and most starts issue none. */
async function library(): Promise<Library> {
  // The library throws at import unless this stands before it.
  await import("reflect-metadata");
  return await import("@peculiar/x509");
}

/** Makes a certificate authority on P-256 that can sign server certificates and nothing below them. */
export async function issueAuthority(options: IssueAuthorityOptions): Promise<IssuedCertificate> {
  const x509 = await library();
  const keys = await webcrypto.subtle.generateKey(P256, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: `CN=${options.commonName}`,
    ...validity(options.now, options.days),
    signingAlgorithm: P256,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: pemFile(certificate.toString("pem")), key: await privateKey(keys) };
}

/** Makes a server certificate on a new P-256 key, not valid longer than its authority. */
export async function issueServer(options: IssueServerOptions): Promise<IssuedCertificate> {
  const x509 = await library();
  const authority = new x509.X509Certificate(options.authority.certificate);
  const signingKey = await webcrypto.subtle.importKey("pkcs8", new Uint8Array(options.authority.key), P256, false, [
    "sign",
  ]);
  const keys = await webcrypto.subtle.generateKey(P256, true, ["sign", "verify"]);
  const { notBefore, notAfter } = validity(options.now, options.days);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: "CN=mess server",
    issuer: authority.subject,
    notBefore,
    notAfter: new Date(Math.min(notAfter.getTime(), authority.notAfter.getTime())),
    signingAlgorithm: P256,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        options.names.map((name) => ({ type: isIP(name) === 0 ? "dns" : "ip", value: name }) as const),
      ),
      // Strict verifiers (Python 3.13) refuse a chain without the two key identifiers.
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey),
    ],
  });
  return { certificate: pemFile(certificate.toString("pem")), key: await privateKey(keys) };
}

function pemFile(pem: string): string {
  return pem.endsWith("\n") ? pem : `${pem}\n`;
}

async function privateKey(keys: webcrypto.CryptoKeyPair): Promise<Uint8Array> {
  return new Uint8Array(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
}

/** 127 random bits: positive whatever they are (RFC 5280, 4.1.2.2). */
function serialNumber(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] as number) & 0x7f) | 0x01;
  return Buffer.from(bytes).toString("hex");
}

function validity(now: number, days: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(now - BACKDATED_MS), notAfter: new Date(now + days * DAY_MS) };
}
