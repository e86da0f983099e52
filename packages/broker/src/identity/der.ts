/** Reads the little of DER (X.690) that certificates and revocation lists need, strictly: what is not DER is `undefined`. */

export interface DerElement {
  /** Identifier octet: class, constructed bit and number below 31. */
  readonly tag: number;
  /** The element as a whole, identifier and length included. */
  readonly whole: Uint8Array;
  readonly content: Uint8Array;
}

export const DerTag = {
  boolean: 0x01,
  integer: 0x02,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
} as const;

const LENGTH_BYTES_MAX = 4;

/** The elements that stand in `bytes` one after the other; `undefined` unless they fill it exactly. */
export function derElements(
  bytes: Uint8Array,
  elementsMax: number = Number.MAX_SAFE_INTEGER,
): DerElement[] | undefined {
  const elements: DerElement[] = [];
  let at = 0;
  while (at < bytes.length) {
    const element = elements.length < elementsMax ? elementAt(bytes, at) : undefined;
    if (element === undefined) return undefined;
    elements.push(element);
    at += element.whole.length;
  }
  return elements;
}

/** The one element that `bytes` are, if it has this tag. */
export function derElement(bytes: Uint8Array, tag: number): DerElement | undefined {
  const element = elementAt(bytes, 0);
  return element?.tag === tag && element.whole.length === bytes.length ? element : undefined;
}

function elementAt(bytes: Uint8Array, at: number): DerElement | undefined {
  const tag = bytes[at];
  const first = bytes[at + 1];
  // Numbers of 31 and more take further octets; nothing that is read here has one.
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) return undefined;
  let start = at + 2;
  let length = first;
  if (first >= 0x80) {
    const count = first - 0x80;
    if (count === 0 || count > LENGTH_BYTES_MAX) return undefined;
    length = 0;
    for (let index = 0; index < count; index++) length = length * 256 + (bytes[start + index] ?? 0);
    // The shortest form only (X.690, 10.1).
    if (length < 0x80 || length < 256 ** (count - 1)) return undefined;
    start += count;
  }
  const end = start + length;
  if (end > bytes.length) return undefined;
  return { tag, whole: bytes.subarray(at, end), content: bytes.subarray(start, end) };
}

/** Content of an INTEGER as upper-case hexadecimal without leading zero octets, as Node shows serial numbers. */
export function derSerial(element: DerElement | undefined): string | undefined {
  if (element?.tag !== DerTag.integer || element.content.length === 0) return undefined;
  let from = 0;
  while (from < element.content.length - 1 && element.content[from] === 0) from++;
  return Buffer.from(element.content.subarray(from)).toString("hex").toUpperCase();
}

/** Wall-clock milliseconds of a Time (RFC 5280, 4.1.2.5: with seconds, in UTC). */
export function derTime(element: DerElement | undefined): number | undefined {
  if (element === undefined) return undefined;
  const text = Buffer.from(element.content).toString("latin1");
  const isShort = element.tag === DerTag.utcTime;
  if (!isShort && element.tag !== DerTag.generalizedTime) return undefined;
  if (!(isShort ? /^\d{12}Z$/ : /^\d{14}Z$/).test(text)) return undefined;
  const digits = isShort ? `${Number(text.slice(0, 2)) < 50 ? "20" : "19"}${text}` : text;
  const part = (from: number, to: number): string => digits.slice(from, to);
  const time = Date.parse(`${part(0, 4)}-${part(4, 6)}-${part(6, 8)}T${part(8, 10)}:${part(10, 12)}:${part(12, 14)}Z`);
  return Number.isNaN(time) ? undefined : time;
}
