/** UTF-8 as MQTT wants it [MQTT-1.5.4-1..3]: strictly well-formed, without U+0000, byte order marks kept. */
import { asciiText, utf8Text } from "./native-bytes.ts";

/** Longest string on the wire, bytes [MQTT 5.0 section 1.5.4]. */
export const STRING_BYTES_MAX = 65_535;

/** Strings shorter than this are encoded by a loop; a call into the engine costs more. */
const LOOP_ENCODE_MAX = 48;
/** U+FFFD: what a lone surrogate becomes, as in TextEncoder, so that what we send is always well-formed. */
const REPLACEMENT = 0xfffd;

const encoder = new TextEncoder();

/** True when bytes[start, end) are well-formed UTF-8 without U+0000. */
export function isUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at < end) {
    const byte = bytes[at] as number;
    if (byte < 0x80) {
      if (byte === 0) return false;
      at++;
    } else {
      const length = sequenceLength(bytes, at, end, byte);
      if (length === 0) return false;
      at += length;
    }
  }
  return true;
}

/** Length of the multi-byte sequence at `at`; 0 when ill-formed. Ranges: Unicode Standard, table 3-7. */
function sequenceLength(bytes: Uint8Array, at: number, end: number, lead: number): number {
  if (lead < 0xc2 || lead > 0xf4) return 0; // a stray continuation, an overlong form of ASCII, beyond U+10FFFF
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (at + length > end) return 0;
  const second = bytes[at + 1] as number;
  let low = 0x80;
  let high = 0xbf;
  if (lead === 0xe0)
    low = 0xa0; // below: overlong
  else if (lead === 0xed)
    high = 0x9f; // above: surrogates U+D800..DFFF
  else if (lead === 0xf0)
    low = 0x90; // below: overlong
  else if (lead === 0xf4) high = 0x8f; // above: beyond U+10FFFF
  if (second < low || second > high) return 0;
  for (let index = 2; index < length; index++) {
    if (((bytes[at + index] as number) & 0xc0) !== 0x80) return 0;
  }
  return length;
}

/** Text of validated bytes (ill-formed ones become U+FFFD). A byte order mark stays. */
export function decodeString(bytes: Uint8Array, start: number, end: number): string {
  for (let at = start; at < end; at++) {
    if ((bytes[at] as number) >= 0x80) return utf8Text(bytes, start, end);
  }
  return start === end ? "" : asciiText(bytes, start, end);
}

/** UTF-8 length in bytes, without the two bytes of the length field. A lone surrogate counts as U+FFFD. */
export function stringByteLength(text: string): number {
  let bytes = text.length;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) continue;
    if (unit < 0x800) bytes += 1;
    else {
      bytes += 2;
      // A pair is two units and four bytes: the low half has been counted as one already.
      if (isPair(text, index, unit)) index++;
    }
  }
  return bytes;
}

/**
 * Writes the two-byte length and the UTF-8 bytes of `text`; returns the end. `out` must have room for
 * 2 + stringByteLength(text) bytes and the text at most STRING_BYTES_MAX.
 */
export function writeString(out: Uint8Array, at: number, text: string): number {
  const end = writeText(out, at + 2, text);
  const length = end - at - 2;
  out[at] = length >>> 8;
  out[at + 1] = length & 0xff;
  return end;
}

function writeText(out: Uint8Array, start: number, text: string): number {
  if (text.length >= LOOP_ENCODE_MAX) return start + encoder.encodeInto(text, out.subarray(start)).written;
  let at = start;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) {
      out[at++] = unit;
    } else if (isPair(text, index, unit)) {
      at = writeCodePoint(out, at, text.codePointAt(index) as number);
      index++;
    } else {
      at = writeCodePoint(out, at, isSurrogate(unit) ? REPLACEMENT : unit);
    }
  }
  return at;
}

function writeCodePoint(out: Uint8Array, start: number, point: number): number {
  let at = start;
  if (point < 0x800) {
    out[at++] = 0xc0 | (point >>> 6);
  } else {
    if (point < 0x10000) {
      out[at++] = 0xe0 | (point >>> 12);
    } else {
      out[at++] = 0xf0 | (point >>> 18);
      out[at++] = 0x80 | ((point >>> 12) & 0x3f);
    }
    out[at++] = 0x80 | ((point >>> 6) & 0x3f);
  }
  out[at++] = 0x80 | (point & 0x3f);
  return at;
}

function isSurrogate(unit: number): boolean {
  return (unit & 0xf800) === 0xd800;
}

function isPair(text: string, index: number, unit: number): boolean {
  return (unit & 0xfc00) === 0xd800 && (text.charCodeAt(index + 1) & 0xfc00) === 0xdc00;
}
