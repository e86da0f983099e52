/** Certificates for tests, good and bad, made by a foreign library. */
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { revocationListPem } from "./issue-revocation-list.ts";

const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const HOUR = 3_600_000;

export interface TestAuthority {
  readonly pem: string;
  readonly keys: webcrypto.CryptoKeyPair;
}

export interface TestClient {
  /** PEM: the certificate, and what was given as `chain`. */
  readonly cert: string;
  readonly key: string;
  readonly serial: string;
}

export interface TestCertificate {
  readonly names?: readonly { type: "dns" | "url" | "email"; value: string }[];
  /** In place of `names`: the bytes of the extension. */
  readonly rawNames?: Uint8Array;
  /** A second extension of the same kind. */
  readonly moreNames?: Uint8Array;
  readonly subject?: string;
  readonly serial?: string;
  readonly notBefore?: number;
  readonly notAfter?: number;
  readonly usage?: "client" | "server" | "none";
  readonly chain?: string;
}

let serials = 0x1000;

export function makeKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(P256, true, ["sign", "verify"]);
}

export async function makeAuthority(name: string, parent?: TestAuthority): Promise<TestAuthority> {
  const keys = await makeKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: (serials++).toString(16),
    subject: `CN=${name}`,
    issuer: parent === undefined ? `CN=${name}` : new x509.X509Certificate(parent.pem).subject,
    notBefore: new Date(Date.now() - HOUR),
    notAfter: new Date(Date.now() + 100 * HOUR),
    signingAlgorithm: P256,
    publicKey: keys.publicKey,
    signingKey: (parent ?? { keys }).keys.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { pem: `${certificate.toString("pem")}\n`, keys };
}

/** A client certificate; without an authority it is signed by itself. */
export async function makeClient(
  authority: TestAuthority | undefined,
  made: TestCertificate = {},
): Promise<TestClient> {
  const keys = await makeKeys();
  const serial = made.serial ?? (serials++).toString(16);
  const subject = made.subject ?? "CN=client";
  const usages = { client: [x509.ExtendedKeyUsage.clientAuth], server: [x509.ExtendedKeyUsage.serverAuth], none: [] };
  const usage = usages[made.usage ?? "client"];
  const names = made.names ?? [{ type: "dns", value: "device-1.example" }];
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial,
    subject,
    issuer: authority === undefined ? subject : new x509.X509Certificate(authority.pem).subject,
    notBefore: new Date(made.notBefore ?? Date.now() - HOUR),
    notAfter: new Date(made.notAfter ?? Date.now() + HOUR),
    signingAlgorithm: P256,
    publicKey: keys.publicKey,
    signingKey: (authority ?? { keys }).keys.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      ...(usage.length === 0 ? [] : [new x509.ExtendedKeyUsageExtension(usage)]),
      ...(made.rawNames === undefined
        ? names.length === 0
          ? []
          : [new x509.SubjectAlternativeNameExtension([...names])]
        : [new x509.Extension("2.5.29.17", false, Uint8Array.from(made.rawNames))]),
      ...(made.moreNames === undefined
        ? []
        : [new x509.Extension("2.5.29.17", false, Uint8Array.from(made.moreNames))]),
    ],
  });
  const key = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  return {
    cert: `${certificate.toString("pem")}\n${made.chain ?? ""}`,
    key: `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n`,
    serial: certificate.serialNumber.toUpperCase(),
  };
}

/** PEM with the label that OpenSSL reads, or the one the library writes. */
export async function makeList(
  authority: TestAuthority,
  serials: readonly string[],
  how: { readonly nextUpdate?: number; readonly label?: "library" } = {},
): Promise<string> {
  const list = await x509.X509CrlGenerator.create({
    issuer: new x509.X509Certificate(authority.pem).subject,
    thisUpdate: new Date(Date.now() - 2 * HOUR),
    nextUpdate: new Date(how.nextUpdate ?? Date.now() + HOUR),
    entries: serials.map((serialNumber) => ({ serialNumber, revocationDate: new Date(Date.now() - HOUR) })),
    signingAlgorithm: P256,
    signingKey: authority.keys.privateKey,
  });
  return how.label === "library" ? `${list.toString("pem")}\n` : revocationListPem(new Uint8Array(list.rawData));
}
