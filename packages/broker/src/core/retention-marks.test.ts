import fc from "fast-check";
import { expect, test } from "vitest";
import { RetentionMarks } from "./retention-marks.ts";

const message = fc.record({
  gap: fc.constantFrom(1, 2, 10, 10_000),
  bytes: fc.integer({ min: 1, max: 2_000_000 }),
  ms: fc.nat(5_000),
});

test("keeps what it must, and little more than that", () => {
  fc.assert(
    fc.property(
      fc.array(message, { minLength: 1, maxLength: 100 }),
      fc.option(fc.nat(60_000), { nil: undefined }),
      fc.option(fc.nat(20_000_000), { nil: undefined }),
      (messages, ageMs, bytes) => {
        const retention = { ...(ageMs !== undefined && { ageMs }), ...(bytes !== undefined && { bytes }) };
        const marks = new RetentionMarks();
        const all: { seq: number; bytes: number; at: number }[] = [];
        let [seq, at] = [0, 0];
        for (const one of messages) {
          seq += one.gap;
          at += one.ms;
          all.push({ seq, bytes: one.bytes, at });
          marks.note({ seq, bytes: one.bytes, at }, retention);
          marks.bound(16);
        }
        expect(marks.length).toBeLessThanOrEqual(16);
        marks.expire(retention, at);
        const ranges: [number, number][] = [];
        marks.forEach((from, to) => ranges.push([from, to]));
        let newer = 0;
        for (const one of all.reverse()) {
          const isYoung = ageMs === undefined || one.at + ageMs >= at;
          const isWithin = bytes === undefined || newer < bytes;
          newer += one.bytes;
          if (isYoung && isWithin) expect(ranges.some(([from, to]) => from <= one.seq && one.seq <= to)).toBe(true);
        }
        const again = new RetentionMarks();
        again.load(marks.save());
        expect(again.save()).toEqual(marks.save());
        expect(again.bytes).toBe(marks.bytes);
      },
    ),
  );
});

test("messages that lie far apart are ranges of their own: what lies between is not kept", () => {
  const marks = new RetentionMarks();
  for (const seq of [1, 2, 50_000, 50_001, 900_000]) marks.note({ seq, bytes: 1, at: 0 }, { ageMs: 1e9 });
  const ranges: number[][] = [];
  marks.forEach((from, to) => ranges.push([from, to]));
  expect(ranges).toEqual([
    [1, 2],
    [50_000, 50_001],
    [900_000, 900_000],
  ]);
});

test("a range is a small part of what is kept, so that little too much is", () => {
  const marks = new RetentionMarks();
  for (let seq = 1; seq <= 64_000; seq++)
    marks.note({ seq, bytes: 1_000, at: seq }, { ageMs: 32_000, bytes: 16_000_000 });
  marks.expire({ ageMs: 32_000, bytes: 16_000_000 }, 64_000);
  expect(marks.bytes).toBeGreaterThanOrEqual(16_000_000);
  expect(marks.bytes).toBeLessThan(17_100_000);
  marks.expire({ ageMs: 8_000 }, 64_000);
  expect(marks.bytes).toBeGreaterThanOrEqual(8_000_000);
  expect(marks.bytes).toBeLessThan(9_100_000);
});
