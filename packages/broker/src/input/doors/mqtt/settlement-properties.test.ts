import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isRefused } from "./mess-properties.ts";
import { fitting, readSettlement } from "./settlement-properties.ts";

const limits = { delayMsMax: 5_000, leaseMsMax: 3_000, settlementReasonBytesMax: 4 };
const read = (payload: string, ...properties: [string, string][]) => readSettlement(payload, properties, limits);
const refusal = (payload: string, ...properties: [string, string][]): string => {
  const result = read(payload, ...properties);
  return isRefused(result) ? result.refusal : "taken";
};

describe("what becomes of a delivery", () => {
  test("the verbs, and nothing for ack", () => {
    expect(read("")).toEqual({ settlement: { verb: "ack" } });
    for (const verb of ["ack", "nack", "reject", "release", "extend"])
      expect(read(verb, ["own", "x"])).toEqual({ settlement: { verb } });
    for (const payload of ["ACK", "ack ", "ok", "\0", "{}"]) expect(refusal(payload)).toContain("ack, nack, reject");
  });

  test("what goes with them, at its limit and past it", () => {
    expect(read("nack", ["mess-delay", "PT5S"], ["mess-reason", "éé"])).toEqual({
      settlement: { verb: "nack", delayMs: 5_000, reason: "éé" },
    });
    expect(read("nack", ["mess-delay", "0"])).toEqual({ settlement: { verb: "nack", delayMs: 0 } });
    expect(read("extend", ["mess-delay", "3000"])).toEqual({ settlement: { verb: "extend", forMs: 3_000 } });
    expect(read("reject", ["mess-reason", ""])).toEqual({ settlement: { verb: "reject", reason: "" } });
    expect(refusal("nack", ["mess-delay", "5001"])).toContain("at most 5000 ms");
    expect(refusal("extend", ["mess-delay", "3001"])).toContain("at most 3000 ms");
    expect(refusal("nack", ["mess-reason", "12345"])).toContain("at most 4 bytes");
  });

  test("what does not go with them", () => {
    for (const verb of ["", "ack", "release", "reject"])
      expect(refusal(verb, ["mess-delay", "1"])).toContain('"mess-delay" says nothing with');
    for (const verb of ["", "ack", "release", "extend"])
      expect(refusal(verb, ["mess-reason", "x"])).toContain('"mess-reason" says nothing with');
    expect(refusal("nack", ["mess-delay", "soon"])).toContain("ISO 8601");
    expect(refusal("nack", ["mess-key", "x"])).toContain("belongs to PUBLISH");
    expect(refusal("nack", ["mess-why", "x"])).toContain("reserved and unknown");
  });
});

test("a text is cut where a character ends, as late as it fits", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.nat(20), (text, bytesMax) => {
      const cut = fitting(text, bytesMax);
      expect(text.startsWith(cut)).toBe(true);
      expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(bytesMax);
      const next = [...text.slice(cut.length)][0];
      if (next !== undefined) expect(Buffer.byteLength(cut + next)).toBeGreaterThan(bytesMax);
    }),
  );
});
