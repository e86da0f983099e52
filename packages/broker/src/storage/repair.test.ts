import { expect, it } from "vitest";
import { type SimulatedHost, simulatedHost } from "../host/simulated-host.ts";
import { RecordKind } from "../model/record.ts";
import { openKeyring } from "./keyring.ts";
import { openJournal } from "./open-journal.ts";
import { repairInto } from "./repair.ts";
import { planRepair, type RepairPlan } from "./repair-plan.ts";
import type { SalvageOptions } from "./salvage.ts";
import {
  append,
  begin,
  bodiesOf,
  bodyOf,
  DIRECTORY,
  KEK,
  openStore,
  put,
  type Store,
  segmentPaths,
  smallLimits,
} from "./storage-fixture.test-data.ts";
import { verifyJournal } from "./verify.ts";

const TARGET = "/repaired";
const audit = Buffer.from('{"event":"journal.repaired"}');

/** Several segments, in three lives; every third record has a part in an erasure domain, and domain 2 is erased. */
async function made(seed: number): Promise<{ sim: SimulatedHost; bodies: ReadonlyMap<number, string> }> {
  const sim = simulatedHost({ seed });
  const bodies = new Map<number, string>();
  let store = await openStore(sim);
  for (let i = 0; i < 60; i++) {
    const body = bodyOf(i, 200 + ((i * 211) % 1_800));
    const at = store.journal.reserve(1, body.length);
    store.journal.openBytes.write(body, at, "latin1");
    if (i % 3 === 0) store.journal.confine(1 + (i % 2), at + 20);
    await append(sim, store, [`after ${i}`]);
    if (i % 20 !== 19) continue;
    for (const [seq, text] of store.acked) bodies.set(seq, text);
    await sim.settle(store.journal.close());
    store = await openStore(sim);
  }
  await sim.settle(new Promise<void>((resolve) => store.journal.destroyDomains([2], resolve)));
  await sim.settle(store.journal.close());
  return { sim, bodies };
}

async function source(sim: SimulatedHost): Promise<SalvageOptions> {
  const { host } = sim;
  return {
    host,
    directory: DIRECTORY,
    keyring: await openKeyring({ host, directory: DIRECTORY, kek: KEK, create: false }),
  };
}

async function repaired(sim: SimulatedHost): Promise<RepairPlan> {
  const work = async (): Promise<RepairPlan> =>
    repairInto({ ...(await source(sim)), target: TARGET, kek: KEK, limits: smallLimits, auditRecord: () => audit });
  return sim.settle(work(), 60_000);
}

interface Found {
  readonly bodies: ReadonlyMap<number, string>;
  readonly lastSeq: number;
  readonly journal: Awaited<ReturnType<typeof openJournal>>;
}

async function opened(sim: SimulatedHost): Promise<Found> {
  const { host } = sim;
  const open = async (): Promise<Found["journal"]> => {
    const keyring = await openKeyring({ host, directory: TARGET, kek: KEK, create: false });
    return openJournal({ host, directory: TARGET, keyring, limits: smallLimits });
  };
  const journal = await sim.settle(open());
  const bodies = new Map<number, string>();
  await sim.settle(
    journal.replay(0, (frame) => {
      for (const [seq, body] of bodiesOf(frame)) bodies.set(seq, body);
    }),
  );
  return { bodies, lastSeq: journal.report.lastSeq, journal };
}

const isLost = (plan: RepairPlan, seq: number): boolean =>
  plan.lost.some(({ first, last }) => seq >= first && seq <= last);

/** What was there, under the same number; zeros for the part that was erased. */
function expectSame(found: string, before: string): void {
  if (found === before) return;
  expect(found.length).toBe(before.length);
  expect(found.slice(0, 20)).toBe(before.slice(0, 20));
  expect(found.slice(20)).toBe("\0".repeat(before.length - 20));
}

async function check(sim: SimulatedHost, bodies: ReadonlyMap<number, string>): Promise<RepairPlan> {
  const before = sim.disk.paths().map((path) => [path, sim.disk.read(path).toString("latin1")] as const);
  const plan = await repaired(sim);
  for (const [path, bytes] of before) expect(sim.disk.read(path).toString("latin1") === bytes, path).toBe(true);
  const report = await sim.settle(verifyJournal({ host: sim.host, directory: TARGET, kek: KEK }), 60_000);
  expect(report.problem).toBeUndefined();
  const found = await opened(sim);
  for (const [seq, body] of bodies) {
    const now = found.bodies.get(seq);
    expect(now === undefined, `record ${seq}`).toBe(isLost(plan, seq));
    if (now !== undefined) expectSame(now, body);
  }
  expect(found.bodies.get(found.lastSeq)).toBe(audit.toString());
  expect(found.lastSeq).toBeGreaterThan(Math.max(...bodies.keys()));
  await sim.settle(found.journal.journal.close().catch(() => undefined));
  return plan;
}

it("keeps everything of a journal that is whole", async () => {
  const { sim, bodies } = await made(1);
  const plan = await check(sim, bodies);
  expect(plan).toMatchObject({ lost: [], segmentsLost: [], firstSeq: 1 });
});

it("loses the damaged frame alone, whichever it is", async () => {
  for (let number = 0; number < 12; number++) {
    const { sim, bodies } = await made(10 + number);
    const path = segmentPaths(sim)[number % 6] ?? "";
    sim.disk.flipBit(path, (4_096 + 700 + number * 400) * 8 + 3);
    const plan = await check(sim, bodies);
    const lost = plan.lost.reduce((sum, { first, last }) => sum + last - first + 1, 0);
    expect(lost).toBeGreaterThan(0);
    expect(lost).toBeLessThan(4);
  }
});

