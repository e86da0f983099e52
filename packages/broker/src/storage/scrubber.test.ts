import { expect, it } from "vitest";
import { type SimulatedHost, simulatedHost } from "../host/simulated-host.ts";
import type { CorruptPlace } from "../model/storage-administration.ts";
import type { ScrubPace } from "./scrubber.ts";
import {
  append,
  bodyOf,
  DIRECTORY,
  openStore,
  type Store,
  segmentPaths,
  smallLimits,
} from "./storage-fixture.test-data.ts";

const HOUR = 3_600_000;
const pace: ScrubPace = {
  firstAfter: 1_000,
  every: 24 * HOUR,
  spread: 20 * HOUR,
  bytesPerSecondMin: 1_024,
  bytesPerSecondAsked: 2 ** 30,
};

async function filled(sim: SimulatedHost, segments: number): Promise<Store> {
  const store = await openStore(sim, smallLimits, pace);
  while (segmentPaths(sim).length < segments) await append(sim, store, [bodyOf(store.journal.lastSeq, 3_000)]);
  return store;
}

function watched(store: Store): CorruptPlace[] {
  const places: CorruptPlace[] = [];
  store.scrubber.start((place) => places.push(place));
  return places;
}

it("checks everything once a day, by and by, and finds nothing in what is whole", async () => {
  const sim = simulatedHost({ seed: 1 });
  const store = await filled(sim, 20);
  const places = watched(store);
  await sim.run(2_000);
  expect(store.scrubber.status()).toMatchObject({ running: true, passes: 0 });
  await sim.run(23 * HOUR);
  expect(store.scrubber.status().passes).toBe(1);
  const { bytes } = store.scrubber.status();
  const written = store.journal.statistics().bytesWritten;
  expect(bytes).toBe(written);
  await sim.run(24 * HOUR);
  expect(store.scrubber.status()).toMatchObject({ passes: 2, bytes: 2 * bytes });
  expect(places).toEqual([]);
});

it("takes at most a day for a pass, however much there is", async () => {
  const sim = simulatedHost({ seed: 2 });
  const store = await openStore(sim, smallLimits, { ...pace, spread: 20 * HOUR, bytesPerSecondMin: 1 });
  while (segmentPaths(sim).length < 40) await append(sim, store, [bodyOf(store.journal.lastSeq, 3_000)]);
  watched(store);
  await sim.run(10 * HOUR);
  const half = store.scrubber.status();
  expect(half).toMatchObject({ running: true, passes: 0 });
  expect((half.passDone ?? 0) / (half.passBytes ?? 1)).toBeGreaterThan(0.35);
  await sim.run(14 * HOUR);
  expect(store.scrubber.status().passes).toBe(1);
});

it("finds a flipped bit in any segment, tells its place once, and goes on with the others", async () => {
  for (let number = 0; number < 6; number++) {
    const sim = simulatedHost({ seed: 10 + number });
    const store = await filled(sim, 6);
    const places = watched(store);
    const path = segmentPaths(sim)[number] ?? "";
    sim.disk.flipBit(path, (4_096 + 700) * 8 + 3);
    await sim.run(24 * HOUR);
    const segment = Number(path.slice(-15, -5));
    expect(places).toEqual([expect.objectContaining({ segment, offset: 4_096, seq: expect.any(Number) })]);
    await sim.run(48 * HOUR);
    expect(places.length).toBe(1);
    expect(store.scrubber.status()).toMatchObject({ passes: 3, corrupt: places });
    expect(store.failures).toEqual([]);
  }
});

it("does a pass at once when it is asked to", async () => {
  const sim = simulatedHost({ seed: 3 });
  const store = await filled(sim, 4);
  const places = watched(store);
  sim.disk.flipBit(segmentPaths(sim)[0] ?? "", 4_200 * 8);
  store.scrubber.passNow();
  await sim.run(500);
  expect(store.scrubber.status().passes).toBe(1);
  expect(places.length).toBe(1);
  await sim.run(1_000);
  expect(store.scrubber.status().passes).toBe(1);
});

it("takes no segment for damaged that is dropped, or being written, under its hands", async () => {
  const sim = simulatedHost({ seed: 4 });
  const store = await openStore(sim, smallLimits, { ...pace, firstAfter: 1, every: 1_000, bytesPerSecondMin: 2 ** 20 });
  const places = watched(store);
  for (let i = 0; i < 200; i++) {
    await append(sim, store, [bodyOf(i, 2_000)]);
    await sim.run(7);
    if (i % 5 !== 0) continue;
    store.journal.snapshotTaken(store.journal.durableSeq);
    for (const { id, active } of store.journal.segments()) if (!active) store.journal.dropSegment(id);
  }
  expect(store.scrubber.status().passes).toBeGreaterThan(1);
  expect(places).toEqual([]);
});

it("tells what the disk does not give, and not what it gives at the second look", async () => {
  const effects = [
    { kind: "error", code: "EIO", persisted: "none" },
    { kind: "flip", bit: 3_333 },
  ] as const;
  for (const effect of effects) {
    for (const lasting of [false, true]) {
      const sim = simulatedHost({ seed: 6 });
      const store = await filled(sim, 4);
      const places = watched(store);
      const path = segmentPaths(sim)[1] ?? "";
      sim.disk.plant({ operation: "read", nth: 1, path, lasting, effect });
      await sim.run(2 * HOUR);
      expect(places.map(({ segment }) => segment)).toEqual(lasting ? [2] : []);
      expect(store.scrubber.status().passes).toBe(1);
    }
  }
});

it("ends with the journal, in the middle of a pass", async () => {
  const sim = simulatedHost({ seed: 5 });
  const store = await filled(sim, 20);
  const places = watched(store);
  await sim.run(1_050);
  expect(store.scrubber.status().running).toBe(true);
  await sim.settle(store.journal.close());
  const { bytes } = store.scrubber.status();
  await sim.run(48 * HOUR);
  expect(store.scrubber.status()).toMatchObject({ running: false, bytes });
  expect(places).toEqual([]);
  expect(sim.disk.paths()).toContain(`${DIRECTORY}/HEAD`);
});
