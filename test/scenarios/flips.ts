/**
 * Damages the data directory of a real server, one bit or one cut at a time, and opens the journal as a start does.
 * Every outcome must be "refused as damaged", or a journal that still holds every record (RELIABILITY F1, F4).
 * The files live on a simulated disk, so that twenty thousand damages take minutes.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { simulatedHost } from "../../packages/broker/src/host/simulated-host.ts";
import { claimDirectory } from "../../packages/broker/src/storage/data-directory.ts";
import { loadKek } from "../../packages/broker/src/storage/kek.ts";
import { openKeyring } from "../../packages/broker/src/storage/keyring.ts";
import { openJournal } from "../../packages/broker/src/storage/open-journal.ts";
import { StorageError } from "../../packages/broker/src/storage/storage-error.ts";

export interface FlipsOptions {
  /** A data directory whose server was killed, with everything in it acknowledged. */
  readonly dataDir: string;
  readonly samples: number;
  readonly seed: number;
  readonly onProgress?: (done: number) => void;
}

export interface FlipsReport {
  readonly samples: number;
  /** Refused with exit 65. */
  readonly damaged: number;
  /** Opened with every record: the bit carries nothing (zeros for frames to come, advice). */
  readonly whole: number;
  /** Opened with every record, and a cut that lies beyond them was reported. */
  readonly torn: number;
  /** Anything else is a defect: what was damaged, and what came of it. */
  readonly wrong: readonly string[];
  /** Where bits carried nothing, by file. */
  readonly silent: Readonly<Record<string, number>>;
}

type Simulated = ReturnType<typeof simulatedHost>;
type Outcome = "damaged" | "whole" | "torn" | string;

const directory = "/data";
const limits = {
  segmentBytes: 64 * 1024 * 1024,
  frameBytesSoft: 2 * 1024 * 1024,
  frameCacheBytes: 1024 * 1024,
  diskBytesMax: 2 ** 30,
};

function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** The journal's files; certificates and the like are not part of it, and spares carry nothing. */
async function load(dataDir: string): Promise<ReturnType<Simulated["disk"]["image"]>> {
  const sim = simulatedHost({ seed: 1 });
  const { lock } = await sim.settle(claimDirectory({ host: sim.host, directory }));
  await sim.settle(lock.release());
  for (const name of readdirSync(dataDir)) {
    const isJournal = /^segment-|^HEAD$|^keyring$/.test(name);
    if (!isJournal || !statSync(join(dataDir, name)).isFile()) continue;
    sim.disk.put(`${directory}/${name}`, readFileSync(join(dataDir, name)));
    sim.disk.setAttributes(`${directory}/${name}`, { mode: 0o600 });
  }
  return sim.disk.image();
}

async function open(
  sim: Simulated,
  kek: Uint8Array,
  wanted: { lastSeq: number; records: number } | undefined,
): Promise<{ outcome: Outcome; lastSeq: number; records: number }> {
  try {
    const claimed = await sim.settle(claimDirectory({ host: sim.host, directory }));
    const keyring = await sim.settle(openKeyring({ host: sim.host, directory, kek, create: !claimed.hasJournal }));
    const { report, replay } = await sim.settle(
      openJournal({ host: sim.host, directory, keyring, limits, lock: claimed.lock }),
    );
    let records = 0;
    await sim.settle(
      replay(0, (frame) => {
        records += frame.count;
      }),
    );
    if (wanted !== undefined && (report.lastSeq !== wanted.lastSeq || records !== wanted.records)) {
      const found = `${records} records up to ${report.lastSeq}`;
      return {
        outcome: `opened with ${found} of ${wanted.records} up to ${wanted.lastSeq}`,
        lastSeq: report.lastSeq,
        records,
      };
    }
    return { outcome: report.tornBytes > 0 ? "torn" : "whole", lastSeq: report.lastSeq, records };
  } catch (error) {
    const isDamage = error instanceof StorageError && error.code === "damaged";
    return { outcome: isDamage ? "damaged" : `failed: ${String(error)}`, lastSeq: 0, records: 0 };
  }
}

function writtenEnd(bytes: Buffer): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return end;
}

export async function sweep(options: FlipsOptions): Promise<FlipsReport> {
  const random = generator(options.seed);
  const { kek } = await loadKek({ directory: options.dataDir });
  const image = await load(options.dataDir);
  const pristine = simulatedHost({ seed: 2, image });
  const files = pristine.disk.paths().map((path) => ({ path, bytes: pristine.disk.read(path) }));
  const sizes = new Map(files.map(({ path, bytes }) => [path, { length: bytes.length, written: writtenEnd(bytes) }]));
  const first = await open(pristine, kek, undefined);
  if (first.outcome !== "whole") throw new Error(`the undamaged journal: ${first.outcome}`);
  const counts: Record<string, number> = { damaged: 0, whole: 0, torn: 0 };
  const silent: Record<string, number> = {};
  const wrong: string[] = [];
  for (let sample = 0; sample < options.samples; sample += 1) {
    const { path } = files[Math.floor(random() * files.length)] ?? { path: "" };
    const { length, written } = sizes.get(path) ?? { length: 1, written: 1 };
    const sim = simulatedHost({ seed: 3, image });
    const isCut = random() < 0.2;
    const reach = random() < 0.85 ? written : length;
    const at = Math.floor(random() * reach * (isCut ? 1 : 8));
    if (isCut) {
      sim.disk.put(path, sim.disk.read(path).subarray(0, at));
      sim.disk.setAttributes(path, { mode: 0o600 });
    } else sim.disk.flipBit(path, at);
    const { outcome } = await open(sim, kek, first);
    if (outcome in counts) counts[outcome] = (counts[outcome] ?? 0) + 1;
    else wrong.push(`${path} ${isCut ? "cut at byte" : "bit"} ${at}: ${outcome}`);
    if (outcome === "whole") silent[path] = (silent[path] ?? 0) + 1;
    options.onProgress?.(sample + 1);
  }
  const { damaged = 0, whole = 0, torn = 0 } = counts;
  return { samples: options.samples, damaged, whole, torn, wrong, silent };
}
