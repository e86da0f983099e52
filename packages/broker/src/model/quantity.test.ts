import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatDuration, formatSize, parseDuration, parseSize } from "./quantity.ts";

describe("parseSize and parseDuration", () => {
  it.each([
    ["0", 0],
    ["512", 512],
    ["64KiB", 65_536],
    ["1 MiB", 1_048_576],
    ["1.5MiB", 1_572_864],
    ["2GB", 2_000_000_000],
    ["10kB", 10_000],
    ["1TiB", 1_099_511_627_776],
  ])("%s is %d bytes", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each([
    ["0s", 0],
    ["500ms", 500],
    ["1.5s", 1_500],
    ["5m", 300_000],
    ["1h", 3_600_000],
    ["30 d", 2_592_000_000],
  ])("%s is %d milliseconds", (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds);
  });

  it.each([
    "",
    " ",
    "-1B",
    "+1B",
    "1mib",
    "1K",
    "1 k B",
    "0x10",
    "1e3",
    "1.5",
    "NaN",
    "99999999999999999999TiB",
    "1B ",
    "1,5MiB",
    "1".repeat(40),
  ])("%j is no size", (text) => {
    expect(parseSize(text)).toBeUndefined();
  });

  it.each(["", "5", "-1s", "1M", "1min", "0.5ms", "1s1s", "Infinity"])("%j is no duration", (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  it("are read back as they are written", () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(40), (number, shift) => {
        const value = number * 2 ** Math.min(shift, 20);
        expect(parseSize(formatSize(value))).toBe(value);
        expect(parseDuration(formatDuration(value))).toBe(value);
      }),
    );
    expect([formatSize(1_048_576), formatSize(1_000), formatDuration(2_592_000_000)]).toEqual([
      "1 MiB",
      "1000 B",
      "30 d",
    ]);
  });
});
