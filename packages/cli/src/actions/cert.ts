import { randomBytes } from "node:crypto";
import { access, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { CliError } from "../cli-error.ts";
import type { CertCrlOptions, CertIssueOptions, CertListOptions, CertRevokeOptions } from "../commands/cert.ts";
import { ExitCode } from "../exit-code.ts";
import type { Io } from "../io.ts";
import { readSmallFile } from "../target/read-small-file.ts";
import { confirm } from "../terminal/confirm.ts";
import { note, print, printJson } from "../terminal/print.ts";
import { formatTable } from "../terminal/table.ts";
import { formatTime } from "../units.ts";
import { administer } from "./administer.ts";
import { numberField, objectFrom, objectsField, textField } from "./answer.ts";
import { loadBroker } from "./broker-library.ts";

const requestBytesMax = 16 * 1024;
/** What a serial number is written in; a longer path would be another route. */
const serialPattern = /^[0-9A-Fa-f]{1,64}$/u;

export async function issueCertificate(io: Io, principal: string, options: CertIssueOptions): Promise<void> {
  const administration = await administer(io, options);
  const directory = resolve(io.cwd, options.out ?? ".");
  const name = fileName(principal);
  const certificateFile = join(directory, `${name}.pem`);
  const keyFile = options.csr === undefined ? join(directory, `${name}.key`) : undefined;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  // Before the server is asked: a certificate that could not be written would be valid all the same.
  await mustNotExist(certificateFile);
  const request = await requestOf(io, options.csr, keyFile);
  let serial: string | undefined;
  try {
    const body = { principal, request, days: options.days };
    const answer = objectFrom(await administration.request({ method: "POST", path: "/v1/certificates", body }));
    serial = textField(answer, "serial");
    const expiresAt = numberField(answer, "expiresAt");
    await writeFile(certificateFile, textField(answer, "certificate"), { mode: 0o644, flag: "wx", flush: true });
    if (options.json === true) {
      const files = { certificate: certificateFile, ...(keyFile !== undefined && { key: keyFile }) };
      return await printJson(io, { serial, principal, expiresAt, ...files });
    }
    const files = keyFile === undefined ? certificateFile : `${certificateFile} and ${keyFile}`;
    note(io, `certificate ${serial} of ${principal}, until ${formatTime(expiresAt)} UTC, written to ${files}`);
  } catch (error) {
    if (keyFile !== undefined) await rm(keyFile, { force: true });
    if (serial !== undefined) {
      note(io, `the certificate ${serial} was issued, but not saved: revoke it with mess cert revoke ${serial}`);
    }
    throw error;
  }
}

/** A principal's name may hold what a file's should not. */
function fileName(principal: string): string {
  return principal.replace(/[^\p{L}\p{N}._-]/gu, "_").replace(/^\.+/u, "_") || "client";
}

async function requestOf(io: Io, csr: string | undefined, keyFile: string | undefined): Promise<string> {
  if (csr !== undefined) return readSmallFile(resolve(io.cwd, csr), "the certificate request", requestBytesMax);
  const { newCertificateRequest } = await loadBroker();
  const { request, key } = await newCertificateRequest();
  if (keyFile !== undefined) await writeNew(keyFile, key);
  return request;
}

async function writeNew(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { mode: 0o600, flag: "wx", flush: true });
  } catch (error) {
    throw error instanceof Error && "code" in error && error.code === "EEXIST" ? exists(path) : error;
  }
}

async function mustNotExist(path: string): Promise<void> {
  const isThere = await access(path).then(
    () => true,
    () => false,
  );
  if (isThere) throw exists(path);
}

function exists(path: string): CliError {
  return new CliError(ExitCode.inputOutput, `${path} exists`, "pass another --out, or move the old one away");
}

export async function listCertificates(io: Io, options: CertListOptions): Promise<void> {
  const administration = await administer(io, options);
  const answer = objectFrom(await administration.request({ method: "GET", path: "/v1/certificates" }));
  const list = objectsField(answer, "certificates");
  if (options.json === true) {
    for (const certificate of list) await printJson(io, certificate);
    return;
  }
  const rows = list.map((certificate) => [
    textField(certificate, "serial"),
    textField(certificate, "principal"),
    formatTime(certificate["issuedAt"]),
    formatTime(certificate["expiresAt"]),
    formatTime(certificate["revokedAt"]),
  ]);
  const titles = ["SERIAL", "PRINCIPAL", "ISSUED (UTC)", "ENDS (UTC)", "REVOKED (UTC)"];
  await print(
    io,
    formatTable(
      titles.map((title) => ({ title })),
      rows,
    ),
  );
}

export async function revokeCertificate(io: Io, serial: string, options: CertRevokeOptions): Promise<void> {
  if (!serialPattern.test(serial)) {
    throw new CliError(ExitCode.usage, `"${serial}" is not a serial number`, "mess cert list shows them");
  }
  if (!(await confirm(io, `revoke the certificate ${serial}`, options.yes ?? false))) {
    return note(io, "nothing was changed");
  }
  const administration = await administer(io, options);
  await administration.request({ method: "DELETE", path: `/v1/certificates/${serial.toUpperCase()}` });
  note(io, `certificate ${serial} is revoked`);
}

export async function printRevocationList(io: Io, options: CertCrlOptions): Promise<void> {
  const administration = await administer(io, options);
  const { chunks } = await administration.stream({ method: "GET", path: "/v1/certificates/crl" });
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  const text = Buffer.concat(parts).toString();
  if (options.out === undefined) return print(io, text);
  const path = resolve(io.cwd, options.out);
  // Whole or not at all: whoever reads it must not find half a list.
  const temporary = `${path}.${randomBytes(6).toString("hex")}`;
  await writeFile(temporary, text, { mode: 0o644, flag: "wx", flush: true });
  await rename(temporary, path);
  note(io, `the revocation list is in ${path}`);
}
