import fc from "fast-check";
import { expect, test } from "vitest";
import {
  readVariableInteger,
  VARIABLE_INTEGER_CUT,
  VARIABLE_INTEGER_MALFORMED,
  VARIABLE_INTEGER_MAX,
  variableIntegerSize,
  writeVariableInteger,
} from "./variable-integer.ts";

const read = (...bytes: number[]): number => readVariableInteger(Uint8Array.from(bytes), 0, bytes.length);

test("the bounds of each size, from table 1-1 of the standard", () => {
  const bounds: [number, number[]][] = [
    [0, [0]],
    [127, [0x7f]],
    [128, [0x80, 0x01]],
    [16_383, [0xff, 0x7f]],
    [16_384, [0x80, 0x80, 0x01]],
    [2_097_151, [0xff, 0xff, 0x7f]],
    [2_097_152, [0x80, 0x80, 0x80, 0x01]],
    [VARIABLE_INTEGER_MAX, [0xff, 0xff, 0xff, 0x7f]],
  ];
  for (const [value, bytes] of bounds) {
    const out = new Uint8Array(6);
    expect(writeVariableInteger(out, 1, value)).toBe(1 + bytes.length);
    expect([...out.subarray(1, 1 + bytes.length)]).toEqual(bytes);
    expect(variableIntegerSize(value)).toBe(bytes.length);
    expect(read(...bytes)).toBe(value);
    for (let cut = 0; cut < bytes.length; cut++) expect(read(...bytes.slice(0, cut))).toBe(VARIABLE_INTEGER_CUT);
  }
});

test("any value", () => {
  fc.assert(
    fc.property(fc.nat(VARIABLE_INTEGER_MAX), (value) => {
      const out = new Uint8Array(4);
      expect(readVariableInteger(out, 0, writeVariableInteger(out, 0, value))).toBe(value);
    }),
  );
});

test("longer than needed, or longer than four bytes", () => {
  expect(read(0x80, 0x00)).toBe(VARIABLE_INTEGER_MALFORMED);
  expect(read(0xff, 0x80, 0x00)).toBe(VARIABLE_INTEGER_MALFORMED);
  expect(read(0x80, 0x80, 0x80, 0x00)).toBe(VARIABLE_INTEGER_MALFORMED);
  expect(read(0x80, 0x80, 0x80, 0x80)).toBe(VARIABLE_INTEGER_MALFORMED);
  expect(read(0x80, 0x80, 0x80, 0x80, 0x01)).toBe(VARIABLE_INTEGER_MALFORMED);
});
