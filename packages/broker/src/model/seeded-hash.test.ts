import { describe, expect, it } from "vitest";
import { SeededHash } from "./seeded-hash.ts";

const names = Array.from({ length: 4_096 }, (_, n) => `site/${n % 64}/device/${n}`);

describe("SeededHash", () => {
  it("gives other hashes under another seed, in each half of it", () => {
    for (const other of [1, 0x1_0000_0000]) {
      const bytes = Buffer.from("site/7/temperature");
      expect(new SeededHash(0).bytes(bytes, 0, bytes.length)).not.toBe(
        new SeededHash(other).bytes(bytes, 0, bytes.length),
      );
      expect(new SeededHash(0).text("temperature", 0, 11)).not.toBe(new SeededHash(other).text("temperature", 0, 11));
    }
  });

  it("looks at every byte, at the length, and at nothing outside", () => {
    const hash = new SeededHash(42);
    for (let length = 0; length <= 20; length++) {
      const bytes = Buffer.alloc(length + 8, 0x61);
      const whole = hash.bytes(bytes, 4, 4 + length);
      bytes[3] = 1;
      bytes[4 + length] = 1;
      expect(hash.bytes(bytes, 4, 4 + length)).toBe(whole);
      expect(hash.bytes(bytes, 4, 5 + length)).not.toBe(whole);
      for (let at = 4; at < 4 + length; at++) {
        bytes[at] = 0x62;
        expect(hash.bytes(bytes, 4, 4 + length)).not.toBe(whole);
        bytes[at] = 0x61;
      }
    }
    const text = "xx日本語/温度yy";
    const whole = hash.text(text, 2, 8);
    expect(hash.text("日本語/温度", 0, 6)).toBe(whole);
    for (let at = 2; at < 8; at++)
      expect(hash.text(`${text.slice(0, at)}z${text.slice(at + 1)}`, 2, 8)).not.toBe(whole);
  });

  it("fills a table evenly with names that look alike", () => {
    for (const seed of [0, 1, 0x1f_ffff_ffff_ffff]) {
      const hash = new SeededHash(seed);
      const buckets = new Int32Array(1_024);
      for (const name of names) {
        const bucket = hash.text(name, 0, name.length) & 1_023;
        buckets[bucket] = (buckets[bucket] as number) + 1;
      }
      // Four a bucket on average; a Poisson tail of 20 has a probability far below 1 in 10^6.
      expect(Math.max(...buckets)).toBeLessThan(20);
    }
  });
});
