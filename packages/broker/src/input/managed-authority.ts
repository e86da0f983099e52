import { createPrivateKey, randomBytes, X509Certificate } from "node:crypto";
import { join } from "node:path";
import type { SecretBox } from "../model/journal.ts";
import { CertificateError } from "./certificate-error.ts";
import { issueAuthority } from "./issue-certificate.ts";
import { readIfThere, writePrivately } from "./private-files.ts";
import type { IssuedCertificate } from "./x509-tools.ts";

/** An authority of a data directory. */
export interface AuthorityKind {
  readonly certificateFile: string;
  readonly keyFile: string;
  /** Under which the key is sealed. */
  readonly purpose: string;
  /** Beginning of its name; a random part follows. */
  readonly commonName: string;
  /** What is so of a new one, after "a new authority, ". */
  readonly consequence: string;
  /** What is told when one is made. */
  readonly note: string;
  /** True when nothing can be served without it. */
  readonly isNeeded: boolean;
}

/** Signs the server's certificate. */
export const serverAuthority: AuthorityKind = {
  certificateFile: "ca.pem",
  keyFile: "ca.key.sealed",
  purpose: "tls-authority-key",
  commonName: "mess CA",
  consequence: "which every client must then trust",
  note: "made a certificate authority: clients trust ca.pem in the data directory",
  isNeeded: true,
};

/** Signs client certificates. Apart from the other, so that no certificate of a server can pass for a client's. */
export const clientAuthority: AuthorityKind = {
  certificateFile: "client-ca.pem",
  keyFile: "client-ca.key.sealed",
  purpose: "tls-client-authority-key",
  commonName: "mess client CA",
  consequence: "which makes all client certificates of the old one useless",
  note: "made a certificate authority for clients: mess cert issue uses it",
  isNeeded: false,
};

export interface ManagedAuthorityOptions {
  /** The data directory. */
  readonly directory: string;
  readonly box: SecretBox;
  /** Wall-clock milliseconds. */
  readonly now: number;
}

export interface ManagedAuthority {
  readonly authority: IssuedCertificate;
  /** What was done or should be known, one sentence each, for the log. */
  readonly notes: readonly string[];
}

const DAY_MS = 86_400_000;
const AUTHORITY_DAYS = 3_650;
const WARNING_MS = 90 * DAY_MS;

/**
 * An authority of a data directory, made when there is none. Its private key is on disk only in sealed form. Throws
 * `CertificateError` when it cannot be used: a new one would silently lock out every client that counts on the old.
 */
export async function managedAuthority(
  kind: AuthorityKind,
  options: ManagedAuthorityOptions,
): Promise<ManagedAuthority> {
  const kept = await readAuthority(kind, options);
  const authority = kept ?? (await makeAuthority(kind, options));
  const notes = kept === undefined ? [kind.note] : [];
  const expires = new X509Certificate(authority.certificate).validTo;
  if (Date.parse(expires) < options.now + WARNING_MS) {
    notes.push(
      `the certificate authority ${kind.certificateFile} expires on ${expires}; ${mend(kind, "remove")}, ${kind.consequence}`,
    );
  }
  return { authority, notes };
}

function mend({ certificateFile, keyFile }: AuthorityKind, remove: "remove" | "Remove"): string {
  return `${remove} ${certificateFile} and ${keyFile} to make a new authority`;
}

async function readAuthority(
  kind: AuthorityKind,
  { directory, box, now }: ManagedAuthorityOptions,
): Promise<IssuedCertificate | undefined> {
  const { certificateFile, keyFile } = kind;
  const pem = await readIfThere(join(directory, certificateFile));
  // The key is written first, so a key alone belongs to an authority that nobody has seen.
  if (pem === undefined) return undefined;
  const file = join(directory, keyFile);
  const otherwise = `Restore it from a backup, or ${mend(kind, "remove")}, ${kind.consequence}`;
  const sealed = await readIfThere(file);
  if (sealed === undefined)
    throw new CertificateError(`${file} is missing, but ${certificateFile} is there. ${otherwise}`);
  const key = box.open(sealed, kind.purpose);
  if (key === undefined) {
    throw new CertificateError(`${file} cannot be opened: it is damaged or was sealed under another key. ${otherwise}`);
  }
  const certificate = parse(pem, join(directory, certificateFile));
  const privateKey = createPrivateKey({ key: Buffer.from(key), format: "der", type: "pkcs8" });
  if (!certificate.ca || !certificate.checkPrivateKey(privateKey)) {
    throw new CertificateError(`${file} is not the key of ${certificateFile}. ${otherwise}`);
  }
  if (kind.isNeeded && Date.parse(certificate.validTo) < now) {
    throw new CertificateError(
      `${certificateFile} expired on ${certificate.validTo}. ${mend(kind, "Remove")}, ${kind.consequence}`,
    );
  }
  return { certificate: pem.toString(), key };
}

function parse(pem: Buffer, file: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw new CertificateError(`${file} holds no certificate in PEM form`);
  }
}

async function makeAuthority(
  { commonName, certificateFile, keyFile, purpose }: AuthorityKind,
  { directory, box, now }: ManagedAuthorityOptions,
): Promise<IssuedCertificate> {
  const name = `${commonName} ${randomBytes(4).toString("hex")}`;
  const authority = await issueAuthority({ commonName: name, now, days: AUTHORITY_DAYS });
  await writePrivately(join(directory, keyFile), box.seal(authority.key, purpose));
  await writePrivately(join(directory, certificateFile), Buffer.from(authority.certificate));
  return authority;
}
