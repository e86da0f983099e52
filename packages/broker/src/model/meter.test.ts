import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Meter } from "./meter.ts";

const rates = {
  messagesPerSecond: fc.integer({ min: 1, max: 10_000 }),
  bytesPerSecond: fc.integer({ min: 100, max: 10_000_000 }),
};

describe("Meter", () => {
  it("lets a second's worth come at once, then no more than the rate", () => {
    const meter = new Meter({ messagesPerSecond: 10, bytesPerSecond: 0 });
    let taken = 0;
    for (; meter.waitMs(0) === 0; taken += 1) meter.take(1, 1_000_000, 0);
    expect(taken).toBe(10);
    const times: number[] = [];
    for (let now = 0; now < 1_000; now += 1) {
      if (meter.waitMs(now) > 0) continue;
      meter.take(1, 1_000_000, now);
      times.push(now);
    }
    expect(times).toHaveLength(10);
    expect(times[9]).toBeGreaterThanOrEqual(900);
  });

  it("counts bytes beside messages: whichever is used up first", () => {
    const meter = new Meter({ messagesPerSecond: 1_000, bytesPerSecond: 1_000 });
    meter.take(1, 3_000, 0);
    expect(meter.waitMs(0)).toBeCloseTo(2_000);
    expect(meter.waitMs(2_001)).toBe(0);
  });

  it("accepts within 5 % of the rate for 30 s, whatever is offered above it", () => {
    fc.assert(
      fc.property(rates.messagesPerSecond, fc.integer({ min: 2, max: 20 }), (messagesPerSecond, excess) => {
        const meter = new Meter({ messagesPerSecond, bytesPerSecond: 0 });
        // The burst belongs to the second before.
        meter.take(messagesPerSecond, 0, 0);
        let accepted = 0;
        const everyMs = Math.max(1_000 / (messagesPerSecond * excess), 1);
        const each = Math.ceil((messagesPerSecond * excess * everyMs) / 1_000);
        for (let now = 0; now < 30_000; now += everyMs) {
          for (let count = 0; count < each && meter.waitMs(now) === 0; count += 1) {
            meter.take(1, 0, now);
            accepted += 1;
          }
        }
        expect(Math.abs(accepted - messagesPerSecond * 30)).toBeLessThanOrEqual(
          Math.max(messagesPerSecond * 30 * 0.05, 1),
        );
      }),
      { numRuns: 20 },
    );
  }, 60_000);

  it("forgets nothing: after any debts the sum of what was taken is within the rate and one burst and the last taking", () => {
    const takings = fc.array(fc.tuple(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 1, max: 5_000 })), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(rates.bytesPerSecond, takings, (bytesPerSecond, list) => {
        const meter = new Meter({ messagesPerSecond: 0, bytesPerSecond });
        let now = 0;
        let taken = 0;
        let last = 0;
        for (const [ms, bytes] of list) {
          now += ms;
          if (meter.waitMs(now) > 0) continue;
          meter.take(1, bytes, now);
          taken += bytes;
          last = bytes;
        }
        expect(taken).toBeLessThanOrEqual(bytesPerSecond * (1 + now / 1_000) + last + 0.001);
      }),
    );
  });

  it("is full when all has come back, and not before", () => {
    const meter = new Meter({ messagesPerSecond: 10, bytesPerSecond: 100 });
    expect(meter.isFull(0)).toBe(true);
    meter.take(5, 10, 0);
    expect(meter.isFull(499)).toBe(false);
    expect(meter.isFull(501)).toBe(true);
  });

  it("knows no limit where there is none", () => {
    const meter = new Meter({ messagesPerSecond: 0, bytesPerSecond: 0 });
    meter.take(1e9, 1e12, 0);
    expect(meter.waitMs(0)).toBe(0);
    expect(meter.isFull(0)).toBe(true);
  });
});
