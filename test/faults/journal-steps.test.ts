import { describe, expect, it } from "vitest";
import type { FaultEffect } from "../../packages/broker/src/host/simulated-faults.ts";
import { isInputOutput, JournalHarness, MachineStopped } from "./journal-harness.ts";
import { openJournalUnderTest } from "./open-journal-under-test.ts";

/** A short life that meets every kind of step: first start, frames, a roll, a snapshot, a drop, and a second start. */
async function script(harness: JournalHarness): Promise<void> {
  await harness.open();
  for (let round = 0; round < 9; round++) {
    harness.append(round % 2 === 0 ? 200 : 5_000);
    harness.append(20);
    harness.commit();
    await harness.settled();
  }
  harness.takeSnapshot();
  harness.dropOldest();
  harness.append(100);
  harness.commit();
  await harness.settled();
  await harness.sim.run(20);
}

/** Runs the script as far as it goes under the fault. */
async function runWith(harness: JournalHarness, effect: FaultEffect, nth: number): Promise<boolean> {
  const fault = harness.sim.disk.plant({ operation: "change", nth, effect });
  try {
    await script(harness);
  } catch (error) {
    if (!(error instanceof MachineStopped) && !isInputOutput(error)) throw error;
  }
  return fault.hits > 0;
}

/** After whatever happened the journal opens on a healthy disk, holds what it must, and takes records. */
async function recovers(harness: JournalHarness, how: "crash" | "kill"): Promise<void> {
  harness.sim.disk.clearFaults();
  harness.stop(how);
  await harness.open();
  harness.append();
  harness.commit();
  expect(await harness.settled()).toBe(true);
  harness.stop("crash");
  await harness.open();
  harness.checkHost();
}

async function steps(): Promise<number> {
  for (let nth = 1; ; nth++) {
    const harness = new JournalHarness({ seed: 1, open: openJournalUnderTest });
    if (!(await runWith(harness, { kind: "delay", milliseconds: 0 }, nth))) return nth - 1;
  }
}

const effects: readonly { name: string; effect: FaultEffect }[] = [
  { name: "power loss before", effect: { kind: "stop", how: "crash", when: "before" } },
  { name: "power loss after", effect: { kind: "stop", how: "crash", when: "after" } },
  { name: "kill before", effect: { kind: "stop", how: "kill", when: "before" } },
  { name: "kill after", effect: { kind: "stop", how: "kill", when: "after" } },
  { name: "failed and not persisted", effect: { kind: "error", code: "EIO", persisted: "none" } },
  { name: "failed and persisted in part", effect: { kind: "error", code: "EIO", persisted: "part" } },
  { name: "failed but persisted", effect: { kind: "error", code: "EIO", persisted: "all" } },
  { name: "no space left", effect: { kind: "error", code: "ENOSPC", persisted: "part" } },
];

/** The two steps before it make the data directory: see `known-bugs.test.ts`. */
const FIRST_STEP = 3;

describe("every step of a journal's life", async () => {
  const count = await steps();

  it("are enough to mean something", () => {
    expect(count).toBeGreaterThan(40);
  });

  it.each(effects)("$name", async ({ effect }) => {
    for (let nth = FIRST_STEP; nth <= count; nth++) {
      for (const how of ["crash", "kill"] as const) {
        const harness = new JournalHarness({ seed: 1, open: openJournalUnderTest });
        try {
          expect(await runWith(harness, effect, nth)).toBe(true);
          await recovers(harness, how);
        } catch (error) {
          throw new Error(`at step ${nth}, then ${how}: ${(error as Error).message}`, { cause: error });
        }
      }
    }
  });

  it("stops again at every step of the recovery, and again at a step of that one", async () => {
    for (let nth = 5; nth <= count; nth += 7) {
      const harness = new JournalHarness({ seed: nth, open: openJournalUnderTest });
      await runWith(harness, { kind: "stop", how: "crash", when: "after" }, nth);
      for (let second = 1; second < 60; second++) {
        const again = harness.fork(second);
        const fault = await stopInOpen(again, second);
        if (!fault) break;
        await stopInOpen(again, 1 + ((second * 3) % 11));
        try {
          await recovers(again, second % 2 === 0 ? "crash" : "kill");
        } catch (error) {
          throw new Error(`steps ${nth}, ${second}: ${(error as Error).message}`, { cause: error });
        }
      }
    }
  });
});

/** False when recovery was over before the step came. */
async function stopInOpen(harness: JournalHarness, nth: number): Promise<boolean> {
  const how = nth % 2 === 0 ? "crash" : "kill";
  const fault = harness.sim.disk.plant({ operation: "change", nth, effect: { kind: "stop", how, when: "after" } });
  try {
    await harness.open();
    return false;
  } catch (error) {
    if (!(error instanceof MachineStopped)) throw error;
    return fault.hits > 0;
  } finally {
    harness.sim.disk.clearFaults();
  }
}
