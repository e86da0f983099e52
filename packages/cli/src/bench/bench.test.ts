import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Histogram } from "./histogram.ts";
import { SequenceSet } from "./sequence-set.ts";
import { readStamp, Stamper, stampBytes, stampedPayload } from "./stamp.ts";

describe("Histogram", () => {
  it("gives every percentile to better than 0.8 %", () => {
    const values = fc.array(fc.oneof(fc.nat(1000), fc.nat(0x7fff_ffff)), { minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (list, share) => {
        const histogram = new Histogram();
        for (const value of list) histogram.record(value);
        const sorted = [...list].sort((a, b) => a - b);
        const exact = sorted[Math.max(0, Math.ceil(share * list.length) - 1)] ?? 0;
        const found = histogram.percentile(share);
        expect(found).toBeGreaterThanOrEqual(exact);
        expect(found).toBeLessThanOrEqual(exact * 1.008 + 1);
        expect(histogram.max).toBe(sorted.at(-1));
        expect(histogram.count).toBe(list.length);
      }),
    );
  });

  it("takes what is out of range for the nearest bound", () => {
    const histogram = new Histogram();
    expect(histogram.percentile(0.5)).toBe(0);
    histogram.record(-5);
    expect(histogram.percentile(1)).toBe(0);
    histogram.record(1e12);
    expect(histogram.max).toBe(0x7fff_ffff);
    expect(histogram.percentile(1)).toBe(0x7fff_ffff);
  });
});

describe("SequenceSet", () => {
  it("tells new, repeated and late ones apart", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(30_000), { maxLength: 300 }), (sequences) => {
        const set = new SequenceSet();
        const seen = new Set<number>();
        let duplicates = 0;
        let outOfOrder = 0;
        let highest = -1;
        for (const sequence of sequences) {
          set.add(sequence);
          if (seen.has(sequence)) duplicates += 1;
          else if (sequence < highest) outOfOrder += 1;
          highest = Math.max(highest, sequence);
          seen.add(sequence);
        }
        expect([set.unique, set.duplicates, set.outOfOrder]).toEqual([seen.size, duplicates, outOfOrder]);
      }),
    );
  });
});

describe("stamp", () => {
  it("comes back from a payload anywhere in a buffer", () => {
    const payload = stampedPayload(100, { runId: 0xffff_ffff, publisher: 3, sequence: 0, due: 0 });
    const around = new Uint8Array(200);
    around.set(new Stamper(payload).next(0xffff_fffe, 1234.567), 50);
    const stamp = { runId: 0, publisher: 0, sequence: 0, due: 0 };
    expect(readStamp(around, 50, 150, stamp)).toBe(true);
    expect(stamp).toEqual({ runId: 0xffff_ffff, publisher: 3, sequence: 0xffff_fffe, due: 1234.567 });
    expect(readStamp(around, 50, 50 + stampBytes - 1, stamp)).toBe(false);
  });
});
