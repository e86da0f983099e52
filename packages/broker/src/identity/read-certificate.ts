import { createHash } from "node:crypto";
import { type DerElement, DerTag, derElement, derElements, derSerial, derTime } from "./der.ts";

/** What mess looks at in a client certificate. Subject and common name are not among it: they are never an identity. */
export interface ParsedCertificate {
  /** Names of the subject alternative name extension: `uri:…` and `dns:…`, exact bytes. */
  readonly names: readonly string[];
  /** Upper-case hexadecimal. */
  readonly serial: string;
  /** SHA-256 of the issuer's name as it stands in the certificate (DER), upper-case hexadecimal. */
  readonly issuer: string;
  /** Wall-clock milliseconds. */
  readonly notBefore: number;
  readonly notAfter: number;
}

const CERTIFICATE_BYTES_MAX = 32 * 1_024;
const EXTENSIONS_MAX = 64;
const NAMES_MAX = 64;
const NAME_BYTES_MAX = 512;
/** 2.5.29.17 */
const SUBJECT_ALTERNATIVE_NAME = "551d11";
/** Context tags of GeneralName (RFC 5280, 4.2.1.6). */
const DNS_NAME = 0x82;
const URI = 0x86;
const EXTENSIONS = 0xa3;
const VERSION = 0xa0;

/**
 * Reads a certificate (DER). Names are taken out of the bytes themselves and not out of a text form, in which one name
 * can be made to look like two (LESSONS 32). A name with anything but visible ASCII in it, or with a wildcard, makes the whole certificate
 * unusable: whoever asked for such a name was after something.
 */
export function readCertificate(der: Uint8Array): ParsedCertificate | { readonly problem: string } {
  if (der.length > CERTIFICATE_BYTES_MAX) return { problem: "it is too large" };
  const fields = derElements(derElement(der, DerTag.sequence)?.content ?? new Uint8Array(0), 3);
  const toBeSigned = fields?.[0]?.tag === DerTag.sequence ? derElements(fields[0].content, 10) : undefined;
  if (toBeSigned === undefined) return malformed;
  const skip = toBeSigned[0]?.tag === VERSION ? 1 : 0;
  const [serialNumber, , issuerName, validity, , , ...rest] = toBeSigned.slice(skip);
  const serial = derSerial(serialNumber);
  const times = validity?.tag === DerTag.sequence ? derElements(validity.content, 2) : undefined;
  const notBefore = derTime(times?.[0]);
  const notAfter = derTime(times?.[1]);
  if (serial === undefined || issuerName?.tag !== DerTag.sequence) return malformed;
  if (notBefore === undefined || notAfter === undefined) return malformed;
  const names = namesOf(rest.find(({ tag }) => tag === EXTENSIONS));
  if ("problem" in names) return names;
  return { names: names.names, serial, issuer: nameHash(issuerName.whole), notBefore, notAfter };
}

const malformed = { problem: "it is not a certificate in DER form" } as const;

type Names = { readonly names: readonly string[] } | { readonly problem: string };

function namesOf(extensions: DerElement | undefined): Names {
  if (extensions === undefined) return { names: [] };
  const list = derElement(extensions.content, DerTag.sequence);
  const items = list && derElements(list.content, EXTENSIONS_MAX);
  if (items === undefined) return malformed;
  let found: Names | undefined;
  for (const item of items) {
    const parts = item.tag === DerTag.sequence ? derElements(item.content, 3) : undefined;
    const [identifier] = parts ?? [];
    const value = parts?.at(-1);
    if (identifier?.tag !== DerTag.objectIdentifier || value?.tag !== DerTag.octetString) return malformed;
    if (Buffer.from(identifier.content).toString("hex") !== SUBJECT_ALTERNATIVE_NAME) continue;
    // Which of two would count differs between readers.
    if (found !== undefined) return { problem: "it has two lists of alternative names" };
    found = readGeneralNames(value.content);
    if ("problem" in found) return found;
  }
  return found ?? { names: [] };
}

function readGeneralNames(bytes: Uint8Array): Names {
  const sequence = derElement(bytes, DerTag.sequence);
  if (sequence === undefined) return malformed;
  const items = derElements(sequence.content, NAMES_MAX);
  if (items === undefined) return { problem: `its alternative names cannot be read, or are more than ${NAMES_MAX}` };
  const names: string[] = [];
  for (const { tag, content } of items) {
    if (tag !== DNS_NAME && tag !== URI) continue;
    if (content.length === 0 || content.length > NAME_BYTES_MAX) {
      return { problem: `an alternative name is empty or has more than ${NAME_BYTES_MAX} bytes` };
    }
    if (content.some((byte) => byte <= 0x20 || byte >= 0x7f)) {
      return { problem: "an alternative name holds something else than visible ASCII" };
    }
    const text = Buffer.from(content).toString("latin1");
    if (tag === DNS_NAME && text.includes("*")) return { problem: "an alternative name has a wildcard" };
    names.push(`${tag === DNS_NAME ? "dns" : "uri"}:${text}`);
  }
  return { names };
}

/** How an issuer is told from others: by its name as it is written. */
export function nameHash(der: Uint8Array): string {
  return createHash("sha256").update(der).digest("hex").toUpperCase();
}
