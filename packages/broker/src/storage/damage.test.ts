import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { type SimulatedHost, simulatedHost } from "../host/simulated-host.ts";
import { StorageError } from "./storage-error.ts";
import {
  append,
  begin,
  bodyOf,
  DIRECTORY,
  openStore,
  openUnsettled,
  replayed,
  segmentPaths,
} from "./storage-fixture.test-data.ts";

type Image = ReturnType<SimulatedHost["disk"]["image"]>;

/** A journal of three segments, closed or killed, and what was acknowledged in it. */
interface Journal {
  readonly image: Image;
  readonly acked: ReadonlyMap<number, string>;
}

async function makeJournal(end: "close" | "kill"): Promise<Journal> {
  const sim = simulatedHost({ seed: 1 });
  const acked = new Map<number, string>();
  for (let life = 0; life < 3; life++) {
    const store = await openStore(sim);
    for (let i = 0; i < 3; i++) await append(sim, store, [bodyOf(i, 700), bodyOf(i)]);
    for (const [seq, body] of store.acked) acked.set(seq, body);
    // A kill at once after the ack: HEAD is as old as it can be.
    if (end === "kill") sim.kill();
    else await sim.settle(store.journal.close());
  }
  return { image: sim.disk.image(), acked };
}

/** What a start makes of a damaged journal: refused as damaged, or everything acknowledged is there. */
async function outcome(journal: Journal, damage: (sim: SimulatedHost) => void): Promise<"damaged" | "whole" | "torn"> {
  const sim = simulatedHost({ seed: 2, image: journal.image });
  damage(sim);
  try {
    const store = await sim.settle(openUnsettled(sim));
    const found = await replayed(sim, store);
    expect(found).toEqual(journal.acked);
    begin(store);
    await sim.settle(store.journal.close());
    return store.report.tornBytes > 0 ? "torn" : "whole";
  } catch (error) {
    if (!(error instanceof StorageError) || error.code !== "damaged") throw error;
    return "damaged";
  } finally {
    expect(sim.violations).toEqual([]);
  }
}

let closed: Journal;
let killed: Journal;

beforeAll(async () => {
  closed = await makeJournal("close");
  killed = await makeJournal("kill");
});

const segment = (id: number): string => `${DIRECTORY}/segment-000000000${id}.mess`;

describe("one flipped bit", () => {
  it("anywhere in the last acknowledged frame is damage, though HEAD may not know it", {
    timeout: 120_000,
  }, async () => {
    for (const journal of [closed, killed]) {
      const sim = simulatedHost({ seed: 1, image: journal.image });
      const bytes = sim.disk.read(segment(3));
      const start = bytes.lastIndexOf(Buffer.from("MFRM")) * 8;
      expect(start).toBeGreaterThan(4_096 * 8);
      for (let bit = start; bit < start + 1_024 * 8; bit += 7) {
        expect(await outcome(journal, (other) => other.disk.flipBit(segment(3), bit)), `bit ${bit}`).toBe("damaged");
      }
    }
  });

  it("is damage in every segment header and in the keyring", { timeout: 60_000 }, async () => {
    for (const path of [segment(1), segment(2), segment(3), `${DIRECTORY}/keyring`]) {
      const bits = Math.min(simulatedHost({ seed: 1, image: closed.image }).disk.read(path).length, 4_096) * 8;
      for (let bit = 0; bit < bits; bit += path.endsWith("keyring") ? 23 : 397) {
        expect(await outcome(closed, (sim) => sim.disk.flipBit(path, bit)), `${path} bit ${bit}`).toBe("damaged");
      }
    }
  });

  it("anywhere is damage, or lies where nothing was stored", { timeout: 120_000 }, async () => {
    const paths = simulatedHost({ seed: 1, image: closed.image }).disk.paths();
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...paths), fc.nat(), fc.boolean(), async (path, at, clean) => {
        await outcome(clean ? closed : killed, (sim) => {
          const { length } = sim.disk.read(path);
          sim.disk.flipBit(path, at % (length * 8));
        });
      }),
      { numRuns: 700 },
    );
  });
});

