import type { DirectoryLock, Host } from "../host/host.ts";
import type { BeginBackup } from "../model/backup.ts";
import type { JournalFrame, OpenedJournal } from "../model/journal.ts";
import type { LogProofs } from "../model/log-proofs.ts";
import { makeSegment } from "./active-segment.ts";
import { beginBackup } from "./backup.ts";
import { CheckpointKeeper, type CheckpointOptions } from "./checkpoint-keeper.ts";
import { checkDirectory, checkFile, lockDirectory } from "./data-directory.ts";
import { DataKeys } from "./data-keys.ts";
import { step } from "./disk-io.ts";
import { HEAD_FILE, KEYRING_FILE, segmentName } from "./file-names.ts";
import { FrameCache } from "./frame-cache.ts";
import { FrameReader } from "./frame-reader.ts";
import { DiskJournal } from "./journal.ts";
import type { StorageLimits } from "./journal-parts.ts";
import { JournalTree } from "./journal-tree.ts";
import type { Keyring } from "./keyring.ts";
import { type Recovered, recover } from "./recovery.ts";
import { Scrubber, type ScrubPace } from "./scrubber.ts";
import { SegmentCatalogue, type SegmentEntry } from "./segment-catalogue.ts";
import { SEGMENT_HEADER_BYTES } from "./segment-header.ts";
import { SegmentPool } from "./segment-pool.ts";
import { scanSegment } from "./segment-scan.ts";
import { StorageError } from "./storage-error.ts";
import { TreeReader } from "./tree-reader.ts";

export interface OpenJournalOptions {
  readonly host: Host;
  /** Exists, mode 0700, ours: see `claimDirectory`. */
  readonly directory: string;
  readonly keyring: Keyring;
  readonly limits: StorageLimits;
  /** Of `claimDirectory`; the journal takes the lock itself without. It releases it when it closes or fails to open. */
  readonly lock?: DirectoryLock;
  /** A journal that is made now begins behind this number. */
  readonly startAfter?: number;
  /** For tests; the standard pace without. */
  readonly scrubPace?: ScrubPace;
  /** Signed checkpoints are kept, and the journal is compared with them; without, it is not. */
  readonly checkpoints?: CheckpointOptions;
}

/** An opened journal that lies in a directory of this machine. */
export interface OpenedDirectory extends OpenedJournal {
  readonly proofs: LogProofs;
  readonly checkpoints: CheckpointKeeper | undefined;
  /** Rejects with a `StorageError`, `in-use` while another backup is under way. */
  readonly beginBackup: BeginBackup;
  readonly dataKeys: DataKeys;
  readonly scrubber: Scrubber;
}

/** The first segment after a start is small, so that starting is quick and costs little disk. */
const FIRST_SEGMENT_BYTES = 4 * 1_024 * 1_024;
const SEGMENT_BYTES_MIN = 16 * 1_024;

/**
 * Opens, checks and recovers the journal. Rejects with a `StorageError`: `damaged`, `in-use`, `configuration` or
 * `io`; nothing is deleted or changed on damage.
 */
