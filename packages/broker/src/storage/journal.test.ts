import { describe, expect, it } from "vitest";
import { simulatedHost } from "../host/simulated-host.ts";
import type { JournalFrame } from "../model/journal.ts";
import {
  append,
  begin,
  bodiesOf,
  bodyOf,
  openStore,
  openUnsettled,
  put,
  replayed,
  segmentPaths,
  smallLimits,
} from "./storage-fixture.test-data.ts";

describe("the journal", () => {
  it("gives back after a reopen what it committed, in order and gap-free", async () => {
    const sim = simulatedHost({ seed: 1 });
    const store = await openStore(sim);
    for (let i = 0; i < 40; i++) await append(sim, store, [bodyOf(i), bodyOf(i, 300), ""]);
    await sim.settle(store.journal.close());
    const again = await openStore(sim);
    expect(again.report).toMatchObject({ lastSeq: 120, tornBytes: 0, snapshotSeq: 0 });
    const found = await replayed(sim, again);
    expect([...found.keys()]).toEqual(Array.from({ length: 120 }, (_, i) => i + 1));
    expect(found).toEqual(store.acked);
    expect(sim.violations).toEqual([]);
  });

  it("shows nothing as durable before the sync, and commits a lone record with one write and one sync", async () => {
    const sim = simulatedHost({ seed: 2 });
    const store = await openStore(sim);
    await sim.runUntilIdle();
    const before = { ...store.journal.statistics() };
    put(store, "hello");
    store.journal.commit();
    expect(store.journal.lastSeq).toBe(1);
    expect(store.journal.durableSeq).toBe(0);
    expect(store.journal.cached(1)).toBeUndefined();
    await sim.runUntil(() => store.journal.durableSeq === 1);
    expect(store.frames.map(bodiesOf)).toEqual([[[1, "hello"]]]);
    const { syncs, framesCommitted, bytesWritten } = store.journal.statistics();
    expect([
      syncs - before.syncs,
      framesCommitted - before.framesCommitted,
      bytesWritten - before.bytesWritten,
    ]).toEqual([1, 1, 512]);
    expect(store.journal.cached(1)).toBe(store.frames[0]);
  });

  it("gathers what comes while a frame is in flight into the next one", async () => {
    const sim = simulatedHost({ seed: 3 });
    const store = await openStore(sim);
    await sim.runUntilIdle();
    sim.disk.plant({
      operation: "write",
      nth: 1,
      path: "spare-0000000001",
      effect: { kind: "delay", milliseconds: 20 },
    });
    put(store, "a");
    store.journal.commit();
    put(store, "b");
    await sim.run(10);
    for (let i = 0; i < 50; i++) put(store, `later ${i}`);
    store.journal.commit();
    await sim.runUntilIdle();
    expect(store.frames.map((frame) => frame.count)).toEqual([2, 50]);
  });

  it("asks for last records before it seals, and keeps order of frames", async () => {
    const sim = simulatedHost({ seed: 4 });
    const store = await openStore(sim);
    let asked = 0;
    store.beforeSeal = () => {
      if (asked++ === 0) put(store, "acknowledged ranges");
    };
    put(store, "a");
    store.journal.commit();
    await sim.runUntilIdle();
    expect(store.frames.map(bodiesOf)).toEqual([
      [
        [1, "a"],
        [2, "acknowledged ranges"],
      ],
    ]);
  });

  it("commits within a time, earlier with another frame, and not at all without being asked", async () => {
    const sim = simulatedHost({ seed: 5 });
    const store = await openStore(sim);
    await sim.runUntilIdle();
    put(store, "nobody asks");
    await sim.runUntilIdle();
    expect(store.journal.durableSeq).toBe(0);
    const start = sim.host.clock.monotonic();
    store.journal.commitWithin(80);
    store.journal.commitWithin(100);
    await sim.run(70);
    expect(store.journal.durableSeq).toBe(0);
    await sim.runUntil(() => store.journal.durableSeq === 1);
    expect(sim.host.clock.monotonic() - start).toBeGreaterThanOrEqual(79.4);
    expect(sim.host.clock.monotonic() - start).toBeLessThan(95);
    put(store, "early");
    store.journal.commitWithin(1_000);
    store.journal.commitWithin(10);
    await sim.run(30);
    expect(store.journal.durableSeq).toBe(2);
    await sim.runUntilIdle();
    expect(store.frames).toHaveLength(2);
  });

  it("says when the open frame is over its soft size", async () => {
    const sim = simulatedHost({ seed: 6 });
    const store = await openStore(sim);
    put(store, "x".repeat(8_000));
    expect(store.journal.congested).toBe(false);
    put(store, "x".repeat(300));
    expect([store.journal.congested, store.journal.overfull]).toEqual([true, false]);
    put(store, "x".repeat(32 * 8_192));
    expect(store.journal.overfull).toBe(true);
    store.journal.commit();
    await sim.runUntilIdle();
    expect([store.journal.congested, store.journal.overfull]).toEqual([false, false]);
  });

  it("rolls to new segments, and gives a frame larger than a segment one of its own", async () => {
    const sim = simulatedHost({ seed: 7 });
    const store = await openStore(sim);
    for (let i = 0; i < 10; i++) await append(sim, store, [bodyOf(i, 5_000)]);
    await append(sim, store, [bodyOf(10, 100_000)]);
    await append(sim, store, [bodyOf(11)]);
    const infos = store.journal.segments();
    expect(infos.length).toBeGreaterThan(5);
    expect(infos.at(-1)).toMatchObject({ active: true, lastSeq: store.journal.durableSeq });
    for (const [i, info] of infos.slice(1).entries()) expect(info.firstSeq).toBe(infos[i]!.lastSeq + 1);
    expect(infos.find((info) => info.bytes > 100_000)).toMatchObject({ firstSeq: 11, lastSeq: 11 });
    await sim.settle(store.journal.close());
    const again = await openStore(sim);
    expect(await replayed(sim, again)).toEqual(store.acked);
    expect(again.journal.segments().length).toBe(infos.length + 1);
  });

  it("makes a new segment after every open, with a salt of its own", async () => {
    const sim = simulatedHost({ seed: 8 });
    const salts = new Set<string>();
    for (let i = 0; i < 5; i++) {
      const store = await openStore(sim);
      await append(sim, store, [bodyOf(i)]);
      await sim.settle(store.journal.close());
      salts.add(sim.disk.read(segmentPaths(sim).at(-1)!).toString("hex", 64, 96));
    }
    expect(salts.size).toBe(5);
    expect(segmentPaths(sim)).toHaveLength(5);
  });

  it("drops segments that earlier starts left without a frame", async () => {
    const sim = simulatedHost({ seed: 9 });
    for (let i = 0; i < 4; i++) await sim.settle((await openStore(sim)).journal.close());
    expect(segmentPaths(sim)).toHaveLength(4);
    const store = await openStore(sim);
    await append(sim, store, ["first"]);
    await sim.runUntilIdle();
    expect(segmentPaths(sim)).toHaveLength(1);
    expect(await replayed(sim, await reopened(sim, store))).toEqual(new Map([[1, "first"]]));
  });

  it("refuses the core's use of kinds that are its own", async () => {
    const store = await openStore(simulatedHost({ seed: 10 }));
    for (const kind of [0, 200, 255]) expect(() => store.journal.reserve(kind, 1)).toThrow(RangeError);
  });

  it("holds no plaintext on disk", async () => {
    const sim = simulatedHost({ seed: 11 });
    const store = await openStore(sim);
    await append(sim, store, ["a very secret topic name", "a very secret payload".repeat(100)]);
    await sim.settle(store.journal.close());
    for (const path of sim.disk.paths()) expect(sim.disk.read(path).includes("secret")).toBe(false);
  });

  it("seals no two frames with the same key and nonce, crashes included", async () => {
    const sim = simulatedHost({ seed: 12 });
    const pairs: string[] = [];
    for (let i = 0; i < 8; i++) {
      const store = await openStore(sim);
      for (let k = 0; k < 3; k++) await append(sim, store, [bodyOf(k, 2_000)]);
      put(store, "torn");
      store.journal.commit();
      sim.step();
      sim.step();
      sim.crash();
    }
    for (const path of segmentPaths(sim)) {
      const bytes = sim.disk.read(path);
      for (let at = 4_096; at < bytes.length; at += 512) {
        if (bytes.readUInt32LE(at) !== 0x4d52_464d) continue;
        pairs.push(`${bytes.toString("hex", 64, 96)} ${bytes.readUInt32LE(at + 20)}`);
      }
    }
    expect(pairs.length).toBeGreaterThanOrEqual(24);
    expect(new Set(pairs).size).toBe(pairs.length);
  });

  it("keeps what waits for a start, and commits it then", async () => {
    const sim = simulatedHost({ seed: 13 });
    const store = await sim.settle(openUnsettled(sim));
    put(store, "early");
    store.journal.commit();
    await sim.runUntilIdle();
    expect(store.journal.durableSeq).toBe(0);
    begin(store);
    await sim.runUntilIdle();
    expect(store.acked).toEqual(new Map([[1, "early"]]));
  });

  it("commits at close what was reserved, without being asked", async () => {
    const sim = simulatedHost({ seed: 14 });
    const store = await openStore(sim);
    put(store, "a");
    store.journal.commit();
    sim.step();
    put(store, "last");
    await sim.settle(store.journal.close());
    expect([...store.acked.values()]).toEqual(["a", "last"]);
    expect(sim.violations).toEqual([]);
  });
});

