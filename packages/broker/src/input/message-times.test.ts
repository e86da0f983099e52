import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseDelay, parseTime } from "./message-times.ts";

describe("parseDelay", () => {
  it.each([
    ["0", 0],
    ["1500", 1_500],
    ["PT5S", 5_000],
    ["PT0.25S", 250],
    ["PT1,5S", 1_500],
    ["PT90M", 5_400_000],
    ["P1DT2H3M4S", 93_784_000],
    ["P2W", 14 * 86_400_000],
    ["PT1.9999S", 1_999],
  ])("%s is %s ms", (text, milliseconds) => expect(parseDelay(text)).toBe(milliseconds));

  it.each([
    "",
    "P",
    "PT",
    "P1DT",
    "5s",
    "-1",
    "+1",
    "1.5",
    "P1M",
    "P1Y",
    "PT-5S",
    "P1W2D",
    "pt5s",
    "PT5",
    "P5S",
    " 1",
    "9".repeat(16),
    `PT${"9".repeat(99)}S`,
  ])("%j is none", (text) => expect(parseDelay(text)).toBeUndefined());
});

describe("parseTime", () => {
  it("reads what Date writes, and offsets", () => {
    fc.assert(
      fc.property(fc.date({ min: new Date(0), max: new Date(Date.UTC(9999, 11, 31)), noInvalidDate: true }), (date) => {
        expect(parseTime(date.toISOString())).toBe(date.getTime());
      }),
    );
    expect(parseTime("2026-06-01T02:30:00+02:30")).toBe(Date.UTC(2026, 5, 1));
    expect(parseTime("2026-06-01t00:00:00.5z")).toBe(Date.UTC(2026, 5, 1, 0, 0, 0, 500));
    expect(parseTime("2024-02-29T00:00:00Z")).toBe(Date.UTC(2024, 1, 29));
  });

  it.each([
    "",
    "2026-06-01",
    "2026-06-01T00:00:00",
    "2026-06-01T00:00Z",
    "2026-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-00-01T00:00:00Z",
    "2026-06-31T00:00:00Z",
    "2026-06-01T24:00:00Z",
    "2026-06-01T00:60:00Z",
    "2026-06-01T00:00:60Z",
    "2026-06-01T00:00:00+24:00",
    "+002026-06-01T00:00:00Z",
    "yesterday",
  ])("%j is none", (text) => expect(parseTime(text)).toBeUndefined());
});
