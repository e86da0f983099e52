/** Variable byte integers [MQTT 5.0 section 1.5.5]: seven bits a byte, lowest first, one to four bytes. */

export const VARIABLE_INTEGER_MAX = 268_435_455;

/** Bytes that `value` (0..VARIABLE_INTEGER_MAX) takes. */
export function variableIntegerSize(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : 4;
}

/** Writes the shortest form [MQTT-1.5.5-1]; returns the end. */
export function writeVariableInteger(out: Uint8Array, start: number, value: number): number {
  let at = start;
  let rest = value;
  while (rest >= 0x80) {
    out[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  out[at++] = rest;
  return at;
}

/** The integer at `at` does not end before `end`. */
export const VARIABLE_INTEGER_CUT = -1;
/** More than four bytes, or longer than needed. */
export const VARIABLE_INTEGER_MALFORMED = -2;

/** The value at `at`, or one of the two negative codes. Its size follows from the value: the form is the shortest. */
export function readVariableInteger(bytes: Uint8Array, at: number, end: number): number {
  let value = 0;
  for (let index = 0; index < 4; index++) {
    if (at + index >= end) return VARIABLE_INTEGER_CUT;
    const byte = bytes[at + index] as number;
    value |= (byte & 0x7f) << (7 * index);
    if (byte < 0x80) return byte === 0 && index > 0 ? VARIABLE_INTEGER_MALFORMED : value;
  }
  return VARIABLE_INTEGER_MALFORMED;
}
