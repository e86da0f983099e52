import { describe, expect, test } from "vitest";
import { ByteWriter } from "./byte-writer.ts";

const written = (writer: ByteWriter): number[] => [...writer.bytes.subarray(0, writer.position)];

describe("ByteWriter", () => {
  test("writes each type", () => {
    const writer = new ByteWriter(100, 1);
    writer.uint8(1);
    writer.uint16(0x1234, "b");
    writer.uint32(0xffff_fffe, "c");
    writer.variableInteger(128, "d");
    writer.string("é", "e");
    writer.binary(Uint8Array.of(5, 6), "f");
    writer.raw(Uint8Array.of(7, 8, 9), 1, 3);
    expect(written(writer)).toEqual([1, 0x12, 0x34, 255, 255, 255, 254, 0x80, 1, 0, 2, 0xc3, 0xa9, 0, 2, 5, 6, 8, 9]);
    expect([writer.fault, writer.overflowed, writer.room]).toEqual(["", false, 81]);
  });

  test("never grows beyond its limit, and writes nothing more once it would", () => {
    const writer = new ByteWriter(5, 2);
    writer.uint32(1, "a");
    writer.uint16(2, "b");
    writer.uint32(2, "c");
    writer.uint8(3);
    expect(writer.overflowed).toBe(true);
    expect(written(writer)).toEqual([0, 0, 0, 1]);
    expect(writer.bytes.length).toBeLessThanOrEqual(5);
  });

  test("exactly the limit fits", () => {
    const writer = new ByteWriter(3);
    writer.string("a", "a");
    expect([writer.overflowed, written(writer)]).toEqual([false, [0, 1, 0x61]]);
  });

  test.each<[string, (writer: ByteWriter) => void, string]>([
    ["uint16", (writer) => writer.uint16(65_536, "It"), "It must be an integer from 0 to 65535."],
    ["uint16 fraction", (writer) => writer.uint16(0.5, "It"), "It must be an integer from 0 to 65535."],
    ["uint32", (writer) => writer.uint32(Number.NaN, "It"), "It must be an integer from 0 to 4294967295."],
    ["variable", (writer) => writer.variableInteger(268_435_456, "It"), "It must be an integer from 0 to 268435455."],
    ["string", (writer) => writer.string("x".repeat(65_536), "It"), "It is longer than 65535 bytes of UTF-8."],
    [
      "string of many bytes",
      (writer) => writer.string("é".repeat(32_768), "It"),
      "It is longer than 65535 bytes of UTF-8.",
    ],
    ["U+0000", (writer) => writer.string("a\0", "It"), "It must not contain U+0000."],
    ["binary", (writer) => writer.binary(new Uint8Array(65_536), "It"), "It is longer than 65535 bytes."],
  ])("%s out of range is a fault", (_name, write, fault) => {
    const writer = new ByteWriter(1 << 20);
    write(writer);
    expect(writer.fault).toBe(fault);
    writer.fail("Another.");
    expect(writer.fault).toBe(fault);
  });

  test("the longest string and binary fit", () => {
    const writer = new ByteWriter(1 << 20);
    writer.string("x".repeat(65_535), "s");
    writer.binary(new Uint8Array(65_535), "b");
    expect([writer.fault, writer.position]).toEqual(["", 2 * 65_537]);
  });
});
