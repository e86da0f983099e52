import fc from "fast-check";
import { expect, test } from "vitest";
import { TimeIndex } from "./time-index.ts";

test("no record before the place was published at that time or later, and it is not far off", () => {
  const frame = fc.record({ records: fc.integer({ min: 1, max: 9_000 }), ms: fc.integer({ min: -3_000, max: 4_000 }) });
  fc.assert(
    fc.property(
      fc.array(frame, { minLength: 1, maxLength: 60 }),
      fc.integer({ min: -5_000, max: 100_000 }),
      (frames, at) => {
        const index = new TimeIndex();
        let seq = 1;
        let time = 10_000;
        let place = 1;
        let latest = 0;
        for (const { records, ms } of frames) {
          time += ms;
          latest = Math.max(latest, time);
          seq += records;
          index.note(seq, time);
          if (latest < at) place = seq;
        }
        const found = index.before(at);
        expect(found).toBeLessThanOrEqual(place);
        // What was not marked lies within a mark's distance.
        if (found > 0) expect(place - found).toBeLessThan(4_096 + 9_000);
        const again = new TimeIndex();
        again.load(index.save());
        expect(again.before(at)).toBe(found);
      },
    ),
  );
});

test("a time that was not marked counts all the same when the clock is set back", () => {
  const index = new TimeIndex();
  index.note(2, 10_000);
  index.note(3, 10_900);
  index.note(5_000, 10_899);
  expect(index.before(10_900)).toBe(2);
});

test("a long journal has as many marks as a short one, the newest among them", () => {
  const index = new TimeIndex();
  for (let i = 1; i <= 100_000; i++) index.note(i * 10_000, i * 5_000);
  expect(index.length).toBeLessThanOrEqual(4_096);
  expect(index.before(500_000_001)).toBeGreaterThan(999_000_000);
  const at = 250_000_000;
  expect(index.before(at)).toBeLessThanOrEqual((at / 5_000) * 10_000);
  expect(index.before(at)).toBeGreaterThan((at / 5_000 - 100) * 10_000);
  index.forgetBefore(900_000_000);
  expect(index.length).toBeLessThan(500);
  expect(index.before(450_000_001)).toBeGreaterThan(0);
});
