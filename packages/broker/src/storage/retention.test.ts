import { describe, expect, it } from "vitest";
import { type SimulatedHost, simulatedHost } from "../host/simulated-host.ts";
import {
  append,
  bodyOf,
  DIRECTORY,
  KEK,
  openStore,
  replayed,
  type Store,
  segmentPaths,
} from "./storage-fixture.test-data.ts";
import { type VerifyReport, verifyJournal } from "./verify.ts";

function verify(sim: SimulatedHost): Promise<VerifyReport> {
  return sim.settle(verifyJournal({ host: sim.host, directory: DIRECTORY, kek: KEK }));
}

async function fill(sim: SimulatedHost, store: Store, frames: number): Promise<void> {
  for (let i = 0; i < frames; i++) await append(sim, store, [bodyOf(i, 5_000)]);
}

/** Drops all segments before the newest record, or those that `which` picks. */
async function drop(
  sim: SimulatedHost,
  store: Store,
  which: (index: number) => boolean = () => true,
): Promise<number[]> {
  store.journal.snapshotTaken(store.journal.durableSeq);
  const old = store.journal.segments().filter(({ active, lastSeq }) => !active && lastSeq < store.journal.durableSeq);
  const dropped = old.filter((_, i) => which(i)).map(({ id }) => id);
  for (const id of dropped) store.journal.dropSegment(id);
  await sim.runUntilIdle();
  return dropped;
}

describe("dropping a segment", () => {
  it("frees its file, keeps the rest and the chain, and is remembered by a trim record", async () => {
    const sim = simulatedHost({ seed: 1 });
    const store = await openStore(sim);
    await fill(sim, store, 9);
    const before = store.journal.segments();
    const dropped = await drop(sim, store);
    expect(dropped.length).toBeGreaterThan(1);
    expect(store.journal.segments().map(({ id }) => id)).toEqual(
      before.map(({ id }) => id).filter((id) => !dropped.includes(id)),
    );
    expect(await sim.settle(new Promise((done) => store.journal.fetch(1, done)))).toBeUndefined();
    await append(sim, store, ["later"]);
    await sim.settle(store.journal.close());
    const report = await verify(sim);
    expect(report).toMatchObject({ ok: true, lastSeq: store.journal.durableSeq });
    expect(report.trims.map((trim) => trim.segment)).toEqual(dropped);
    const again = await openStore(sim);
    const found = await replayed(sim, again, again.report.snapshotSeq);
    const last = before.findLast(({ id }) => dropped.includes(id))!.lastSeq;
    expect([...found.keys()].every((seq) => seq > last)).toBe(true);
    for (const [seq, body] of found) expect(body).toBe(store.acked.get(seq));
  });

  it("in the middle leaves the others readable, across reopens and further drops", async () => {
    const sim = simulatedHost({ seed: 2 });
    let store = await openStore(sim);
    const acked = new Map<number, string>();
    for (let life = 0; life < 4; life++) {
      await fill(sim, store, 7);
      await drop(sim, store, (i) => i % 2 === life % 2);
      for (const [seq, body] of store.acked) acked.set(seq, body);
      await sim.settle(store.journal.close());
      expect(await verify(sim)).toMatchObject({ ok: true, problem: undefined });
      store = await openStore(sim);
      const found = await replayed(sim, store);
      expect(found.size).toBeGreaterThan(2);
      for (const [seq, body] of found) expect(body).toBe(acked.get(seq));
      for (const [seq] of found) {
        const frame = await sim.settle(new Promise((done) => store.journal.fetch(seq, done)));
        expect(frame).toBeDefined();
      }
    }
    expect(sim.violations).toEqual([]);
  });

  it("recycles files: disk use stays flat while much more is written, and recycled ones hold zeros first", async () => {
    const sim = simulatedHost({ seed: 3 });
    const store = await openStore(sim);
    let peak = 0;
    let recycled = 0;
    for (let round = 0; round < 30; round++) {
      await fill(sim, store, 3);
      await drop(sim, store);
      peak = Math.max(peak, store.journal.statistics().diskBytes);
      const spares = sim.disk.paths().filter((path) => path.includes("/spare-"));
      recycled += spares.length > 1 ? 1 : 0;
      for (const spare of spares) expect(sim.disk.read(spare).every((byte) => byte === 0)).toBe(true);
    }
    expect(recycled).toBeGreaterThan(10);
    expect(peak).toBeLessThan(8 * 16 * 1_024);
    expect(store.journal.statistics().diskBytes).toBe(
      sim.disk
        .paths()
        .filter((path) => /segment-|spare-/.test(path))
        .reduce((sum, path) => sum + sim.disk.read(path).length, 0),
    );
    await sim.settle(store.journal.close());
    expect(await verify(sim)).toMatchObject({ ok: true });
  });

  it("is finished by the next start when a crash came between the trim and the file", async () => {
    for (const how of ["crash", "kill"] as const) {
      const sim = simulatedHost({ seed: 9 });
      const store = await openStore(sim);
      await fill(sim, store, 9);
      await sim.runUntilIdle();
      const before = segmentPaths(sim).length;
      for (const operation of ["remove", "rename"] as const) {
        sim.disk.plant({ operation, nth: 1, effect: { kind: "stop", how, when: "before" } });
      }
      const dropped = await drop(sim, store);
      expect(sim.incarnation).toBe(1);
      expect(segmentPaths(sim)).toHaveLength(before);
      sim.disk.clearFaults();
      const again = await openStore(sim);
      expect(segmentPaths(sim)).toHaveLength(before - dropped.length + 1);
      const found = await replayed(sim, again);
      for (const [seq, body] of found) expect(body).toBe(store.acked.get(seq));
    }
  });

  it("is refused for the segment in use, and for records that no snapshot covers", async () => {
    const sim = simulatedHost({ seed: 4 });
    const store = await openStore(sim);
    await fill(sim, store, 5);
    const [first, ...rest] = store.journal.segments();
    expect(() => store.journal.dropSegment(rest.at(-1)!.id)).toThrow(/being written/);
    expect(() => store.journal.dropSegment(first!.id)).toThrow(/no snapshot covers/);
    expect(() => store.journal.snapshotTaken(store.journal.durableSeq + 1)).toThrow(/not durable/);
    store.journal.dropSegment(999);
    await sim.runUntilIdle();
    expect(segmentPaths(sim)).toHaveLength(rest.length + 1);
  });

  it("keeps the snapshot's place over reopens, with and without HEAD", async () => {
    const sim = simulatedHost({ seed: 5 });
    const store = await openStore(sim);
    await fill(sim, store, 4);
    store.journal.snapshotTaken(3);
    await append(sim, store, ["after"]);
    await sim.settle(store.journal.close());
    const again = await openStore(sim);
    expect(again.report.snapshotSeq).toBe(3);
    await sim.settle(again.journal.close());
    sim.disk.delete(`${DIRECTORY}/HEAD`);
    expect((await openStore(sim)).report.snapshotSeq).toBe(3);
  });
});

