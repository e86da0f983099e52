import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MachineStopped, type SimulatedHost, simulatedHost } from "../host/simulated-host.ts";
import { StorageError } from "./storage-error.ts";
import { append, bodyOf, openStore, put, replayed, type Store, smallLimits } from "./storage-fixture.test-data.ts";

/** What the outside world knows: bodies by number, written at least once and acknowledged for sure. */
interface World {
  readonly sent: Map<number, string>;
  readonly acked: Map<number, string>;
  dropped: number;
}

const newWorld = (): World => ({ sent: new Map(), acked: new Map(), dropped: 0 });

function note(world: World, store: Store): void {
  for (const [seq, body] of store.acked) world.acked.set(seq, body);
}

/** A life of the process: open, write over several segments, take a snapshot, drop what lies before it, close. */
async function live(sim: SimulatedHost, world: World, name: string): Promise<void> {
  const life = sim.incarnation;
  let store: Store | undefined;
  try {
    store = await openStore(sim);
    await check(sim, store, world);
    for (let i = 0; i < 5; i++) {
      for (const body of [bodyOf(i, 3_000), `${name} ${i}`]) world.sent.set(put(store, body), body);
      store.journal.commit();
      const { journal, failures } = store;
      const over = (): boolean =>
        journal.durableSeq >= journal.lastSeq || failures.length > 0 || sim.incarnation !== life;
      await sim.runUntil(over);
      note(world, store);
      if (sim.incarnation !== life) throw new MachineStopped();
      if (i === 3) dropOld(store, world);
    }
    await sim.settle(store.journal.close());
  } catch (error) {
    if (!(error instanceof MachineStopped)) throw error;
  } finally {
    if (store !== undefined) note(world, store);
  }
}

function dropOld(store: Store, world: World): void {
  const snapshot = store.journal.durableSeq;
  store.journal.snapshotTaken(snapshot);
  for (const { id, lastSeq, active } of store.journal.segments()) {
    if (active || lastSeq >= snapshot) continue;
    store.journal.dropSegment(id);
    world.dropped = Math.max(world.dropped, lastSeq);
  }
}

/** Acknowledged records are all there, what is there was sent, and there is no gap. */
async function check(sim: SimulatedHost, store: Store, world: World): Promise<void> {
  const found = await replayed(sim, store);
  for (const [seq, body] of world.acked) if (seq > world.dropped) expect(found.get(seq)).toBe(body);
  for (const [seq, body] of found) expect(world.sent.get(seq)).toBe(body);
  const last = Math.max(0, ...world.acked.keys());
  expect(store.report.lastSeq).toBeGreaterThanOrEqual(last);
  // What recovery showed once stays.
  for (const [seq, body] of found) world.acked.set(seq, body);
}

describe("a crash", () => {
  for (const how of ["crash", "kill"] as const) {
    for (const when of ["before", "after"] as const) {
      it(`by ${how} ${when} any change of the disk loses nothing acknowledged`, { timeout: 120_000 }, async () => {
        for (let nth = 1; ; nth++) {
          const sim = simulatedHost({ seed: nth });
          const world = newWorld();
          const fault = sim.disk.plant({ operation: "change", nth, effect: { kind: "stop", how, when } });
          await live(sim, world, "first");
          const hit = fault.hits > 0;
          fault.remove();
          await live(sim, world, "second");
          await live(sim, world, "third");
          expect(sim.violations).toEqual([]);
          if (!hit) break;
          expect(nth).toBeLessThan(1_000);
        }
      });
    }
  }

  it("at any change, three times in a row, recovery included, loses nothing acknowledged", {
    timeout: 120_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 2 ** 31 }),
        fc.array(
          fc.tuple(
            fc.integer({ min: 1, max: 60 }),
            fc.constantFrom("crash", "kill"),
            fc.constantFrom("before", "after"),
          ),
          {
            minLength: 1,
            maxLength: 4,
          },
        ),
        async (seed, stops) => {
          const sim = simulatedHost({ seed });
          const world = newWorld();
          await live(sim, world, "first");
          for (const [nth, how, when] of stops) {
            sim.disk.clearFaults();
            sim.disk.plant({ operation: "change", nth, effect: { kind: "stop", how, when } });
            await live(sim, world, `stopped at ${nth}`);
          }
          sim.disk.clearFaults();
          await live(sim, world, "last");
          expect(sim.violations).toEqual([]);
        },
      ),
      { numRuns: 60 },
    );
  });
});

/** The first segment of a new journal is known to the disk by the name it was opened with. */
const FIRST = "segment-0000000001";

