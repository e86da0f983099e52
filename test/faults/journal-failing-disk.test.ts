import { describe, expect, it } from "vitest";
import type { DiskOperation } from "../../packages/broker/src/host/simulated-faults.ts";
import { JournalHarness } from "./journal-harness.ts";
import { openJournalUnderTest } from "./open-journal-under-test.ts";

async function opened(seed: number): Promise<JournalHarness> {
  const harness = new JournalHarness({ seed, open: openJournalUnderTest });
  await harness.open();
  harness.append();
  harness.commit();
  await harness.settled();
  return harness;
}

describe.each(["write", "datasync"] as const satisfies readonly DiskOperation[])("a failing %s", (operation) => {
  it.each(["none", "part", "all"] as const)(
    "that persists %s ends all commits, and what was acknowledged stays",
    async (persisted) => {
      for (let seed = 1; seed <= 12; seed++) {
        const harness = await opened(seed);
        harness.sim.disk.plant({
          operation,
          nth: 1,
          path: "segment-",
          effect: { kind: "error", code: "EIO", persisted },
        });
        harness.append();
        harness.commit();
        await harness.settled();
        expect(harness.failed).toBe(true);
        expect(harness.journal?.hasFailed).toBe(true);
        const { acknowledged } = harness;
        // The disk is well again, and it does not matter: this process acknowledges nothing any more (D8).
        harness.append();
        harness.commit();
        await harness.sim.run(500);
        expect(harness.acknowledged).toBe(acknowledged);
        harness.checkHost();
        // What the page cache shows after the failure is served only once it is on the disk: a power cut takes nothing back.
        harness.stop("kill");
        await harness.open();
        harness.stop("crash");
        await harness.open();
        expect(harness.acknowledged).toBeGreaterThanOrEqual(acknowledged);
      }
    },
  );
});

it("acknowledges nothing while a sync takes half a minute", async () => {
  const harness = await opened(3);
  const before = harness.acknowledged;
  harness.sim.disk.plant({
    operation: "datasync",
    nth: 1,
    path: "segment-",
    effect: { kind: "delay", milliseconds: 30_000 },
  });
  harness.append();
  harness.commit();
  await harness.sim.run(29_000);
  expect(harness.acknowledged).toBe(before);
  await harness.sim.run(2_000);
  expect(harness.acknowledged).toBeGreaterThan(before);
});
