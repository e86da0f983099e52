import { expect, it } from "vitest";
import { type SimulatedHost, simulatedHost } from "../host/simulated-host.ts";
import { dataKeyLimits } from "./data-keys.ts";
import {
  append,
  bodyOf,
  DIRECTORY,
  openStore,
  put,
  replayed,
  type Store,
  segmentPaths,
} from "./storage-fixture.test-data.ts";

const keyIds = (sim: SimulatedHost): number[] => segmentPaths(sim).map((path) => sim.disk.read(path).readUInt32LE(36));

async function addSome(sim: SimulatedHost, store: Store, count: number): Promise<void> {
  await append(
    sim,
    store,
    Array.from({ length: count }, (_, i) => bodyOf(i, 200)),
  );
}

it("seals with the new key what is written after a rotation, though the segment has room", async () => {
  const sim = simulatedHost({ seed: 1 });
  const store = await openStore(sim);
  await addSome(sim, store, 2);
  expect(await sim.settle(store.dataKeys.rotate())).toBe(2);
  await addSome(sim, store, 1);
  expect(store.dataKeys.status()).toMatchObject({ id: 2, current: 2, frames: 1, keys: 2 });
  expect(keyIds(sim)).toEqual([1, 2]);
  await sim.settle(store.journal.close());
  expect(await replayed(sim, await openStore(sim))).toEqual(store.acked);
});

it("loses nothing when keys change under load, and both keys change at once", async () => {
  const sim = simulatedHost({ seed: 2 });
  const store = await openStore(sim);
  const other = Buffer.alloc(32, 9);
  let rotations = 0;
  for (let i = 0; i < 300; i++) {
    put(store, bodyOf(i, 100 + ((i * 37) % 900)));
    store.journal.commit();
    if (i % 50 === 25) {
      rotations++;
      void store.dataKeys.rotate();
      void store.keyring.rewrap(i % 100 === 25 ? other : Buffer.alloc(32, 0x5a));
    }
    await sim.run(0.4);
  }
  await sim.settle(store.journal.close());
  expect(store.acked.size).toBe(300);
  expect(store.keyring.currentKeyId).toBe(1 + rotations);
  expect(new Set(keyIds(sim)).size).toBeGreaterThan(rotations / 2);
  expect(await replayed(sim, await openStore(sim))).toEqual(store.acked);
});

it("leaves a journal with everything acknowledged at a kill or power cut at any write of a rotation", async () => {
  let stopped = 0;
  for (let nth = 1; nth <= 14; nth++) {
    for (const how of ["crash", "kill"] as const) {
      const sim = simulatedHost({ seed: 100 + nth });
      const store = await openStore(sim);
      await addSome(sim, store, 3);
      sim.disk.plant({
        operation: "change",
        nth,
        effect: { kind: "stop", how, when: nth % 2 === 0 ? "before" : "after" },
      });
      const rotating = store.dataKeys.rotate().then(() => addSome(sim, store, 3));
      const whole = await sim.settle(rotating).then(
        () => true,
        () => false,
      );
      if (!whole) stopped++;
      else sim[how]();
      sim.disk.clearFaults();
      const again = await openStore(sim);
      const found = await replayed(sim, again);
      for (const [seq, body] of store.acked) expect(found.get(seq)).toBe(body);
      await addSome(sim, again, 1);
      expect(again.failures).toEqual([]);
    }
  }
  expect(stopped).toBeGreaterThan(10);
});

it("counts the frames of a key over segments, rotations and restarts", async () => {
  const sim = simulatedHost({ seed: 3 });
  let store = await openStore(sim);
  for (let i = 0; i < 60; i++) await addSome(sim, store, 3);
  expect(segmentPaths(sim).length).toBeGreaterThan(2);
  expect(store.dataKeys.status().frames).toBe(60);
  sim.crash();
  store = await openStore(sim);
  await addSome(sim, store, 3);
  expect(store.dataKeys.status().frames).toBe(61);
  await sim.settle(store.dataKeys.rotate());
  await addSome(sim, store, 3);
  expect(store.dataKeys.status().frames).toBe(1);
  sim.kill();
  store = await openStore(sim);
  expect(store.dataKeys.status().frames).toBe(1);
});

it("is due by age and by the count of frames", async () => {
  const sim = simulatedHost({ seed: 4 });
  const store = await openStore(sim);
  await addSome(sim, store, 1);
  await addSome(sim, store, 1);
  expect(store.dataKeys.isDue()).toBe(false);
  expect(store.dataKeys.isDue({ ...dataKeyLimits, framesMax: 3 })).toBe(false);
  expect(store.dataKeys.isDue({ ...dataKeyLimits, framesMax: 2 })).toBe(true);
  await sim.run(50);
  expect(store.dataKeys.isDue({ ...dataKeyLimits, ageMsMax: 40 })).toBe(true);
  await sim.settle(store.dataKeys.rotate());
  expect(store.dataKeys.isDue({ ageMsMax: 40, framesMax: 2 })).toBe(false);
  expect(dataKeyLimits.framesMax).toBeLessThan(2 ** 32);
});

it("forgets the keys of segments that are gone", async () => {
  const sim = simulatedHost({ seed: 5 });
  const store = await openStore(sim);
  for (let i = 0; i < 3; i++) {
    await addSome(sim, store, 2);
    await sim.settle(store.dataKeys.rotate());
  }
  await addSome(sim, store, 2);
  expect(store.dataKeys.status().keys).toBe(4);
  store.journal.snapshotTaken(store.journal.durableSeq);
  for (const { id, active } of store.journal.segments()) if (!active) store.journal.dropSegment(id);
  await addSome(sim, store, 1);
  await sim.run(50);
  await sim.settle(store.dataKeys.rotate());
  expect(store.dataKeys.status()).toMatchObject({ keys: 2, current: 5 });
  await addSome(sim, store, 1);
  sim.kill();
  const again = await openStore(sim);
  expect((await replayed(sim, again)).size).toBeGreaterThanOrEqual(3);
});

it("goes on in the old segment where there is no room for a new one", async () => {
  const sim = simulatedHost({ seed: 6 });
  const store = await openStore(sim, {
    segmentBytes: 16_384,
    frameBytesSoft: 8_192,
    frameCacheBytes: 8_192,
    diskBytesMax: 16_384,
  });
  await addSome(sim, store, 1);
  await sim.settle(store.dataKeys.rotate());
  await addSome(sim, store, 2);
  expect(store.failures).toEqual([]);
  expect(store.dataKeys.status()).toMatchObject({ id: 1, current: 2 });
  expect(store.acked.size).toBe(3);
  expect(sim.disk.paths()).toContain(`${DIRECTORY}/keyring`);
});
