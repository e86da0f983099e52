import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HttpRefusal } from "./problem.ts";
import { RequestQuota } from "./request-quota.ts";

function takes(quota: RequestQuota, principal: string, now: number): boolean {
  try {
    quota.take(principal, now);
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(HttpRefusal);
    return false;
  }
}

const limitHit = (): void => {};

describe("RequestQuota", () => {
  it("lets a second's worth through at once, and then as many as time brings", () => {
    const quota = new RequestQuota({ perSecond: 10, openMax: 1, limitHit });
    expect(Array.from({ length: 11 }, () => takes(quota, "a", 0)).filter(Boolean)).toHaveLength(10);
    expect([takes(quota, "a", 99), takes(quota, "a", 100), takes(quota, "a", 100)]).toEqual([false, true, false]);
    expect(takes(quota, "b", 0)).toBe(true);
  });

  it("never lets more through in any time than rate and bucket allow", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 200 }), (steps) => {
        const quota = new RequestQuota({ perSecond: 5, openMax: 1, limitHit });
        const taken: number[] = [];
        let now = 0;
        for (const step of steps) {
          now += step;
          if (takes(quota, "a", now)) taken.push(now);
        }
        for (const [index, from] of taken.entries()) {
          for (let last = index; last < taken.length; last++) {
            expect(last - index + 1).toBeLessThanOrEqual(5 + (((taken[last] as number) - from) * 5) / 1_000 + 1e-9);
          }
        }
      }),
    );
  });

  it("forgets those who are quiet", () => {
    const quota = new RequestQuota({ perSecond: 1, openMax: 1, limitHit });
    for (let n = 0; n < 10_000; n++) quota.take(`p${n}`, 0);
    expect(takes(quota, "p1", 500)).toBe(false);
    quota.take("new", 1_000);
    expect(takes(quota, "p1", 1_000)).toBe(true);
  });

  it("counts what is open, once each", () => {
    const quota = new RequestQuota({ perSecond: 1, openMax: 2, limitHit });
    const first = quota.open("a");
    quota.open("a");
    quota.open("b");
    expect(() => quota.open("a")).toThrow(HttpRefusal);
    first();
    first();
    quota.open("a");
    expect(() => quota.open("a")).toThrow(HttpRefusal);
  });
});