describe("verify", () => {
  it("counts what is there and lists what carries nothing", async () => {
    const sim = simulatedHost({ seed: 6 });
    const store = await openStore(sim);
    await fill(sim, store, 4);
    await sim.settle(store.journal.close());
    const steps: number[] = [];
    const onProgress = (done: number, total: number): void => void steps.push(done / total);
    const report = await sim.settle(verifyJournal({ host: sim.host, directory: DIRECTORY, kek: KEK, onProgress }));
    expect(report).toMatchObject({ ok: true, records: 4, frames: 4, firstSeq: 1, lastSeq: 4, segments: 2 });
    expect(report.headHash).toMatch(/^[0-9a-f]{64}$/);
    expect(report.emptyBytes.map((empty) => empty.what)).toEqual(["zeros", "zeros"]);
    expect(steps.at(-1)).toBe(1);
  });

  it("names the first bad place for a flip in any frame, and agrees with a start", { timeout: 60_000 }, async () => {
    const sim = simulatedHost({ seed: 7 });
    const store = await openStore(sim);
    await fill(sim, store, 4);
    await sim.settle(store.journal.close());
    const image = sim.disk.image();
    for (const [i, path] of segmentPaths(sim).entries()) {
      for (let byte = 0; byte < 4_096 + 2 * 5_632; byte += 397) {
        const damaged = simulatedHost({ seed: 1, image });
        damaged.disk.flipBit(path, byte * 8 + (byte % 8));
        const report = await verify(damaged);
        const unused = report.emptyBytes.some(
          ({ segment, from, what }) => segment === i + 1 && byte >= from && what === "torn",
        );
        expect(report.ok).toBe(unused);
        if (unused) continue;
        expect(report.problem).toMatchObject({ segment: i + 1, file: path });
        const { offset, seq } = report.problem!;
        expect(offset).toBeLessThanOrEqual(byte);
        if (byte >= 4_096) expect(seq).toBe(2 * i + 1 + Math.floor((byte - 4_096) / 5_632));
      }
    }
  });

  it("changes nothing, and keeps out while the journal is in use", async () => {
    const sim = simulatedHost({ seed: 8 });
    const store = await openStore(sim);
    await fill(sim, store, 2);
    await expect(verify(sim)).rejects.toMatchObject({ code: "in-use", exitCode: 75 });
    await sim.settle(store.journal.close());
    const before = sim.disk.paths().map((path) => `${path} ${sim.disk.read(path).toString("hex")}`);
    await verify(sim);
    expect(sim.disk.paths().map((path) => `${path} ${sim.disk.read(path).toString("hex")}`)).toEqual(before);
  });
});
