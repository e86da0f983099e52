import { expect, it } from "vitest";
import { runCuts } from "./cuts.ts";

it("loses and doubles nothing, and does not stall, on a network that breaks all the time", async () => {
  const report = await runCuts({ seconds: 8, seed: 1 });
  expect(report.problems).toEqual([]);
  expect(report.cuts).toBeGreaterThan(5);
  expect(report.published).toBeGreaterThan(500);
  expect(report.longestPauseMs).toBeLessThan(6_000);
}, 90_000);
