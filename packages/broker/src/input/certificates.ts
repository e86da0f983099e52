import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { stat } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { createSecureContext } from "node:tls";
import type { SecretBox } from "../model/journal.ts";
import { CertificateError } from "./certificate-error.ts";
import { issueServer } from "./issue-certificate.ts";
import { managedAuthority, serverAuthority } from "./managed-authority.ts";
import { readIfThere, writePrivately } from "./private-files.ts";
import { readPlainFile, reasonOf } from "./read-plain-file.ts";
import type { IssuedCertificate } from "./x509-tools.ts";

/** What a TLS server shows and proves itself with. */
export interface ServerCertificate {
  /** PEM, the server's own first, then its chain. */
  readonly certificate: string;
  /** PEM. Secret. */
  readonly key: string;
  /** Wall-clock milliseconds. */
  readonly expiresAt: number;
  /** What was done or should be known, one sentence each, for the log: a new certificate, one about to expire. */
  readonly notes: readonly string[];
}

export interface ManagedCertificateOptions {
  /** The data directory. */
  readonly directory: string;
  readonly box: SecretBox;
  /** As of `certificateNames`. */
  readonly names: readonly string[];
  /** Wall-clock milliseconds. */
  readonly now: number;
}

const DAY_MS = 86_400_000;
const SERVER_DAYS = 90;
const RENEW_BEFORE_DAYS = 30;
const SERVER_PURPOSE = "tls-server-key";

/**
 * The server certificate of a data directory, made (with its authority, `ca.pem`) at first start and renewed when
 * fewer than 30 days remain, the names have changed, or its files do not fit one another. Private keys are on disk
 * only in sealed form. Throws `CertificateError` when the authority cannot be used: a new one would silently
 * lock out every client that trusts the old.
 */
export async function managedCertificate(options: ManagedCertificateOptions): Promise<ServerCertificate> {
  const { directory, box, now } = options;
  const managed = await managedAuthority(serverAuthority, options);
  const { authority } = managed;
  const notes = [...managed.notes];
  const kept = await readServer(options, authority);
  // The authority goes with it, so that a client that knows no more than its fingerprint can pin it (mess pair).
  const chain = (pem: string): string => `${pem}${authority.certificate}`;
  if (typeof kept !== "string") return { ...kept, certificate: chain(kept.certificate), notes };
  const issued = await issueServer({ authority, names: options.names, now, days: SERVER_DAYS });
  // The key goes first: should we stop between the two, they do not fit, and the next start makes a new pair.
  await writePrivately(join(directory, "server.key.sealed"), box.seal(issued.key, SERVER_PURPOSE));
  await writePrivately(join(directory, "server.pem"), Buffer.from(issued.certificate));
  notes.push(`made a server certificate for ${options.names.join(", ")}: ${kept}`);
  const expiresAt = Date.parse(new X509Certificate(issued.certificate).validTo);
  return { certificate: chain(issued.certificate), key: keyPem(privateKeyOf(issued.key)), expiresAt, notes };
}

/** The pair on disk, or why a new one is needed. */
async function readServer(
  options: ManagedCertificateOptions,
  authority: IssuedCertificate,
): Promise<Omit<ServerCertificate, "notes"> | string> {
  const pem = await readIfThere(join(options.directory, "server.pem"));
  const sealed = await readIfThere(join(options.directory, "server.key.sealed"));
  if (pem === undefined || sealed === undefined) return "there was none";
  const opened = options.box.open(sealed, SERVER_PURPOSE);
  if (opened === undefined) return "the key of the last one cannot be opened";
  let certificate: X509Certificate;
  let key: KeyObject;
  try {
    certificate = new X509Certificate(pem);
    key = privateKeyOf(opened);
  } catch {
    return "the last one cannot be read";
  }
  if (!certificate.checkPrivateKey(key)) return "the last one does not fit its key";
  if (!certificate.verify(new X509Certificate(authority.certificate).publicKey)) return "the authority is another";
  if (!hasExactly(certificate, options.names)) return "the names have changed";
  const expiresAt = Date.parse(certificate.validTo);
  if (expiresAt - options.now < RENEW_BEFORE_DAYS * DAY_MS) return `the last one expires on ${certificate.validTo}`;
  return { certificate: pem.toString(), key: keyPem(key), expiresAt };
}

function hasExactly(certificate: X509Certificate, names: readonly string[]): boolean {
  if ((certificate.subjectAltName ?? "").split(", ").length !== names.length) return false;
  return names.every((name) => {
    if (isIP(name) !== 0) return certificate.checkIP(name) !== undefined;
    return certificate.checkHost(name.replace(/^\*/, "any")) !== undefined;
  });
}

/**
 * A certificate of the user's own (`--tls-cert`, `--tls-key`). Throws `CertificateError` when a file cannot be read
 * or parsed, the key is not the certificate's, or the certificate is not valid now.
 */
export async function ownCertificate(certFile: string, keyFile: string, now: number): Promise<ServerCertificate> {
  const pem = await readNamed(certFile, "--tls-cert");
  const certificate = parseCertificate(pem, certFile);
  const key = parseKey(await readNamed(keyFile, "--tls-key"), keyFile);
  if (!certificate.checkPrivateKey(key)) {
    throw new CertificateError(
      `${keyFile} is not the key of ${certFile}. The server's own certificate must stand first`,
    );
  }
  if (Date.parse(certificate.validTo) <= now) {
    throw new CertificateError(`${certFile} expired on ${certificate.validTo}. Renew it`);
  }
  if (Date.parse(certificate.validFrom) > now) {
    throw new CertificateError(
      `${certFile} is not valid before ${certificate.validFrom}. Check the clock of this machine`,
    );
  }
  const own = { certificate: pem.toString(), key: keyPem(key), expiresAt: Date.parse(certificate.validTo) };
  try {
    createSecureContext({ cert: own.certificate, key: own.key });
  } catch (error) {
    throw new CertificateError(`${certFile} cannot be used for TLS: ${(error as Error).message}`);
  }
  return { ...own, notes: await ownNotes(certFile, keyFile, own.expiresAt - now) };
}

async function readNamed(file: string, option: string): Promise<Buffer> {
  try {
    return await readPlainFile(file);
  } catch (error) {
    throw new CertificateError(`${option}: cannot read ${file} (${reasonOf(error)})`);
  }
}

/** What the user should know of an own pair that can be used. */
async function ownNotes(certFile: string, keyFile: string, remainingMs: number): Promise<string[]> {
  const notes: string[] = [];
  const days = Math.floor(remainingMs / DAY_MS);
  if (days < RENEW_BEFORE_DAYS) notes.push(`${certFile} expires in ${days} days`);
  const { mode } = await stat(keyFile);
  if ((mode & 0o077) !== 0) notes.push(`${keyFile} is open to other users of this machine; chmod 600 it`);
  return notes;
}

function parseCertificate(pem: Buffer, file: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw new CertificateError(`${file} holds no certificate in PEM form`);
  }
}

function parseKey(pem: Buffer, file: string): KeyObject {
  if (/ENCRYPTED/.test(pem.toString("latin1"))) {
    throw new CertificateError(`${file} is protected by a passphrase. Give mess a copy without one (mode 0600)`);
  }
  try {
    return createPrivateKey(pem);
  } catch {
    throw new CertificateError(`${file} holds no private key in PEM form`);
  }
}

function privateKeyOf(der: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.from(der), format: "der", type: "pkcs8" });
}

function keyPem(key: KeyObject): string {
  return key.export({ format: "pem", type: "pkcs8" }).toString();
}