describe("reading frames back", () => {
  const fetch = (store: Awaited<ReturnType<typeof openStore>>, seq: number): Promise<JournalFrame | undefined> =>
    new Promise((resolve) => store.journal.fetch(seq, resolve));

  it("finds every record, from memory or disk, in any order, before and after a reopen", async () => {
    const sim = simulatedHost({ seed: 20 });
    const store = await openStore(sim, { ...smallLimits, frameCacheBytes: 8 * 1_024, segmentBytes: 256 * 1_024 });
    for (let i = 0; i < 300; i++) await append(sim, store, [bodyOf(i, (i * 37) % 3_000), bodyOf(i)]);
    const cacheless = { ...smallLimits, frameCacheBytes: 8 * 1_024 };
    for (const next of [() => store, () => reopened(sim, store, cacheless)]) {
      const reader = await next();
      for (let k = 0; k < 600; k++) {
        const seq = 1 + ((k * 389) % 600);
        const frame = await sim.settle(fetch(reader, seq));
        expect(new Map(bodiesOf(frame!)).get(seq)).toBe(store.acked.get(seq));
      }
      expect(await sim.settle(fetch(reader, 601))).toBeUndefined();
      expect(await sim.settle(fetch(reader, 0))).toBeUndefined();
    }
    expect(sim.violations).toEqual([]);
  });

  it("reads a stretch once for all who wait for it, and ahead for who reads on", async () => {
    const sim = simulatedHost({ seed: 21 });
    const limits = { ...smallLimits, segmentBytes: 1_024 * 1_024, frameCacheBytes: 1_024 * 1_024 };
    const store = await openStore(sim, limits);
    for (let i = 0; i < 400; i++) await append(sim, store, [bodyOf(i, 300)]);
    const reader = await reopened(sim, store, limits);
    await sim.runUntilIdle();
    const effect = { kind: "delay", milliseconds: 1 } as const;
    const reads = sim.disk.plant({ operation: "read", nth: 1, lasting: true, path: "segment", effect });
    const [a, b] = await sim.settle(Promise.all([fetch(reader, 5), fetch(reader, 5)]));
    expect(a).toBe(b);
    // The second is the stretch behind it: two in the same place look like a reader who goes on.
    expect(reads.hits).toBe(2);
    for (let seq = 1; seq <= 400; seq++) {
      const frame = reader.journal.cached(seq) ?? (await sim.settle(fetch(reader, seq)));
      expect(new Map(bodiesOf(frame!)).get(seq)).toBe(store.acked.get(seq));
    }
    expect(reads.hits).toBeLessThan(12);
  });

  it("stops the journal when it meets damage, and gives nothing", async () => {
    const sim = simulatedHost({ seed: 22 });
    const store = await openStore(sim, { ...smallLimits, frameCacheBytes: 1 });
    for (let i = 0; i < 5; i++) await append(sim, store, [bodyOf(i)]);
    sim.disk.flipBit(segmentPaths(sim)[0]!, (4_096 + 512 + 170) * 8);
    expect(await sim.settle(fetch(store, 2))).toBeUndefined();
    expect(store.failures).toHaveLength(1);
    expect(store.failures[0]).toMatch(/Segment 1 is damaged at byte 4608/);
    expect(store.journal.hasFailed).toBe(true);
  });
});

async function reopened(
  sim: ReturnType<typeof simulatedHost>,
  store: Awaited<ReturnType<typeof openStore>>,
  limits: typeof smallLimits = smallLimits,
): Promise<Awaited<ReturnType<typeof openStore>>> {
  await sim.settle(store.journal.close());
  return openStore(sim, limits);
}
