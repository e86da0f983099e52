/**
 * Every single bit of a journal of 64 KiB, one at a time (RELIABILITY F4). Three who look at it: a start, `mess verify`,
 * and `mess verify --without-key`, which sees the chain, the sums and the places alone. All must find each bit.
 */
import type { Host } from "../../packages/broker/src/host/host.ts";
import { nodeHost } from "../../packages/broker/src/host/node-host.ts";
import { simulatedHost } from "../../packages/broker/src/host/simulated-host.ts";
import { openKeyring } from "../../packages/broker/src/storage/keyring.ts";
import { recover } from "../../packages/broker/src/storage/recovery.ts";
import { StorageError } from "../../packages/broker/src/storage/storage-error.ts";
import {
  append,
  bodyOf,
  DIRECTORY,
  KEK,
  openStore,
  type Store,
} from "../../packages/broker/src/storage/storage-fixture.test-data.ts";
import { verifyJournal } from "../../packages/broker/src/storage/verify.ts";
import { arrayHost } from "./array-host.ts";

const segmentBytes = 65_536;
const segmentPath = `${DIRECTORY}/segment-0000000001.mess`;
export const bitsOfJournal: number = segmentBytes * 8;
/** Bytes of a frame besides its ciphertext and what grows with it: docs/journal-format.md. */
const frameOverhead = 224;
const recordHead = 5;

export interface EveryBitOptions {
  /** Bits to flip, of 0 to `bitsOfJournal` - 1. */
  readonly bits: Iterable<number>;
  readonly onProgress?: (done: number) => void;
}

export interface EveryBitReport {
  readonly flipped: number;
  /** Found by a start, with the key. */
  readonly start: number;
  /** Found by `mess verify`, with the key. */
  readonly encrypted: number;
  /** Found by `mess verify --without-key`. */
  readonly plain: number;
  /** What went unseen, or was found in another way than as damage. */
  readonly wrong: readonly string[];
}

/** A journal that fills its one segment of 64 KiB to the last byte. */
async function makeJournal(): Promise<Map<string, Buffer>> {
  const limits = { segmentBytes, frameBytesSoft: 16_384, frameCacheBytes: 16_384, diskBytesMax: 2 ** 24 };
  const sim = simulatedHost({ seed: 7 });
  const store = await openStore(sim, limits);
  const room = (): number => segmentBytes - endOf(sim.disk.read(segmentPath));
  for (let number = 1; room() > 8_192; number++) {
    // Frames with erasure domains are among them, and one of the domains is erased.
    if (number % 4 === 0) confined(store, 1 + ((number / 4) % 2));
    await append(sim, store, [bodyOf(number, 12 + ((number * 701) % 2_500)), bodyOf(number, 40)]);
  }
  const rest = 508 * (room() / 512) - frameOverhead - recordHead;
  await append(sim, store, [bodyOf(0, rest)]);
  if (room() !== 0) throw new Error(`the segment has ${room()} bytes left`);
  await sim.settle(new Promise<void>((resolve) => store.journal.destroyDomains([2], resolve)));
  await sim.settle(store.journal.close());
  const paths = ["HEAD", "keyring", "erasure-keys"].map((name) => `${DIRECTORY}/${name}`);
  return new Map([...paths, segmentPath].map((path) => [path, sim.disk.read(path)]));
}

/** A record of which a part is the domain's. */
function confined({ journal }: Store, domain: number): void {
  const body = bodyOf(domain, 300);
  const at = journal.reserve(1, body.length);
  journal.openBytes.write(body, at, "latin1");
  journal.confine(domain, at + 20);
}

function endOf(bytes: Buffer): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return Math.ceil(end / 512) * 512;
}

type Look = (host: Host) => Promise<boolean>;

const lookers: Readonly<Record<"start" | "encrypted" | "plain", Look>> = {
  start: async (host) => {
    try {
      const keyring = await openKeyring({ host, directory: DIRECTORY, kek: KEK, create: false });
      await recover({ host, directory: DIRECTORY, keyring });
      return false;
    } catch (error) {
      if (error instanceof StorageError && error.code === "damaged") return true;
      throw error;
    }
  },
  encrypted: async (host) => !(await verifyJournal({ host, directory: DIRECTORY, kek: KEK })).ok,
  plain: async (host) => !(await verifyJournal({ host, directory: DIRECTORY, kek: undefined })).ok,
};

export async function flipEveryBit({ bits, onProgress }: EveryBitOptions): Promise<EveryBitReport> {
  const files = await makeJournal();
  const segment = files.get(segmentPath) ?? Buffer.alloc(0);
  const host = arrayHost(nodeHost(), files);
  const found = { start: 0, encrypted: 0, plain: 0 };
  const wrong: string[] = [];
  let flipped = 0;
  for (const [name, look] of Object.entries(lookers)) {
    if (await look(host)) throw new Error(`the undamaged journal is damaged to ${name}`);
  }
  for (const bit of bits) {
    segment[bit >> 3]! ^= 1 << (bit & 7);
    for (const name of ["start", "encrypted", "plain"] as const) {
      const outcome = await lookers[name](host).catch((error: unknown) => String(error));
      if (outcome === true) found[name]++;
      else wrong.push(`bit ${bit}: ${name} ${outcome === false ? "saw nothing" : outcome}`);
    }
    segment[bit >> 3]! ^= 1 << (bit & 7);
    flipped++;
    onProgress?.(flipped);
  }
  return { flipped, ...found, wrong: wrong.slice(0, 20) };
}
