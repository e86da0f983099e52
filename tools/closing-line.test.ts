import { describe, expect, it } from "vitest";
import { outcome } from "./closing-line.ts";

const report = (passed: number, failed: number): string =>
  JSON.stringify({ numPassedTests: passed, numFailedTests: failed, numPendingTests: 0 });

describe("the closing line", () => {
  it.each([
    ["all is well", report(10, 0), 0, 0, 10, 0],
    ["a test failed", report(9, 1), 0, 1, 9, 1],
    ["two checks failed", report(10, 0), 2, 0, 10, 2],
    ["an error outside any test", report(10, 0), 0, 1, 10, 1],
    ["no test ran", report(0, 0), 0, 0, 0, 1],
    ["the run died without a report", undefined, 0, 137, 0, 1],
    ["the run was never started", undefined, 0, 0, 0, 1],
  ])("counts: %s", (_name, text, checks, status, passed, failed) => {
    expect(outcome(text, checks, status)).toMatchObject({ passed, failed });
  });
});
