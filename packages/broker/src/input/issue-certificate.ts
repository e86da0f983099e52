import { isIP } from "node:net";
import {
  type IssuedCertificate,
  newKeys,
  newSerialNumber,
  P256,
  pemFile,
  privateKeyBytes,
  signingKeyOf,
  validity,
  x509Library,
} from "./x509-tools.ts";

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

/** Makes a certificate authority on P-256 that can sign certificates of servers or clients, and no authority below it. */
export async function issueAuthority(options: IssueAuthorityOptions): Promise<IssuedCertificate> {
  const x509 = await x509Library();
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerialNumber(),
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
  return { certificate: pemFile(certificate.toString("pem")), key: await privateKeyBytes(keys) };
}

/** Makes a server certificate on a new P-256 key, not valid longer than its authority. */
export async function issueServer(options: IssueServerOptions): Promise<IssuedCertificate> {
  const x509 = await x509Library();
  const authority = new x509.X509Certificate(options.authority.certificate);
  const signingKey = await signingKeyOf(options.authority);
  const keys = await newKeys();
  const { notBefore, notAfter } = validity(options.now, options.days);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerialNumber(),
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
  return { certificate: pemFile(certificate.toString("pem")), key: await privateKeyBytes(keys) };
}
