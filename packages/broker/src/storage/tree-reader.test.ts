import { beforeEach, describe, expect, it } from "vitest";
import { type SimulatedHost, simulatedHost } from "../host/simulated-host.ts";
import { leafHash, verifyConsistency, verifyInclusion } from "./merkle.ts";
import { append, bodyOf, openStore, type Store, segmentPaths, smallLimits } from "./storage-fixture.test-data.ts";

/** What each durable frame made of the tree. */
interface Leaf {
  readonly firstSeq: number;
  readonly root: Buffer;
}

const limits = { ...smallLimits, frameCacheBytes: 1 };
let sim: SimulatedHost;
let store: Store;
let leaves: Leaf[] = [];
const dropped: Set<Leaf> = new Set();

async function write(frames: number): Promise<void> {
  for (let i = 0; i < frames; i++) {
    await append(sim, store, [bodyOf(leaves.length, 2_000)]);
    const { size, root } = store.proofs.head;
    expect(size).toBe(leaves.length + 1);
    leaves.push({ firstSeq: store.frames.at(-1)!.firstSeq, root });
  }
}

async function restart(): Promise<void> {
  await sim.settle(store.journal.close());
  store = await openStore(sim, limits);
  expect(store.proofs.head).toEqual({ size: leaves.length, root: leaves.at(-1)!.root });
}

/** Drops the sealed segments for which `which` says so, and waits until the trims are durable. */
async function drop(which: (id: number, place: number) => boolean): Promise<void> {
  const { journal } = store;
  journal.snapshotTaken(journal.durableSeq);
  const able = journal.segments().filter(({ active, firstSeq, lastSeq }) => !active && lastSeq >= firstSeq);
  for (const [place, { id, firstSeq, lastSeq }] of able.slice(0, -1).entries()) {
    if (!which(id, place)) continue;
    journal.dropSegment(id);
    for (const leaf of leaves) if (leaf.firstSeq >= firstSeq && leaf.firstSeq <= lastSeq) dropped.add(leaf);
  }
  await sim.run(100);
  // The trim records may have made a frame of their own.
  const { size, root } = store.proofs.head;
  expect(size - leaves.length).toBeLessThanOrEqual(1);
  if (size > leaves.length) leaves.push({ firstSeq: store.frames.at(-1)!.firstSeq, root });
  await write(1);
}

/** Leaves whose frames are kept. */
function kept(): number[] {
  return [...leaves.keys()].filter((index) => !dropped.has(leaves[index]!));
}

/** Proves each of these leaves, and that each tree that ends with one is the beginning of each later one. */
async function proveAll(indices: readonly number[]): Promise<void> {
  const { proofs } = store;
  for (const early of indices) {
    const { firstSeq, root } = leaves[early]!;
    expect(await sim.settle(proofs.rootAt(early + 1))).toEqual(root);
    for (const late of indices.filter((index) => index >= early)) {
      const inclusion = await sim.settle(proofs.inclusion(firstSeq, late + 1));
      if (!inclusion.ok) throw new Error(`leaf ${early} in ${late + 1}: ${inclusion.message}`);
      const { index, size, path, leafData } = inclusion;
      expect([index, size, inclusion.frame.firstSeq]).toEqual([early, late + 1, firstSeq]);
      expect(verifyInclusion({ index, size, leaf: leafHash(leafData), path }, leaves[late]!.root)).toBe(true);
      const consistency = await sim.settle(proofs.consistency(early + 1, late + 1));
      if (!consistency.ok) throw new Error(`${early + 1} to ${late + 1}: ${consistency.message}`);
      const sizes = { first: early + 1, second: late + 1, path: consistency.path };
      expect(verifyConsistency(sizes, root, leaves[late]!.root)).toBe(true);
    }
  }
}

beforeEach(async () => {
  sim = simulatedHost({ seed: 11 });
  store = await openStore(sim, limits);
  leaves = [];
  dropped.clear();
});

describe("proofs", () => {
  it("of every frame in every tree since, over segments and restarts", async () => {
    await write(17);
    await proveAll(kept());
    await restart();
    await write(12);
    await restart();
    await restart();
    await write(5);
    expect(kept()).toHaveLength(34);
    await proveAll(kept());
  });

  it("outlive segments that are dropped from the beginning", async () => {
    await write(30);
    await drop((_id, place) => place < 2);
    expect(kept().length).toBeLessThan(leaves.length);
    await proveAll(kept());
    await restart();
    await drop((_id, place) => place === 0);
    await proveAll(kept());
    const gone = await sim.settle(store.proofs.inclusion(leaves[0]!.firstSeq, leaves.length));
    expect(gone).toMatchObject({ ok: false, reason: "unknown" });
    expect(await sim.settle(store.proofs.rootAt(2))).toMatchObject({ ok: false, reason: "dropped" });
  });

  it("outlive segments that are dropped from the middle", async () => {
    await write(50);
    await drop((_id, place) => place % 2 === 1);
    await proveAll(kept());
    await restart();
    await proveAll(kept());
    await write(9);
    await drop((_id, place) => place === 2 || place === 3);
    await restart();
    await proveAll(kept());
    await drop((_id, place) => place === 0);
    await restart();
    await write(3);
    await proveAll(kept());
  });
});

it("has no proof of what is not there", async () => {
  await write(3);
  const { proofs } = store;
  for (const [seq, size] of [
    [99, 3],
    [0, 3],
    [1, 4],
    [1, 0],
    [1, -1],
    [1, 0.5],
    [leaves[2]!.firstSeq, 2],
  ] as const) {
    expect(await sim.settle(proofs.inclusion(seq, size))).toMatchObject({ ok: false, reason: "unknown" });
  }
  expect(await sim.settle(proofs.consistency(2, 1))).toMatchObject({ ok: false, reason: "unknown" });
  expect(await sim.settle(proofs.consistency(2, 4))).toMatchObject({ ok: false, reason: "unknown" });
});

it("answers some at a time", async () => {
  await write(3);
  const asked = Array.from({ length: 80 }, () => store.proofs.inclusion(1, 3));
  const answers = await sim.settle(Promise.all(asked));
  expect(answers.filter(({ ok }) => ok)).toHaveLength(64);
  expect(answers[79]).toMatchObject({ ok: false, reason: "busy" });
});

it("refuses to prove from bytes that are not what was written", async () => {
  await write(30);
  await restart();
  await write(8);
  await restart();
  const [oldest] = segmentPaths(sim);
  // The chain hash that the second frame's header repeats, and its sum.
  sim.disk.flipBit(oldest!, (4_096 + 2_560 + 70) * 8);
  const [early] = leaves;
  await expect(sim.settle(store.proofs.inclusion(early!.firstSeq, 38))).rejects.toThrow(/damaged/);
});
