import { describe, expect, it } from "vitest";
import { CliError } from "./cli-error.ts";
import {
  formatAge,
  formatBytes,
  formatCount,
  formatDuration,
  formatMilliseconds,
  parseDuration,
  parsePosition,
  parseSize,
  parseTime,
  wholeNumber,
} from "./units.ts";

describe("units", () => {
  it("reads durations", () => {
    expect(["250ms", "1.5s", "10", "5m", "2h", "7d", "0"].map(parseDuration)).toEqual([
      250, 1500, 10_000, 300_000, 7_200_000, 604_800_000, 0,
    ]);
    for (const bad of ["", "s", "-1s", "1w", "1 s", "1e3", "400d", "Infinity"])
      expect(() => parseDuration(bad), bad).toThrow(CliError);
  });

  it("reads times in any zone, and only times", () => {
    expect(parseTime("2030-01-31T12:00:00Z")).toBe("2030-01-31T12:00:00.000Z");
    expect(parseTime("2030-01-31 13:30:00.5+01:30")).toBe("2030-01-31T12:00:00.500Z");
    for (const bad of ["", "2030-01-31", "2030-13-01T00:00:00Z", "2030-01-31T12:00:00", "12:00", "tomorrow"])
      expect(() => parseTime(bad), bad).toThrow(CliError);
  });

  it("reads places to begin at", () => {
    const now = Date.parse("2030-01-31T12:00:00Z");
    const places = ["earliest", "latest", "0", "4711", "-1h", "2030-01-31T12:00:00Z"];
    expect(places.map((place) => parsePosition(place, now))).toEqual([
      "earliest",
      "latest",
      "0",
      "4711",
      "2030-01-31T11:00:00.000Z",
      "2030-01-31T12:00:00.000Z",
    ]);
    for (const bad of ["", "now", "-", "-soon", "1h", "2030-01-31"])
      expect(() => parsePosition(bad, now), bad).toThrow(CliError);
  });

  it("writes ages and durations", () => {
    expect([-5, 0, 59_999, 60_000, 3_599_999, 7_200_000, 86_400_000 * 9].map(formatAge)).toEqual([
      "0s",
      "0s",
      "59s",
      "1m",
      "59m",
      "2h",
      "9d",
    ]);
    const exact = [0, 1, 1500, 30_000, 90_000, 300_000, 604_800_000];
    expect(exact.map(formatDuration)).toEqual(["0s", "1ms", "1500ms", "30s", "90s", "5m", "7d"]);
    expect(exact.map(formatDuration).map(parseDuration)).toEqual(exact);
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
