import { expect, test } from "vitest";
import { backoff } from "./backoff.ts";

test("doubles from the first to the longest wait, of which between half and whole is waited", () => {
  const whole = [1, 2, 3, 4, 5].map((failed) => backoff(failed, [1_000, 6_000], 0.999_999));
  const half = [1, 2, 3, 4, 5].map((failed) => backoff(failed, [1_000, 6_000], 0));
  expect(whole).toEqual([1_000, 2_000, 4_000, 6_000, 6_000]);
  expect(half).toEqual([500, 1_000, 2_000, 3_000, 3_000]);
});

test("never waits longer than the longest, after any number of attempts, and not at all where that is declared", () => {
  expect(backoff(10_000, [1, 300_000], 0.5)).toBe(225_000);
  expect(backoff(3, [0, 0], 0.5)).toBe(0);
});
