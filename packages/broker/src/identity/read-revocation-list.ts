import { type DerElement, DerTag, derElement, derElements, derSerial, derTime } from "./der.ts";
import { nameHash } from "./read-certificate.ts";

/** A certificate revocation list (RFC 5280, section 5). Its signature is not looked at here. */
export interface RevocationList {
  /** SHA-256 of the issuer's name (DER), upper-case hexadecimal. */
  readonly issuer: string;
  /** Upper-case hexadecimal. */
  readonly serials: ReadonlySet<string>;
  /** Wall-clock milliseconds; `Infinity` when it does not say. */
  readonly nextUpdate: number;
}

/** Reads a list (DER); `undefined` when it is none. */
export function readRevocationList(der: Uint8Array): RevocationList | undefined {
  const fields = derElements(derElement(der, DerTag.sequence)?.content ?? new Uint8Array(0), 3);
  const list = fields?.[0]?.tag === DerTag.sequence ? derElements(fields[0].content, 7) : undefined;
  if (list === undefined) return undefined;
  const skip = list[0]?.tag === DerTag.integer ? 1 : 0;
  const [, issuerName, thisUpdate, ...rest] = list.slice(skip);
  if (issuerName?.tag !== DerTag.sequence || derTime(thisUpdate) === undefined) return undefined;
  const nextUpdate = derTime(rest[0]);
  const revoked = rest[nextUpdate === undefined ? 0 : 1];
  const serials = revoked?.tag === DerTag.sequence ? serialsOf(revoked) : new Set<string>();
  if (serials === undefined) return undefined;
  return { issuer: nameHash(issuerName.whole), serials, nextUpdate: nextUpdate ?? Number.POSITIVE_INFINITY };
}

function serialsOf(revoked: DerElement): Set<string> | undefined {
  const serials = new Set<string>();
  for (const entry of derElements(revoked.content) ?? [undefined]) {
    const parts = entry?.tag === DerTag.sequence ? derElements(entry.content, 3) : undefined;
    const serial = derSerial(parts?.[0]);
    if (serial === undefined) return undefined;
    serials.add(serial);
  }
  return serials;
}
