import { describe, expect, it } from "vitest";
import { JournalHarness } from "./journal-harness.ts";
import { dataDirectory, openJournalUnderTest } from "./open-journal-under-test.ts";

/** A journal with acknowledged records, and one frame more that is written and not synced. */
async function withUnsyncedFrame(bytes: number): Promise<JournalHarness> {
  const harness = new JournalHarness({ seed: 9, open: openJournalUnderTest });
  await harness.open();
  for (let i = 0; i < 3; i++) {
    harness.append(300);
    harness.commit();
    await harness.settled();
  }
  // HEAD and spare segments settle, so that the frame is all that is unsynced.
  await harness.sim.run(200);
  harness.sim.disk.plant({
    operation: "datasync",
    nth: 1,
    path: "segment-",
    effect: { kind: "delay", milliseconds: 500 },
  });
  harness.append(bytes);
  harness.commit();
  await harness.sim.run(50);
  return harness;
}

async function opensAfter(harness: JournalHarness, label: string): Promise<void> {
  try {
    await harness.open();
    harness.append(50);
    harness.commit();
    expect(await harness.settled()).toBe(true);
    harness.checkHost();
  } catch (error) {
    throw new Error(`${label}: ${(error as Error).message}`, { cause: error });
  }
}

describe("a frame that was written and not synced", () => {
  it.each([100, 900, 2_500])("of %i bytes: every subset of its sectors", async (bytes) => {
    const frame = await withUnsyncedFrame(bytes);
    const sectors = frame.sim.pendingSectors(512);
    expect(sectors).toBeGreaterThan(0);
    expect(sectors).toBeLessThanOrEqual(12);
    for (let mask = 0; mask < 2 ** sectors; mask++) {
      const copy = frame.fork(mask);
      copy.sim.crash({ granularity: 512, sectors: (sector) => ((mask >> sector) & 1) === 1 });
      await opensAfter(copy, `sectors ${mask.toString(2)} of ${sectors}`);
    }
  });

  it("cut at any byte", async () => {
    const frame = await withUnsyncedFrame(1_200);
    const segment = frame.sim.disk
      .paths()
      .filter((path) => path.startsWith(`${dataDirectory}/segment-`))
      .at(-1) as string;
    const before = frame.fork(0);
    before.sim.crash({ sectors: "none", entries: "all" });
    const after = frame.fork(0);
    after.sim.crash({ sectors: "all", entries: "all" });
    const old = before.sim.disk.read(segment);
    const whole = after.sim.disk.read(segment);
    const differs = [...whole.keys()].filter((at) => whole[at] !== old[at]);
    const [first, last] = [differs[0] as number, differs.at(-1) as number];
    for (let cut = first; cut <= last + 1; cut++) {
      // Every byte where the parts of a frame lie, and some of those between.
      if (cut - first > 150 && last - cut > 150 && cut % 11 > 0 && cut % 512 > 2) continue;
      const copy = before.fork(cut);
      copy.sim.disk.overwrite(segment, first, whole.subarray(first, cut));
      await opensAfter(copy, `cut after ${cut - first} of ${last + 1 - first} bytes`);
    }
  });
});

it("refuses to start when an acknowledged frame is gone, and says where", async () => {
  const harness = new JournalHarness({ seed: 9, open: openJournalUnderTest });
  await harness.open();
  for (let i = 0; i < 3; i++) {
    harness.append(300);
    harness.commit();
    await harness.settled();
  }
  await harness.sim.run(200);
  harness.stop("kill");
  const segment = harness.sim.disk
    .paths()
    .filter((path) => path.startsWith(`${dataDirectory}/segment-`))
    .at(-1) as string;
  const bytes = harness.sim.disk.read(segment);
  const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
  harness.sim.disk.overwrite(segment, end - 512, Buffer.alloc(512));
  await expect(harness.open()).rejects.toMatchObject({ code: "damaged", exitCode: 65 });
});
