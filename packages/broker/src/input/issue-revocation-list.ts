import type { RevokedSerial } from "../model/certificate-administration.ts";
import { type IssuedCertificate, P256, signingKeyOf, x509Library } from "./x509-tools.ts";

export interface IssueRevocationListOptions {
  readonly authority: IssuedCertificate;
  readonly revoked: readonly RevokedSerial[];
  /** Grows from list to list of one authority (RFC 5280, 5.2.3). */
  readonly number: number;
  /** Wall-clock milliseconds. */
  readonly now: number;
  readonly nextUpdate: number;
}

/** Clocks of readers may be behind ours. */
const BACKDATED_MS = 3_600_000;
/** 2.5.29.20 */
const CRL_NUMBER = "2.5.29.20";

/** A certificate revocation list, signed by the authority, in PEM as OpenSSL reads it. */
export async function issueRevocationList(options: IssueRevocationListOptions): Promise<string> {
  const x509 = await x509Library();
  const certificate = new x509.X509Certificate(options.authority.certificate);
  const list = await x509.X509CrlGenerator.create({
    issuer: certificate.subject,
    thisUpdate: new Date(options.now - BACKDATED_MS),
    nextUpdate: new Date(options.nextUpdate),
    entries: options.revoked.map(({ serial, revokedAt }) => ({
      serialNumber: serial,
      revocationDate: new Date(revokedAt),
    })),
    extensions: [
      await x509.AuthorityKeyIdentifierExtension.create(certificate.publicKey),
      new x509.Extension(CRL_NUMBER, false, derInteger(options.number)),
    ],
    signingAlgorithm: P256,
    signingKey: await signingKeyOf(options.authority),
  });
  return revocationListPem(new Uint8Array(list.rawData));
}

/** The library writes the label "CRL", which OpenSSL does not read. */
export function revocationListPem(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN X509 CRL-----\n${lines.join("\n")}\n-----END X509 CRL-----\n`;
}

/** A number from 0 on, with a zero octet in front where the first bit is set. */
function derInteger(value: number): Uint8Array {
  const digits = value.toString(16);
  const even = digits.length % 2 === 0 ? digits : `0${digits}`;
  const bytes = Buffer.from(Number.parseInt(even.slice(0, 2), 16) >= 0x80 ? `00${even}` : even, "hex");
  return Buffer.concat([Buffer.from([0x02, bytes.length]), bytes]);
}
