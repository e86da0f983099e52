/**
 * Bounded writing into a buffer that grows up to a limit. Beyond the limit nothing is written and `overflowed` is set;
 * a value the format cannot carry sets `fault`. Neither throws: the caller looks once at the end.
 */
import { copyBytes } from "./native-bytes.ts";
import { STRING_BYTES_MAX, stringByteLength, writeString } from "./utf8.ts";
import { VARIABLE_INTEGER_MAX, variableIntegerSize, writeVariableInteger } from "./variable-integer.ts";

const FIRST_CAPACITY = 128;

export class ByteWriter {
  bytes: Uint8Array;
  position = 0;
  /** The limit would have been passed. */
  overflowed = false;
  /** First value that the format cannot carry, as a sentence; "" when there is none. */
  fault = "";
  private readonly limit: number;

  /**
   * @param limit most bytes that may be written
   * @param expected capacity to begin with, if it is known
   */
  constructor(limit: number, expected: number = FIRST_CAPACITY) {
    this.limit = limit;
    this.bytes = new Uint8Array(Math.min(limit, expected));
  }

  /** Bytes that may still be written. */
  get room(): number {
    return this.limit - this.position;
  }

  fail(reason: string): void {
    if (this.fault === "") this.fault = reason;
  }

  /** Makes room for `length` more bytes; false when the limit forbids it. */
  private reserve(length: number): boolean {
    const needed = this.position + length;
    if (needed > this.limit) this.overflowed = true;
    if (this.overflowed) return false;
    if (needed > this.bytes.length) {
      const larger = new Uint8Array(Math.min(this.limit, Math.max(needed, this.bytes.length * 2)));
      copyBytes(this.bytes, 0, this.position, larger, 0);
      this.bytes = larger;
    }
    return true;
  }

  uint8(value: number): void {
    if (this.reserve(1)) this.bytes[this.position++] = value;
  }

  uint16(value: number, field: string): void {
    if (!isInteger(value, 0xffff)) this.fail(`${field} must be an integer from 0 to 65535.`);
    if (!this.reserve(2)) return;
    this.bytes[this.position++] = value >>> 8;
    this.bytes[this.position++] = value;
  }

  uint32(value: number, field: string): void {
    if (!isInteger(value, 0xffff_ffff)) this.fail(`${field} must be an integer from 0 to 4294967295.`);
    if (!this.reserve(4)) return;
    for (let shift = 24; shift >= 0; shift -= 8) this.bytes[this.position++] = value >>> shift;
  }

  variableInteger(value: number, field: string): void {
    if (!isInteger(value, VARIABLE_INTEGER_MAX)) {
      this.fail(`${field} must be an integer from 0 to ${VARIABLE_INTEGER_MAX}.`);
    } else if (this.reserve(variableIntegerSize(value))) {
      this.position = writeVariableInteger(this.bytes, this.position, value);
    }
  }

  string(text: string, field: string): void {
    const length = stringByteLength(text);
    if (length > STRING_BYTES_MAX) this.fail(`${field} is longer than ${STRING_BYTES_MAX} bytes of UTF-8.`);
    else if (text.includes("\0")) this.fail(`${field} must not contain U+0000.`);
    else if (this.reserve(2 + length)) this.position = writeString(this.bytes, this.position, text);
  }

  /** Bytes behind a two-byte length. */
  binary(value: Uint8Array, field: string): void {
    if (value.length > 0xffff) this.fail(`${field} is longer than 65535 bytes.`);
    else {
      this.uint16(value.length, field);
      this.raw(value, 0, value.length);
    }
  }

  raw(source: Uint8Array, start: number, end: number): void {
    if (this.reserve(end - start)) this.position = copyBytes(source, start, end, this.bytes, this.position);
  }
}

function isInteger(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= max;
}