describe("a file that is not as it was", () => {
  it("cut short at any length is damage, unless it is only advice", { timeout: 60_000 }, async () => {
    for (let id = 1; id <= 3; id++) {
      const bytes = simulatedHost({ seed: 1, image: closed.image }).disk.read(segment(id));
      for (let length = 0; length < bytes.length; length += length < 600 ? 61 : 1_021) {
        const cut = (sim: SimulatedHost): void => {
          sim.disk.put(segment(id), bytes.subarray(0, length));
          sim.disk.setAttributes(segment(id), { mode: 0o600 });
        };
        expect(await outcome(closed, cut)).toBe("damaged");
      }
    }
    const head = `${DIRECTORY}/HEAD`;
    for (const length of [0, 1, 511, 512, 700, 1_023]) {
      const cut = (sim: SimulatedHost): void => {
        sim.disk.put(head, sim.disk.read(head).subarray(0, length));
        sim.disk.setAttributes(head, { mode: 0o600 });
      };
      expect(await outcome(closed, cut)).toBe("whole");
    }
    expect(await outcome(closed, (sim) => sim.disk.delete(head))).toBe("whole");
  });

  const damages: [string, (sim: SimulatedHost) => void][] = [
    ["the first segment is missing", (sim) => sim.disk.delete(segment(1))],
    ["a middle segment is missing", (sim) => sim.disk.delete(segment(2))],
    ["the last segment is missing", (sim) => sim.disk.delete(segment(3))],
    ["all segments are missing", deleteAll],
    ["the keyring is missing", (sim) => sim.disk.delete(`${DIRECTORY}/keyring`)],
    ["two segments are exchanged", (sim) => swap(sim, segment(1), segment(2))],
    ["a segment is there twice", (sim) => copy(sim, segment(2), segment(4))],
    ["a segment is longer", (sim) => extend(sim, segment(2))],
    ["a segment's name has another width", (sim) => copy(sim, segment(2), `${DIRECTORY}/segment-2.mess`)],
    [
      "a foreign file is named like a segment",
      (sim) => put(sim, `${DIRECTORY}/segment-readme.txt`, Buffer.from("hello")),
    ],
    ["a foreign file is named like a spare", (sim) => put(sim, `${DIRECTORY}/spare-x`, Buffer.alloc(16))],
    ["an older last segment was put back", (sim) => rollBack(sim)],
    ["frames of one segment are in another place", (sim) => moveFrame(sim, segment(2), 4_096, 4_096 + 1_024)],
    ["a frame is in another segment", (sim) => sim.disk.overwrite(segment(2), 4_096, frame(sim, segment(1)))],
    ["zeros replace the last frame", (sim) => zero(sim, segment(3))],
    ["zeros replace a middle frame", (sim) => sim.disk.overwrite(segment(2), 4_096 + 1_024, Buffer.alloc(1_024))],
  ];
  for (const [what, damage] of damages) {
    it(`is damage: ${what}`, async () => {
      expect(await outcome(closed, damage)).toBe("damaged");
    });
  }

  it("from another journal is damage", async () => {
    const other = simulatedHost({ seed: 77 });
    await other.settle((await openStore(other)).journal.close());
    const foreign = other.disk.read(segment(1));
    expect(await outcome(closed, (sim) => put(sim, segment(4), foreign))).toBe("damaged");
    expect(await outcome(closed, (sim) => put(sim, `${DIRECTORY}/HEAD`, other.disk.read(`${DIRECTORY}/HEAD`)))).toBe(
      "damaged",
    );
  });

  it("is refused when others may touch it, or it is no plain file", async () => {
    const refused: [string, (sim: SimulatedHost) => void][] = [
      ["open to other users", (sim) => sim.disk.setAttributes(segment(2), { mode: 0o640 })],
      ["hard links", (sim) => sim.disk.setAttributes(segment(2), { links: 2 })],
      ["symlink", (sim) => sim.disk.symlink(segment(2), "/elsewhere")],
      ["open to other users", (sim) => sim.disk.setAttributes(DIRECTORY, { mode: 0o755 })],
      ["symlink", (sim) => sim.disk.symlink(DIRECTORY, "/elsewhere")],
      ["open to other users", (sim) => sim.disk.setAttributes(`${DIRECTORY}/HEAD`, { mode: 0o604 })],
    ];
    for (const [what, damage] of refused) {
      const sim = simulatedHost({ seed: 2, image: closed.image });
      damage(sim);
      const failure = await sim.settle(openUnsettled(sim)).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: "configuration", exitCode: 78, message: expect.stringContaining(what) });
    }
  });
});

function deleteAll(sim: SimulatedHost): void {
  for (const path of segmentPaths(sim)) sim.disk.delete(path);
}

function put(sim: SimulatedHost, path: string, bytes: Buffer): void {
  sim.disk.put(path, bytes);
  sim.disk.setAttributes(path, { mode: 0o600 });
}

function copy(sim: SimulatedHost, from: string, to: string): void {
  put(sim, to, sim.disk.read(from));
}

function swap(sim: SimulatedHost, a: string, b: string): void {
  const first = sim.disk.read(a);
  copy(sim, b, a);
  put(sim, b, first);
}

function extend(sim: SimulatedHost, path: string): void {
  put(sim, path, Buffer.concat([sim.disk.read(path), Buffer.alloc(512)]));
}

const frame = (sim: SimulatedHost, path: string): Buffer => sim.disk.read(path).subarray(4_096, 4_096 + 1_024);

function moveFrame(sim: SimulatedHost, path: string, from: number, to: number): void {
  sim.disk.overwrite(path, to, sim.disk.read(path).subarray(from, from + 1_024));
}

function zero(sim: SimulatedHost, path: string): void {
  const at = sim.disk.read(path).lastIndexOf(Buffer.from("MFRM"));
  sim.disk.overwrite(path, at, Buffer.alloc(1_024 * 2));
}

/** The state the last segment had before its second frame. */
function rollBack(sim: SimulatedHost): void {
  const bytes = sim.disk.read(segment(3));
  bytes.fill(0, 4_096 + 1_024);
  put(sim, segment(3), bytes);
}
