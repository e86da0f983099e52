/** Bugs that the fault tests found, each by the shortest way to it. */
import { expect, it } from "vitest";
import { simulatedHost } from "../../packages/broker/src/host/simulated-host.ts";
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

it("seals again in time when asked to while it seals", async () => {
  const sim = simulatedHost({ seed: 3 });
  const { journal } = await sim.settle(openJournalUnderTest(sim.host));
  const left = [1, 2, 3];
  const committed: number[] = [];
  journal.start({
    // As a snapshot does: one piece a frame, and the next frame soon.
    beforeSeal: () => {
      if (left.pop() === undefined) return;
      journal.openBytes.fill(0, journal.reserve(1, 8));
      if (left.length > 0) journal.commitWithin(1);
    },
    committed: ({ firstSeq }) => committed.push(firstSeq),
    failed: (reason) => expect.fail(reason),
  });
  journal.commit();
  await sim.run(1_000);
  expect(committed).toEqual([1, 2, 3]);
});
