/**
 * Bounded reading. A read past the end does not throw: it records a fault, moves to the end, and gives zeros or
 * empties from then on, so a decoder checks once after several reads. Only the first fault is kept.
 */
import { ownBytes } from "./native-bytes.ts";
import { decodeString, isUtf8 } from "./utf8.ts";
import { readVariableInteger, VARIABLE_INTEGER_CUT, variableIntegerSize } from "./variable-integer.ts";

const NONE = new Uint8Array(0);

export class ByteReader {
  bytes: Uint8Array = NONE;
  position = 0;
  end = 0;
  /** 0 while all is well, else a code in the numbering of the protocol. */
  faultCode = 0;
  /** One sentence for people. Names fields, never quotes received bytes. */
  faultReason = "";
  private readonly malformedCode: number;

  /** @param malformedCode the fault code of short or ill-formed fields (MQTT: 0x81) */
  constructor(malformedCode: number) {
    this.malformedCode = malformedCode;
  }

  reset(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
    this.faultCode = 0;
    this.faultReason = "";
  }

  get remaining(): number {
    return this.end - this.position;
  }

  fail(code: number, reason: string): void {
    if (this.faultCode === 0) {
      this.faultCode = code;
      this.faultReason = reason;
    }
    this.position = this.end;
  }

  /** Start of `length` bytes that are stepped over, or -1 (and a fault) when there are fewer. */
  private take(length: number, field: string): number {
    const start = this.position;
    if (length > this.end - start) {
      this.fail(this.malformedCode, `The packet ends inside ${field}.`);
      return -1;
    }
    this.position = start + length;
    return start;
  }

  uint8(field: string): number {
    const at = this.take(1, field);
    return at < 0 ? 0 : (this.bytes[at] as number);
  }

  uint16(field: string): number {
    const at = this.take(2, field);
    return at < 0 ? 0 : ((this.bytes[at] as number) << 8) | (this.bytes[at + 1] as number);
  }

  uint32(field: string): number {
    const at = this.take(4, field);
    if (at < 0) return 0;
    const { bytes } = this;
    const high = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
    return high * 0x1_0000 + (((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number));
  }

  variableInteger(field: string): number {
    const value = readVariableInteger(this.bytes, this.position, this.end);
    if (value >= 0) {
      this.position += variableIntegerSize(value);
      return value;
    }
    const reason =
      value === VARIABLE_INTEGER_CUT
        ? `The packet ends inside ${field}.`
        : `${capital(field)} is not a well-formed variable byte integer.`;
    this.fail(this.malformedCode, reason);
    return 0;
  }

  /** A UTF-8 string behind its two-byte length, strictly validated. */
  string(field: string): string {
    const length = this.uint16(field);
    const start = this.take(length, field);
    if (start < 0) return "";
    if (!isUtf8(this.bytes, start, start + length)) {
      this.fail(this.malformedCode, `${capital(field)} is not well-formed UTF-8 without U+0000.`);
      return "";
    }
    return decodeString(this.bytes, start, start + length);
  }

  /** Bytes behind their two-byte length, copied: the buffer they came in will be used again. */
  binary(field: string): Uint8Array {
    const length = this.uint16(field);
    const start = this.take(length, field);
    return start < 0 ? NONE : ownBytes(this.bytes, start, start + length);
  }
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
