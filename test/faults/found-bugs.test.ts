/** Bugs that the fault tests found, each by the shortest way to it. */
import { expect, it } from "vitest";
import { JournalHarness, MachineStopped } from "./journal-harness.ts";
import { openJournalUnderTest } from "./open-journal-under-test.ts";

it("keeps what was acknowledged when the first start was killed before it synced the parent directory", async () => {
  const harness = new JournalHarness({ seed: 1, open: openJournalUnderTest });
  const stop = { kind: "stop", how: "kill", when: "before" } as const;
  harness.sim.disk.plant({ operation: "syncDirectory", nth: 1, path: "/", effect: stop });
  await expect(harness.open()).rejects.toBeInstanceOf(MachineStopped);
  await harness.open();
  harness.append();
  harness.commit();
  expect(await harness.settled()).toBe(true);
  harness.sim.crash({ entries: "none", sectors: "none" });
  await harness.open();
});

it("does not forget a snapshot that was declared while the journal went on to its next segment", async () => {
  const harness = new JournalHarness({ seed: 2, open: openJournalUnderTest });
  await harness.open();
  for (let declared = false; !declared; ) {
    const before = harness.journal?.segments().length ?? 0;
    harness.append(5_000);
    harness.commit();
    // Look in at every event: a roll makes its files before the catalogue knows the new segment.
    while (harness.acknowledged < harness.records.length && harness.sim.step()) {
      await harness.sim.drain();
      const rolling = harness.sim.disk.paths().filter((path) => path.includes("segment-")).length > before;
      if (!rolling || harness.journal?.segments().length !== before || declared) continue;
      harness.takeSnapshot();
      declared = true;
    }
    expect(harness.records.length).toBeLessThan(100);
  }
  const { snapshot } = harness;
  expect(snapshot).toBeGreaterThan(0);
  harness.append(100);
  harness.commit();
  expect(await harness.settled()).toBe(true);
  harness.sim.crash({ sectors: "none" });
  await harness.open();
  expect(harness.snapshot).toBe(snapshot);
});
