import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeString, isUtf8, stringByteLength, writeString } from "./utf8.ts";

const reference = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function legal(bytes: Uint8Array): boolean {
  try {
    return !reference.decode(bytes).includes("\0");
  } catch {
    return false;
  }
}

const valid = (...bytes: number[]): boolean => isUtf8(Uint8Array.from(bytes), 0, bytes.length);

describe("isUtf8", () => {
  test("agrees with the platform's decoder on every one and two bytes, and every three with a long lead", () => {
    for (let first = 0; first < 256; first++) {
      expect([first, valid(first)]).toEqual([first, legal(Uint8Array.of(first))]);
      for (let second = 0; second < 256; second++) {
        const pair = Uint8Array.of(first, second);
        if (isUtf8(pair, 0, 2) !== legal(pair)) expect([...pair]).toEqual("legal");
      }
    }
    for (let first = 0xe0; first < 256; first++) {
      for (let second = 0; second < 256; second++) {
        for (const third of [0, 0x41, 0x7f, 0x80, 0xbf, 0xc0, 0xff]) {
          for (const tail of [[], [0x80], [0xbf], [0xc0], [0x41]]) {
            const bytes = Uint8Array.of(first, second, third, ...tail);
            if (isUtf8(bytes, 0, bytes.length) !== legal(bytes)) expect([...bytes]).toEqual("legal");
          }
        }
      }
    }
  });

  test("agrees on any bytes", () => {
    const byte = fc.oneof(
      fc.nat(255),
      fc.constantFrom(0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x8e, 0x88, 0xed, 0xa0),
    );
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 40 }), (bytes) => {
        expect(valid(...bytes)).toBe(legal(Uint8Array.from(bytes)));
      }),
    );
  });

  test("looks only at its range", () => {
    const bytes = Uint8Array.of(0xff, 0x41, 0xc3, 0xa9, 0xff);
    expect(isUtf8(bytes, 1, 4)).toBe(true);
    expect(isUtf8(bytes, 1, 3)).toBe(false);
    expect(isUtf8(bytes, 2, 2)).toBe(true);
  });
});

describe("strings to bytes and back", () => {
  const any = fc.oneof(
    fc.string({ unit: "binary", maxLength: 100 }),
    fc.array(fc.nat(0xffff), { maxLength: 60 }).map((units) => String.fromCharCode(...units)),
    fc.string({ maxLength: 200 }),
  );

  test("lengths and bytes are TextEncoder's, lone surrogates included", () => {
    fc.assert(
      fc.property(any, fc.nat(4), (text, offset) => {
        const expected = new TextEncoder().encode(text);
        expect(stringByteLength(text)).toBe(expected.length);
        const out = new Uint8Array(offset + 2 + expected.length + 3).fill(0xee);
        const end = writeString(out, offset, text);
        expect(end).toBe(offset + 2 + expected.length);
        expect(out.subarray(offset + 2, end)).toEqual(expected);
        expect(((out[offset] as number) << 8) | (out[offset + 1] as number)).toBe(expected.length);
        expect(out.subarray(end)).toEqual(new Uint8Array(3).fill(0xee));
        expect(decodeString(out, offset + 2, end)).toBe(new TextDecoder("utf-8", { ignoreBOM: true }).decode(expected));
      }),
      { numRuns: 500 },
    );
  });

  test("at the bounds of each length, alone and in long text", () => {
    for (const point of [1, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xfffd, 0xffff, 0x10000, 0x10ffff]) {
      for (const text of [String.fromCodePoint(point), `${"x".repeat(60)}${String.fromCodePoint(point)}`]) {
        const expected = new TextEncoder().encode(text);
        const out = new Uint8Array(2 + expected.length);
        expect([point, stringByteLength(text)]).toEqual([point, expected.length]);
        expect(writeString(out, 0, text)).toBe(out.length);
        expect(out.subarray(2)).toEqual(expected);
        expect(isUtf8(out, 2, out.length)).toBe(true);
      }
    }
  });

  test("a byte order mark stays", () => {
    const bytes = Uint8Array.of(0xef, 0xbb, 0xbf, 0x61);
    expect(decodeString(bytes, 0, 4)).toBe("\u{feff}a");
    expect(isUtf8(bytes, 0, 4)).toBe(true);
  });

  test("ASCII, empty and long", () => {
    const text = "a/b".repeat(1000);
    const out = new Uint8Array(2 + text.length);
    expect(decodeString(out, 2, writeString(out, 0, text))).toBe(text);
    expect(decodeString(out, 5, 5)).toBe("");
  });
});
