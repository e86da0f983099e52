import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Timers } from "../host/host.ts";
import { type Deadline, Deadlines } from "./deadlines.ts";

/** Timers that run when `pass` says so; times in milliseconds. */
function handTimers(): {
  timers: Timers;
  pass: (milliseconds: number) => void;
  now: () => number;
  pending: () => number;
} {
  let now = 0;
  let waiting: { at: number; run: () => void }[] = [];
  return {
    now: () => now,
    pending: () => waiting.length,
    timers: {
      after(milliseconds, run) {
        const entry = { at: now + milliseconds, run };
        waiting.push(entry);
        return { cancel: () => (waiting = waiting.filter((other) => other !== entry)) };
      },
      soon: (run) => run(),
    },
    pass(milliseconds) {
      const end = now + milliseconds;
      for (;;) {
        const next = waiting.filter((entry) => entry.at <= end).sort((a, b) => a.at - b.at)[0];
        if (next === undefined) break;
        now = next.at;
        waiting = waiting.filter((entry) => entry !== next);
        next.run();
      }
      now = end;
    },
  };
}

describe("Deadlines", () => {
  it("fires each once, not early and at most 200 ms late, unless it was cancelled", () => {
    const step = fc.oneof(
      fc.record({ start: fc.integer({ min: 0, max: 20_000 }) }),
      fc.record({ cancel: fc.nat(40) }),
      fc.record({ pass: fc.integer({ min: 1, max: 3_000 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const { timers, pass, now } = handTimers();
        const deadlines = new Deadlines(timers);
        const started: { due: number; deadline: Deadline; fired: number[]; cancelled: boolean }[] = [];
        for (const step of steps) {
          if ("pass" in step) {
            pass(step.pass);
          } else if ("start" in step) {
            const fired: number[] = [];
            const deadline = deadlines.start(step.start, { deadlineReached: () => fired.push(now()) });
            started.push({ due: now() + step.start, deadline, fired, cancelled: false });
          } else {
            const entry = started[step.cancel];
            if (entry === undefined) continue;
            if (entry.fired.length === 0) entry.cancelled = true;
            deadlines.cancel(entry.deadline);
          }
        }
        pass(30_000);
        for (const { due, fired, cancelled } of started) {
          expect(fired).toHaveLength(cancelled ? 0 : 1);
          for (const at of fired) {
            expect(at).toBeGreaterThanOrEqual(due);
            expect(at).toBeLessThanOrEqual(due + 200);
          }
        }
        expect(deadlines.waiting).toBe(0);
      }),
    );
  });

  it("runs no timer while nothing waits", () => {
    const { timers, pass, pending } = handTimers();
    const deadlines = new Deadlines(timers);
    expect(pending()).toBe(0);
    const first = deadlines.start(5_000, { deadlineReached: () => {} });
    deadlines.start(300, { deadlineReached: () => {} });
    expect(pending()).toBe(1);
    deadlines.cancel(first);
    pass(1_000);
    expect(pending()).toBe(0);
  });

  it("may be started from a deadline, also in the same slot of the wheel", () => {
    const { timers, pass } = handTimers();
    const deadlines = new Deadlines(timers);
    let fired = 0;
    const target = {
      deadlineReached: (): void => {
        fired += 1;
        if (fired < 5) deadlines.start(6_300, target);
      },
    };
    deadlines.start(0, target);
    pass(40_000);
    expect(fired).toBe(5);
  });
});
