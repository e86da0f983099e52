import { X509Certificate } from "node:crypto";
import { type RevocationList, readRevocationList } from "../identity/read-revocation-list.ts";
import { CertificateError } from "./certificate-error.ts";
import { ClientTrust } from "./client-trust.ts";
import { issueRevocationList, revocationListPem } from "./issue-revocation-list.ts";
import { readPlainFile, reasonOf } from "./read-plain-file.ts";
import type { IssuedCertificate } from "./x509-tools.ts";

export interface LoadClientTrustOptions {
  /** This broker's own, as `managedAuthority` gives it. */
  readonly authority: IssuedCertificate;
  /** `--client-ca`: PEM certificates of other authorities. */
  readonly authoritiesFile?: string | undefined;
  /** `--client-crl`: their revocation lists, PEM, or one in DER form. */
  readonly listsFile?: string | undefined;
  /** Wall-clock milliseconds. */
  readonly now: number;
}

export interface LoadedClientTrust {
  readonly trust: ClientTrust;
  /** For the log. */
  readonly notes: readonly string[];
}

const AUTHORITIES_MAX = 100;
const CERTIFICATE = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]*-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;
/** Some programs leave out "X509"; OpenSSL does not read that (and Node says no more than "Failed to parse CRL"). */
const LIST = /-----BEGIN (?:X509 )?CRL-----([^-]*)-----END (?:X509 )?CRL-----/g;

/** Reads what decides about client certificates. Throws `CertificateError`: a trust that is not whole is worse than the old one. */
export async function loadClientTrust(options: LoadClientTrustOptions): Promise<LoadedClientTrust> {
  const { authority, authoritiesFile, listsFile, now } = options;
  const notes: string[] = [];
  const foreign =
    authoritiesFile === undefined ? [] : authoritiesIn(await read(authoritiesFile, "--client-ca"), authoritiesFile);
  for (const certificate of foreign) {
    if (Date.parse(certificate.validTo) <= now) {
      notes.push(`${authoritiesFile}: the authority ${oneLine(certificate.subject)} expired on ${certificate.validTo}`);
    }
  }
  const lists = listsFile === undefined ? [] : listsIn(await read(listsFile, "--client-crl"), listsFile);
  for (const { revoked } of lists) {
    if (revoked.nextUpdate <= now) {
      const date = new Date(revoked.nextUpdate).toISOString();
      notes.push(
        `${listsFile}: a revocation list was to be renewed by ${date}; certificates of its issuer are refused`,
      );
    }
  }
  const trust = new ClientTrust({
    authority: authority.certificate,
    foreign: foreign.map((certificate) => certificate.toString()),
    lists: lists.length === 0 ? [] : [...lists.map(({ pem }) => pem), await ownList(authority, now)],
    revoked: lists.map(({ revoked }) => revoked),
  });
  return { trust, notes };
}

/**
 * With any list the TLS library wants one of each authority, so ours gets an empty one, for here only: what this broker
 * has revoked it looks up itself.
 */
function ownList(authority: IssuedCertificate, now: number): Promise<string> {
  const nextUpdate = Date.parse(new X509Certificate(authority.certificate).validTo);
  return issueRevocationList({ authority, revoked: [], number: 1, now, nextUpdate });
}

async function read(file: string, option: string): Promise<Buffer> {
  let bytes: Buffer;
  try {
    bytes = await readPlainFile(file);
  } catch (error) {
    throw new CertificateError(`${option}: cannot read ${file} (${reasonOf(error)})`);
  }
  return bytes;
}

function authoritiesIn(bytes: Buffer, file: string): X509Certificate[] {
  const blocks = bytes.toString("latin1").match(CERTIFICATE) ?? [];
  if (blocks.length === 0) throw new CertificateError(`--client-ca: ${file} holds no certificate in PEM form`);
  if (blocks.length > AUTHORITIES_MAX) {
    throw new CertificateError(`--client-ca: ${file} holds more than ${AUTHORITIES_MAX} certificates`);
  }
  return blocks.map((block, index) => {
    const certificate = parsed(block);
    if (certificate === undefined)
      throw new CertificateError(`--client-ca: certificate ${index + 1} of ${file} is damaged`);
    if (!certificate.ca) {
      throw new CertificateError(
        `--client-ca: certificate ${index + 1} of ${file} (${oneLine(certificate.subject)}) is not an authority's`,
      );
    }
    return certificate;
  });
}

function parsed(block: string): X509Certificate | undefined {
  try {
    return new X509Certificate(block);
  } catch {
    return undefined;
  }
}

function listsIn(bytes: Buffer, file: string): { readonly pem: string; readonly revoked: RevocationList }[] {
  const ders =
    bytes[0] === 0x30
      ? [bytes]
      : [...bytes.toString("latin1").matchAll(LIST)].map(([, body = ""]) => Buffer.from(body, "base64"));
  if (ders.length === 0)
    throw new CertificateError(`--client-crl: ${file} holds no revocation list in PEM or DER form`);
  return ders.map((der, index) => {
    const revoked = readRevocationList(der);
    if (revoked === undefined) {
      throw new CertificateError(`--client-crl: revocation list ${index + 1} of ${file} is damaged`);
    }
    // One block each: Node reads the first of several and passes the others over.
    return { pem: revocationListPem(der), revoked };
  });
}

/** Node writes a distinguished name in lines. */
function oneLine(name: string): string {
  return name.replaceAll("\n", ", ");
}
