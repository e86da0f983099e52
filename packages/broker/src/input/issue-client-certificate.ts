import { principalUri } from "../identity/certificate-identity.ts";
import type { IssuedClient } from "../model/certificate-administration.ts";
import {
  type IssuedCertificate,
  newSerialNumber,
  P256,
  pemFile,
  signingKeyOf,
  validity,
  x509Library,
} from "./x509-tools.ts";

export interface IssueClientOptions {
  readonly authority: IssuedCertificate;
  readonly principal: string;
  /** Subject public key information (DER), as `readCertificateRequest` gives it. */
  readonly publicKey: Uint8Array;
  /** Wall-clock milliseconds. */
  readonly now: number;
  readonly days: number;
}

const URI_PREFIX = "uri:";

/**
 * A client certificate for `principal`, valid no longer than its authority. The subject says nothing: who reads it
 * instead of the alternative name finds nobody.
 */
export async function issueClient(options: IssueClientOptions): Promise<Omit<IssuedClient, "authority">> {
  const x509 = await x509Library();
  const authority = new x509.X509Certificate(options.authority.certificate);
  const publicKey = new x509.PublicKey(Uint8Array.from(options.publicKey));
  const { notBefore, notAfter } = validity(options.now, options.days);
  const serial = newSerialNumber();
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial,
    subject: "CN=mess client",
    issuer: authority.subject,
    notBefore,
    notAfter: new Date(Math.min(notAfter.getTime(), authority.notAfter.getTime())),
    signingAlgorithm: P256,
    publicKey,
    signingKey: await signingKeyOf(options.authority),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
      new x509.SubjectAlternativeNameExtension([
        { type: "url", value: principalUri(options.principal).slice(URI_PREFIX.length) },
      ]),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey),
    ],
  });
  return { certificate: pemFile(certificate.toString("pem")), serial, expiresAt: certificate.notAfter.getTime() };
}
