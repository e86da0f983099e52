import { describe, expect, test } from "vitest";
import { ByteReader } from "./byte-reader.ts";

function reader(...bytes: number[]): ByteReader {
  const made = new ByteReader(7);
  // Surrounded by other bytes: the range is what counts, not the buffer.
  made.reset(Uint8Array.of(9, 9, ...bytes, 9, 9), 2, 2 + bytes.length);
  return made;
}

describe("ByteReader", () => {
  test("reads each type and stops at the end", () => {
    const all = reader(1, 0x12, 0x34, 0xff, 0xff, 0xff, 0xfe, 0x80, 0x01, 0, 1, 0x61, 0, 2, 5, 6);
    expect(all.uint8("a")).toBe(1);
    expect(all.uint16("b")).toBe(0x1234);
    expect(all.uint32("c")).toBe(0xffff_fffe);
    expect(all.variableInteger("d")).toBe(128);
    expect(all.string("e")).toBe("a");
    expect(all.binary("f")).toEqual(Uint8Array.of(5, 6));
    expect(all.remaining).toBe(0);
    expect(all.faultCode).toBe(0);
  });

  test.each<[string, (from: ByteReader) => unknown, number[], unknown]>([
    ["uint8", (from) => from.uint8("the field"), [], 0],
    ["uint16", (from) => from.uint16("the field"), [1], 0],
    ["uint32", (from) => from.uint32("the field"), [1, 2, 3], 0],
    ["variableInteger", (from) => from.variableInteger("the field"), [0x80], 0],
    ["string", (from) => from.string("the field"), [0, 3, 0x61, 0x62], ""],
    ["string length", (from) => from.string("the field"), [0], ""],
    ["binary", (from) => from.binary("the field"), [0, 3, 1, 2], new Uint8Array(0)],
  ])("%s past the end is a fault, a neutral value, and the end", (_name, read, bytes, neutral) => {
    const short = reader(...bytes);
    expect(read(short)).toEqual(neutral);
    expect([short.faultCode, short.faultReason]).toEqual([7, "The packet ends inside the field."]);
    expect(short.remaining).toBe(0);
  });

  test("ill-formed values", () => {
    const text = reader(0, 1, 0xff, 1);
    expect(text.string("the name")).toBe("");
    expect(text.faultReason).toBe("The name is not well-formed UTF-8 without U+0000.");
    const long = reader(0x80, 0x00, 1);
    expect(long.variableInteger("the length")).toBe(0);
    expect(long.faultReason).toMatch(/^The length is not a well-formed variable byte integer/);
  });

  test("the first fault stays until reset", () => {
    const twice = reader();
    twice.fail(1, "First.");
    twice.uint8("x");
    expect([twice.faultCode, twice.faultReason]).toEqual([1, "First."]);
    twice.reset(Uint8Array.of(3), 0, 1);
    expect([twice.faultCode, twice.faultReason, twice.uint8("x")]).toEqual([0, "", 3]);
  });

  test("binary values do not share memory", () => {
    const bytes = Buffer.from([0, 1, 5]);
    const from = new ByteReader(7);
    from.reset(bytes, 0, 3);
    const value = from.binary("x");
    bytes[2] = 6;
    expect(value).toEqual(Uint8Array.of(5));
  });
});
