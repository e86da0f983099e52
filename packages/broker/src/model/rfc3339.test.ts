import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatRfc3339, parseRfc3339 } from "./rfc3339.ts";

const year0 = Date.parse("0000-01-01T00:00:00Z");
const year9999 = Date.parse("9999-12-31T23:59:59.999Z");

describe("RFC 3339", () => {
  it("agrees with the calendar of the platform", () => {
    fc.assert(
      fc.property(fc.integer({ min: year0, max: year9999 }), (at) => {
        const text = new Date(at).toISOString();
        expect(parseRfc3339(text)).toBe(at);
        expect(formatRfc3339(at)).toBe(text.replace(".000Z", "Z"));
      }),
    );
  });

  it.each([
    ["2030-01-31T12:00:00+01:30", "2030-01-31T10:30:00Z"],
    ["2030-01-31t12:00:00.1239z", "2030-01-31T12:00:00.123Z"],
    ["2030-01-31 00:00:00-00:01", "2030-01-31T00:01:00Z"],
    ["2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"],
  ])("reads %s", (text, meant) => {
    expect(parseRfc3339(text)).toBe(Date.parse(meant));
  });

  it.each([
    "",
    "2030-01-31",
    "2030-01-31T12:00:00",
    "2030-02-30T12:00:00Z",
    "2023-02-29T12:00:00Z",
    "2030-13-01T12:00:00Z",
    "2030-00-01T12:00:00Z",
    "2030-01-31T24:00:00Z",
    "2030-01-31T12:60:00Z",
    "2030-01-31T12:00:60Z",
    "2030-01-31T12:00:00+24:00",
    "2030-01-31T12:00:00.1234567890Z",
    "tomorrow",
  ])("refuses %j", (text) => {
    expect(parseRfc3339(text)).toBeUndefined();
  });
});
