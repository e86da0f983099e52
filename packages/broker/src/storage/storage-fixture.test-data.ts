import type { SimulatedHost } from "../host/simulated-host.ts";
import type { JournalFrame } from "../model/journal.ts";
import { claimDirectory } from "./data-directory.ts";
import type { StorageLimits } from "./journal-parts.ts";
import { type Keyring, openKeyring } from "./keyring.ts";
import { type OpenedDirectory, openJournal } from "./open-journal.ts";
import type { ScrubPace } from "./scrubber.ts";

/** A data directory on a simulated disk, and what a small engine does with a journal. */

export const DIRECTORY = "/data";
export const KEK: Buffer = Buffer.alloc(32, 0x5a);

export const smallLimits: StorageLimits = {
  segmentBytes: 16 * 1_024,
  frameBytesSoft: 8 * 1_024,
  frameCacheBytes: 64 * 1_024,
  diskBytesMax: 4 * 1_024 * 1_024,
};

export interface Store extends OpenedDirectory {
  readonly keyring: Keyring;
  /** Bodies that `committed` showed, by number. */
  readonly acked: Map<number, string>;
  readonly frames: JournalFrame[];
  readonly failures: string[];
  beforeSeal: () => void;
}

/** Opens (or makes) the journal without starting it. */
export async function openUnsettled(
  sim: SimulatedHost,
  limits: StorageLimits = smallLimits,
  scrubPace?: ScrubPace,
  kek: Buffer = KEK,
): Promise<Store> {
  const { host } = sim;
  const claimed = await claimDirectory({ host, directory: DIRECTORY });
  try {
    const keyring = await openKeyring({ host, directory: DIRECTORY, kek, create: !claimed.hasJournal });
    const pace = scrubPace === undefined ? {} : { scrubPace };
    const opened = await openJournal({ host, directory: DIRECTORY, keyring, limits, lock: claimed.lock, ...pace });
    return { ...opened, keyring, acked: new Map(), frames: [], failures: [], beforeSeal: () => undefined };
  } catch (error) {
    await claimed.lock.release();
    throw error;
  }
}

export async function openStore(
  sim: SimulatedHost,
  limits: StorageLimits = smallLimits,
  scrubPace?: ScrubPace,
  kek: Buffer = KEK,
): Promise<Store> {
  const store = await sim.settle(openUnsettled(sim, limits, scrubPace, kek));
  begin(store);
  return store;
}

export function begin(store: Store): void {
  store.journal.start({
    beforeSeal: () => store.beforeSeal(),
    committed: (frame) => {
      store.frames.push(frame);
      for (const [seq, body] of bodiesOf(frame)) store.acked.set(seq, body);
    },
    failed: (reason) => store.failures.push(reason),
  });
}

/** Number and body (latin1) of each record of the core in a frame. */
export function bodiesOf(frame: JournalFrame): [number, string][] {
  const bodies: [number, string][] = [];
  for (let i = 0; i < frame.count; i++) {
    if (frame.kinds[i]! >= 200) continue;
    bodies.push([frame.firstSeq + i, frame.bytes.toString("latin1", frame.starts[i], frame.ends[i])]);
  }
  return bodies;
}

/** Reserves and writes one record; the caller commits. */
export function put(store: Store, body: string, kind: number = 1): number {
  const { journal } = store;
  const at = journal.reserve(kind, body.length);
  journal.openBytes.write(body, at, "latin1");
  return journal.lastSeq;
}

/** Writes records and lets the world run until they are durable. */
export async function append(sim: SimulatedHost, store: Store, bodies: readonly string[]): Promise<void> {
  for (const body of bodies) put(store, body);
  const wanted = store.journal.lastSeq;
  store.journal.commit();
  await sim.runUntil(() => store.journal.durableSeq >= wanted || store.failures.length > 0);
}

/** All records that a replay shows. */
export async function replayed(sim: SimulatedHost, store: Store, from: number = 0): Promise<Map<number, string>> {
  const found = new Map<number, string>();
  const visit = (frame: JournalFrame): void => {
    for (const [seq, body] of bodiesOf(frame)) found.set(seq, body);
  };
  await sim.settle(store.replay(from, visit));
  return found;
}

/** A body of `length` bytes that says which record it is. */
export function bodyOf(number: number, length: number = 24): string {
  return `body-${number}-`.padEnd(length, "x").slice(0, Math.max(length, 1));
}

export function segmentPaths(sim: SimulatedHost): string[] {
  return sim.disk.paths().filter((path) => path.includes("/segment-"));
}
