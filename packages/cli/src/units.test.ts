import { describe, expect, it } from "vitest";
import { CliError } from "./cli-error.ts";
import { formatBytes, formatCount, formatMilliseconds, parseDuration, parseSize, wholeNumber } from "./units.ts";

describe("units", () => {
  it("reads durations", () => {
    expect(["250ms", "1.5s", "10", "5m", "2h", "7d", "0"].map(parseDuration)).toEqual([
      250, 1500, 10_000, 300_000, 7_200_000, 604_800_000, 0,
    ]);
    for (const bad of ["", "s", "-1s", "1w", "1 s", "1e3", "400d", "Infinity"])
      expect(() => parseDuration(bad), bad).toThrow(CliError);
  });

  it("reads sizes", () => {
    expect(["128", "1B", "256KiB", "1MiB", "2GiB"].map(parseSize)).toEqual([128, 1, 262_144, 1_048_576, 2_147_483_648]);
    for (const bad of ["", "1.5KiB", "1KB", "-1", "1k"]) expect(() => parseSize(bad), bad).toThrow(CliError);
  });

  it("reads whole numbers within bounds", () => {
    const port = wholeNumber("--port", 0, 65_535);
    expect([port("0"), port("65535")]).toEqual([0, 65_535]);
    for (const bad of ["65536", "-1", "1.0", "0x10", "", " 1", "NaN"])
      expect(() => port(bad), bad).toThrow(/--port must be a whole number from 0 to 65535/u);
  });

  it("writes them for people", () => {
    expect([0.94, 9.96, 12.3, 999.4, 1234].map(formatMilliseconds)).toEqual([
      "0.9 ms",
      "10.0 ms",
      "12 ms",
      "999 ms",
      "1.2 s",
    ]);
    expect([0, 1023, 1536, 20 * 1024 ** 2, 3 * 1024 ** 4].map(formatBytes)).toEqual([
      "0 B",
      "1023 B",
      "1.5 KiB",
      "20.0 MiB",
      "3.0 TiB",
    ]);
    expect(formatCount(1_234_567)).toBe("1,234,567");
  });
});