describe("a frame that was not synced", () => {
  /** A journal with acknowledged records, and one frame of six sectors written and not synced. */
  async function withPending(seed: number): Promise<SimulatedHost> {
    const sim = simulatedHost({ seed });
    const store = await openStore(sim);
    await append(sim, store, ["acked 1", "acked 2"]);
    await sim.runUntilIdle();
    sim.disk.plant({ operation: "datasync", path: FIRST, nth: 1, effect: { kind: "delay", milliseconds: 1e6 } });
    put(store, "p".repeat(2_500));
    store.journal.commit();
    await sim.run(100);
    expect(store.journal.durableSeq).toBe(2);
    return sim;
  }

  it("survives as a whole or not at all, whichever of its sectors reach the disk", { timeout: 60_000 }, async () => {
    const sectors = (await withPending(1)).pendingSectors(512);
    expect(sectors).toBeGreaterThanOrEqual(6);
    for (let mask = 0; mask < 2 ** sectors; mask++) {
      const sim = await withPending(1);
      sim.crash({ granularity: 512, sectors: (sector) => (mask & (1 << sector)) !== 0, entries: "all" });
      const store = await openStore(sim);
      const found = await replayed(sim, store);
      expect([...found.values()].slice(0, 2)).toEqual(["acked 1", "acked 2"]);
      if (found.size === 3) expect(store.report.tornBytes).toBe(0);
      else expect(found.size).toBe(2);
    }
  });

  it("is cut at any byte of it, and the cut is reported", { timeout: 60_000 }, async () => {
    const whole = await withPending(1);
    const path = "/data/segment-0000000001.mess";
    const written = whole.disk.read(path);
    const durable = whole.disk.readDurable(path);
    const from = 4_096 + 512;
    const length = 6 * 512;
    for (let cut = 0; cut <= length; cut += cut % 512 > 500 || cut % 512 < 12 ? 1 : 7) {
      const sim = simulatedHost({ seed: cut, image: whole.disk.image() });
      sim.kill();
      const bytes = Buffer.from(durable);
      written.copy(bytes, from, from, from + cut);
      sim.disk.put(path, bytes);
      sim.disk.setAttributes(path, { mode: 0o600 });
      const store = await openStore(sim);
      const found = await replayed(sim, store);
      expect(found.size, `cut at ${cut}`).toBe(cut === length ? 3 : 2);
      expect(store.report.tornBytes, `cut at ${cut}`).toBe(cut === length ? 0 : Math.ceil(cut / 512) * 512);
    }
  });

  it("is put on disk before it is served, when a failed sync left it only in the page cache", async () => {
    const sim = simulatedHost({ seed: 4 });
    const store = await openStore(sim);
    await append(sim, store, ["acked"]);
    await sim.runUntilIdle();
    const effect = { kind: "error", code: "EIO", persisted: "none" } as const;
    sim.disk.plant({ operation: "datasync", path: FIRST, nth: 1, effect });
    await append(sim, store, ["not acked"]);
    expect(store.failures).toHaveLength(1);
    sim.kill();
    const again = await openStore(sim);
    const found = await replayed(sim, again);
    sim.crash({ sectors: "none" });
    const last = await openStore(sim);
    expect(await replayed(sim, last)).toEqual(found);
    expect(found.get(1)).toBe("acked");
  });

  it("does not start with less than HEAD says was acknowledged", async () => {
    const sim = simulatedHost({ seed: 5 });
    const store = await openStore(sim);
    await append(sim, store, ["a"]);
    await append(sim, store, ["b"]);
    await sim.settle(store.journal.close());
    // Zeros instead of the last frame look like a write that never happened.
    sim.disk.overwrite("/data/segment-0000000001.mess", 4_096 + 512, Buffer.alloc(512));
    const failure = await openStore(sim).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(StorageError);
    expect(failure).toMatchObject({ code: "damaged", exitCode: 65, detail: { segment: 1, offset: 4_608, seq: 2 } });
  });
});

describe("a failing disk", () => {
  for (const operation of ["write", "datasync"] as const) {
    it(`ends commits for good at the first failed ${operation} of a frame, whichever it is`, async () => {
      let failures = 0;
      for (let nth = 1; nth <= 24; nth++) {
        const sim = simulatedHost({ seed: nth });
        const store = await openStore(sim, { ...smallLimits, segmentBytes: 32 * 1_024 });
        await sim.runUntilIdle();
        const effect = { kind: "error", code: "EIO", persisted: nth % 2 === 0 ? "none" : "all" } as const;
        const planted = sim.disk.plant({ operation, nth, path: "segment-", effect });
        for (let i = 0; i < 24 && store.failures.length === 0; i++) await append(sim, store, [bodyOf(i, 5_000)]);
        expect(planted.hits).toBe(1);
        failures += store.failures.length;
        // A spare that could not be filled is no failure of the journal: the next try may do.
        if (store.failures.length > 0) await expectStopped(sim, store);
        await sim.settle(store.journal.close());
        expect(sim.violations).toEqual([]);
        const found = await replayed(sim, await openStore(sim));
        for (const [seq, body] of store.acked) expect(found.get(seq)).toBe(body);
      }
      expect(failures).toBeGreaterThan(5);
    });
  }

  async function expectStopped(sim: SimulatedHost, store: Store): Promise<void> {
    expect(store.failures).toEqual([expect.stringMatching(/EIO/)]);
    const { durableSeq } = store.journal;
    put(store, "later");
    store.journal.commit();
    await sim.runUntilIdle();
    expect(store.journal.durableSeq).toBe(durableSeq);
    expect(store.failures).toHaveLength(1);
  }

  it("says when the disk budget and its reserve are used up", async () => {
    const sim = simulatedHost({ seed: 3 });
    const store = await openStore(sim, { ...smallLimits, diskBytesMax: 100 * 1_024 });
    for (let i = 0; i < 100 && store.failures.length === 0; i++) await append(sim, store, [bodyOf(i, 2_000)]);
    expect(store.failures[0]).toMatch(/disk budget of 102400 bytes/);
    expect(store.journal.statistics().diskBytes).toBeGreaterThan(80 * 1_024);
    await sim.settle(store.journal.close());
    expect(await replayed(sim, await openStore(sim))).toEqual(store.acked);
  });

  it("uses smaller segments when the disk has no room for whole ones", async () => {
    const limits = { ...smallLimits, segmentBytes: 256 * 1_024 };
    const sim = simulatedHost({ seed: 6, capacityBytes: 620 * 1_024 });
    const store = await openStore(sim, limits);
    for (let i = 0; i < 250; i++) await append(sim, store, [bodyOf(i, 1_800)]);
    expect(store.failures).toEqual([]);
    for (let i = 0; i < 200 && store.failures.length === 0; i++) await append(sim, store, [bodyOf(i, 1_800)]);
    expect(store.failures[0]).toMatch(/ENOSPC/);
  });
});