it("goes on without a segment that is missing, has no header, or is cut short", async () => {
  const harms: readonly ((sim: SimulatedHost, path: string) => void)[] = [
    (sim, path) => sim.disk.delete(path),
    (sim, path) => sim.disk.flipBit(path, 77),
    (sim, path) => {
      sim.disk.put(path, sim.disk.read(path).subarray(0, 9_000));
      sim.disk.setAttributes(path, { mode: 0o600 });
    },
  ];
  for (const [kind, harm] of harms.entries()) {
    for (const number of [0, 2, -1]) {
      const { sim, bodies } = await made(100 + kind);
      harm(sim, segmentPaths(sim).at(number) ?? "");
      const plan = await check(sim, bodies);
      // Of the newest one that is gone nobody knows.
      if (kind < 2) expect(plan.segmentsLost.length).toBe(kind === 0 && number === -1 ? 0 : 1);
    }
  }
});

it("says how far records were acknowledged that are gone, and gives their numbers to no others", async () => {
  const { sim, bodies } = await made(200);
  const filled = segmentPaths(sim).filter((path) => sim.disk.read(path).subarray(4_096, 4_100).toString() === "MFRM");
  const path = filled.at(-1) ?? "";
  const bytes = sim.disk.read(path);
  bytes.fill(0, 4_096);
  sim.disk.put(path, bytes);
  sim.disk.setAttributes(path, { mode: 0o600 });
  const plan = await check(sim, bodies);
  expect(plan.lost.at(-1)?.last).toBe(Math.max(...bodies.keys()));
});

it("begins where the journal did, and remembers what retention dropped", async () => {
  const sim = simulatedHost({ seed: 300 });
  const store = await openStore(sim);
  for (let i = 0; i < 60; i++) await append(sim, store, [bodyOf(i, 1_500)]);
  store.journal.snapshotTaken(store.journal.durableSeq);
  const ids = store.journal.segments().map(({ id }) => id);
  for (const id of [ids[0], ids[2]]) store.journal.dropSegment(id ?? 0);
  await append(sim, store, ["more"]);
  await sim.run(100);
  const kept = store.journal.segments().map(({ firstSeq, lastSeq }) => [firstSeq, lastSeq] as const);
  const bodies = new Map([...store.acked].filter(([seq]) => kept.some(([first, last]) => seq >= first && seq <= last)));
  await sim.settle(store.journal.close());
  const plan = await check(sim, bodies);
  expect(plan.lost).toEqual([]);
  expect(plan.trimmed.length).toBe(2);
  expect(plan.firstSeq).toBe(kept[0]?.[0]);
});

it("counts on a snapshot only if all of it is there", async () => {
  for (const harmed of [false, true]) {
    const sim = simulatedHost({ seed: 400 });
    const store = await openStore(sim);
    const snapshot = async (): Promise<number> => {
      put(store, "", RecordKind.snapshotBegun);
      const seq = store.journal.lastSeq;
      for (let i = 0; i < 5; i++) {
        put(store, bodyOf(i, 400), RecordKind.snapshotPart);
        await append(sim, store, ["between"]);
      }
      put(store, "", RecordKind.snapshotEnded);
      await append(sim, store, ["behind"]);
      store.journal.snapshotTaken(seq);
      return seq;
    };
    const first = await snapshot();
    const at = sim.disk.read(segmentPaths(sim)[0] ?? "").lastIndexOf("MFRM");
    const second = await snapshot();
    await sim.settle(store.journal.close());
    if (harmed) sim.disk.flipBit(segmentPaths(sim)[0] ?? "", (at + 2_000) * 8);
    const plan = await repaired(sim);
    expect(plan.snapshotSeq).toBe(harmed ? first : second);
    expect((await opened(sim)).journal.report.snapshotSeq).toBe(harmed ? first : second);
  }
});

it("tells what it would do and changes nothing; and leaves a mark until it is done", async () => {
  const { sim } = await made(500);
  sim.disk.flipBit(segmentPaths(sim)[1] ?? "", 5_000 * 8);
  const before = sim.disk.paths().length;
  const planning = async (): Promise<RepairPlan> => (await planRepair(await source(sim))).plan;
  const plan = await sim.settle(planning());
  expect(plan.lost.length).toBe(1);
  expect(sim.disk.paths().length).toBe(before);
  sim.disk.plant({ operation: "change", nth: 40, effect: { kind: "stop", how: "crash", when: "before" } });
  await expect(repaired(sim)).rejects.toThrow();
  sim.disk.clearFaults();
  expect(sim.disk.paths()).toContain(`${TARGET}/restore-unfinished`);
});

it("goes on after the repair", async () => {
  const { sim } = await made(600);
  sim.disk.flipBit(segmentPaths(sim)[1] ?? "", 5_000 * 8);
  await repaired(sim);
  const { journal, lastSeq } = await opened(sim);
  const store: Store = {
    ...journal,
    keyring: undefined as never,
    acked: new Map(),
    frames: [],
    failures: [],
    beforeSeal: () => undefined,
  };
  begin(store);
  await append(sim, store, ["new"]);
  expect(store.acked).toEqual(new Map([[lastSeq + 1, "new"]]));
});