export async function openJournal(options: OpenJournalOptions): Promise<OpenedDirectory> {
  const { host, directory, limits } = options;
  if (limits.segmentBytes < SEGMENT_BYTES_MIN || limits.segmentBytes % SEGMENT_HEADER_BYTES !== 0) {
    throw new StorageError("configuration", "segmentBytes must be a multiple of 4096, and at least 16384.");
  }
  await checkDirectory(host, directory);
  const lock = options.lock ?? (await lockDirectory(host, directory));
  try {
    return await openLocked(options, lock);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function openLocked(options: OpenJournalOptions, lock: DirectoryLock): Promise<OpenedDirectory> {
  const { host, directory, keyring, limits } = options;
  for (const name of [KEYRING_FILE, HEAD_FILE]) {
    const path = `${directory}/${name}`;
    if ((await step("looking at", path, () => host.disk.stat(path))) !== undefined) await checkFile(host, path);
  }
  const recovered = await recover(options);
  const catalogue = new SegmentCatalogue();
  for (const entry of recovered.entries) catalogue.add(entry);
  const checkpoints = await openCheckpoints(options, recovered, catalogue);
  const mayGrow = (bytes: number): boolean => catalogue.bytes + pool.bytes + bytes <= limits.diskBytesMax;
  const pool: SegmentPool = new SegmentPool({ host, directory, segmentBytes: limits.segmentBytes, mayGrow });
  await pool.adopt(await step("listing", directory, () => host.disk.list(directory)));
  const id = recovered.newestId + 1;
  const firstBytes = Math.min(limits.segmentBytes, FIRST_SEGMENT_BYTES);
  const zeroed = await step("making a segment in", directory, () => pool.makeNow(firstBytes));
  const active = await makeSegment(options, zeroed, {
    id,
    firstSeq: recovered.lastSeq + 1,
    snapshotSeq: recovered.snapshotSeq,
    previousHash: recovered.lastHash,
    previousId: recovered.lastFilledId,
    previousEnd: recovered.lastFilledEnd,
    previousKey: recovered.newestKey,
    live: catalogue.liveRanges(id),
  });
  // Their trims were durable before the crash that left them.
  for (const { id: trimmed } of recovered.leftovers) {
    const path = `${directory}/${segmentName(trimmed)}`;
    await step("removing", path, () => host.disk.remove(path));
  }
  const scrubber = new Scrubber({ host, directory, keyring, catalogue, pace: options.scrubPace });
  const journal = new DiskJournal({
    ...options,
    ...recovered,
    lock,
    catalogue,
    pool,
    active,
    scrubber,
    ...witnessed(checkpoints),
  });
  await journal.openHead();
  await step("syncing", directory, () => host.disk.syncDirectory(directory));
  await checkpoints?.begin(journal.proofs);
  return {
    report: {
      snapshotSeq: recovered.snapshotSeq,
      lastSeq: recovered.lastSeq,
      tornBytes: recovered.tornBytes,
      segments: recovered.entries.length,
    },
    replay: (from, visit) => replay({ host, directory, keyring, recovered }, from, visit),
    journal,
    scrubber,
    dataKeys: new DataKeys({ host, directory, keyring, journal, catalogue }),
    proofs: journal.proofs,
    checkpoints,
    beginBackup: () => beginBackup({ host, directory, keyring, entries: catalogue.all, pins: catalogue.pins }),
  };
}

const witnessed = (witness: CheckpointKeeper | undefined): { witness?: CheckpointKeeper } =>
  witness === undefined ? {} : { witness };

/** Compares the journal with its last checkpoints, before anything is changed. */
async function openCheckpoints(
  options: OpenJournalOptions,
  recovered: Recovered,
  catalogue: SegmentCatalogue,
): Promise<CheckpointKeeper | undefined> {
  const { host, directory, keyring, checkpoints } = options;
  if (checkpoints === undefined) return undefined;
  const tree = new JournalTree(recovered.tree);
  const cache = new FrameCache(0);
  const reader = new FrameReader({ host, directory, keyring, catalogue, cache, failed: () => undefined });
  const proofs = new TreeReader({
    host,
    directory,
    keyring,
    catalogue,
    tree,
    findEnd: (entry) => reader.indexOf(entry),
  });
  try {
    return await CheckpointKeeper.open({ host, directory, keyring, ...checkpoints }, proofs);
  } finally {
    await reader.close();
  }
}

interface ReplayParts {
  readonly host: Host;
  readonly directory: string;
  readonly keyring: Keyring;
  readonly recovered: Recovered;
}

async function replay(parts: ReplayParts, from: number, visit: (frame: JournalFrame) => void): Promise<void> {
  for (const entry of parts.recovered.entries) {
    if (entry.lastSeq < Math.max(from, entry.header.firstSeq)) continue;
    await replaySegment(parts, entry, (frame) => {
      if (frame.firstSeq + frame.count > from) visit(frame);
    });
  }
}

async function replaySegment(
  parts: ReplayParts,
  entry: SegmentEntry,
  visit: (frame: JournalFrame) => void,
): Promise<void> {
  const { host, directory, keyring } = parts;
  const { header, end } = entry;
  const path = `${directory}/${segmentName(header.id)}`;
  const damage = (offset: number, problem: string): StorageError => {
    const message = `Segment ${header.id} (${path}) is damaged at byte ${offset}: ${problem}. Restore it from a backup.`;
    return new StorageError("damaged", message, { file: path, segment: header.id, offset });
  };
  const key = keyring.segmentKey(header.keyId, header.salt);
  if (key === undefined) throw damage(0, `its data key ${header.keyId} is not in the keyring`);
  await step("reading", path, async () => {
    const file = await host.disk.open(path, "read");
    try {
      const result = await scanSegment({
        file,
        header,
        key,
        end,
        thorough: false,
        visit: (scanned) => visit(scanned.frame),
      });
      if (result.problem !== undefined && end !== undefined) throw damage(result.offset, result.problem);
    } finally {
      await file.close();
    }
  });
}
