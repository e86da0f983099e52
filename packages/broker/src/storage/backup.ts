import { createHash, hash } from "node:crypto";
import type { DiskFile, Host } from "../host/host.ts";
import type { Backup } from "../model/backup.ts";
import {
  ARCHIVE_END,
  type ArchiveEntry,
  ENTRY_BYTES_MAX,
  encodeEntryHeader,
  entryBytes,
  FAILED_NAME,
  formatManifest,
  MANIFEST_NAME,
  type Manifest,
  type ManifestFile,
  paddingBytes,
  SEAL_PURPOSE,
  smallBytesMax,
} from "./archive-format.ts";
import { lockDirectory } from "./data-directory.ts";
import { readAt, step } from "./disk-io.ts";
import { ERASURE_FILES, HEAD_FILE, KEYRING_FILE, segmentName } from "./file-names.ts";
import { headFileBytes } from "./head-file.ts";
import { type Keyring, openKeyring } from "./keyring.ts";
import { recover } from "./recovery.ts";
import type { SegmentEntry } from "./segment-catalogue.ts";
import type { SegmentHeader } from "./segment-header.ts";
import { type PinSet, SegmentPins } from "./segment-pins.ts";
import { scanSegment, scanStart } from "./segment-scan.ts";
import { StorageError } from "./storage-error.ts";
import { judgeTail } from "./torn-tail.ts";

/** Read and worked through at a time: a millisecond or so, so that the broker's own work hardly waits. */
const PIECE = 256 * 1_024;
/** Besides the journal: what makes the server the one that clients trust. The keys among them are sealed. */
const otherFiles = ["ca.pem", "ca.key.sealed", "server.pem", "server.key.sealed"] as const;
/**
 * While somebody reads a backup the segments in it keep their room on disk. Whoever reads slower than this, after the
 * first minute, is holding them for no good reason.
 */
const RATE_MIN_BYTES_PER_SECOND = 64 * 1_024;
const GRACE_MS = 60_000;
const NOTHING = Buffer.alloc(0);

export interface BackupOptions {
  readonly host: Host;
  readonly directory: string;
  readonly keyring: Keyring;
}

/** A segment as it was when the backup began. */
interface PinnedSegment {
  readonly header: SegmentHeader;
  /** Byte past the last durable frame. */
  readonly end: number;
  readonly endHash: Buffer | undefined;
  readonly lastSeq: number;
}

/**
 * Begins a backup of a journal that goes on: holds every segment and how far it is durable, at one moment, so that
 * the archive is what a power cut at that moment would have left. Rejects with a `StorageError`.
 */
export async function beginBackup(
  options: BackupOptions & { readonly entries: readonly SegmentEntry[]; readonly pins: SegmentPins },
): Promise<Backup> {
  const { pins, entries, directory } = options;
  if (pins.ended) throw new StorageError("in-use", `The journal in ${directory} is closing.`);
  if (pins.busy) {
    throw new StorageError("in-use", `A backup of ${directory} is under way. Wait for it to end, then try again.`);
  }
  // All of this in one turn: the entries go on changing, and segments that are not pinned may go.
  const began = entries.map(({ header, end, endHash, lastSeq }) => ({ header, end, endHash, lastSeq }));
  const held = pins.pin(began.map(({ header }) => header.id));
  try {
    const segments: PinnedSegment[] = [];
    for (const segment of began) {
      const { end } = segment;
      segments.push(end === undefined ? await findEnd(options, segment.header) : { ...segment, end });
    }
    const others: SmallFile[] = [];
    others.push(...(await readKeys(options)));
    for (const name of otherFiles) others.push(...(await readSmallFile(options, name)));
    return new ArchiveWriter(options, { held, pins }, segments, others);
  } catch (error) {
    held.releaseAll();
    throw error;
  }
}

/**
 * A backup of a directory that no server uses; holds its lock until it is read or closed. Rejects with a `StorageError`,
 * `in-use` while a server runs.
 */
export async function beginOfflineBackup(
  options: Omit<BackupOptions, "keyring"> & { kek: Uint8Array },
): Promise<Backup> {
  const { host, directory } = options;
  const lock = await lockDirectory(host, directory);
  try {
    const keyring = await openKeyring({ ...options, create: false });
    const { entries } = await recover({ host, directory, keyring });
    const backup = await beginBackup({ host, directory, keyring, entries, pins: new SegmentPins() });
    return {
      bytes: backup.bytes,
      lastSeq: backup.lastSeq,
      chunks: lastly(backup.chunks, () => lock.release()),
      close: () => {
        backup.close();
        void lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function* lastly(chunks: AsyncIterable<Uint8Array>, run: () => Promise<void>): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } finally {
    await run();
  }
}

interface SmallFile {
  readonly name: string;
  readonly bytes: Buffer;
}

interface Pinned {
  readonly held: PinSet;
  readonly pins: SegmentPins;
}

class ArchiveWriter implements Backup {
  readonly bytes: number;
  readonly lastSeq: number;
  readonly #options: BackupOptions;
  readonly #pinned: Pinned;
  readonly #segments: readonly PinnedSegment[];
  readonly #small: readonly SmallFile[];
  readonly #manifest: Omit<Manifest, "files">;
  readonly #files: ManifestFile[] = [];
  readonly #seconds: number;
  #sent = 0;

  constructor(
    options: BackupOptions,
    pinned: Pinned,
    segments: readonly PinnedSegment[],
    others: readonly SmallFile[],
  ) {
    const { host, keyring } = options;
    this.#options = options;
    this.#pinned = pinned;
    this.#segments = segments;
    const head = headOf(segments);
    this.lastSeq = head.seq;
    this.#small = [...others, { name: HEAD_FILE, bytes: headFileBytes(keyring.journalId, head) }];
    const madeAt = host.clock.now();
    this.#seconds = Math.floor(madeAt / 1_000);
    this.#manifest = {
      journal: keyring.journalId.toString("hex"),
      madeAt,
      lastSeq: head.seq,
      headHash: head.hash.toString("hex"),
    };
    this.bytes = this.#size();
  }

  get chunks(): AsyncIterable<Uint8Array> {
    return this.#write();
  }

  close(): void {
    this.#pinned.held.releaseAll();
  }

  async *#write(): AsyncGenerator<Uint8Array> {
    const { clock } = this.#options.host;
    const began = clock.monotonic();
    try {
      for await (const chunk of this.#entries()) {
        this.#sent += chunk.length;
        yield chunk;
        const seconds = (clock.monotonic() - began - GRACE_MS) / 1_000;
        if (this.#pinned.pins.ended)
          throw new StorageError("in-use", "The journal is closing: the backup is not whole.");
        if (this.#sent < seconds * RATE_MIN_BYTES_PER_SECOND) {
          throw new StorageError("io", "The backup was read too slowly, and given up.");
        }
      }
    } finally {
      this.close();
    }
  }

  async *#entries(): AsyncGenerator<Uint8Array> {
    for (const file of this.#small) yield* this.#smallEntry(file);
    // Oldest first: they are the ones that retention waits for.
    for (const segment of this.#segments) {
      const problem = await checkSegment(this.#options, segment);
      if (problem !== undefined) {
        const { code, message, detail } = problem;
        yield* this.#entry({ name: FAILED_NAME, bytes: Buffer.from(`${JSON.stringify({ code, message, detail })}\n`) });
        yield ARCHIVE_END;
        return;
      }
      yield* this.#segment(segment);
      this.#pinned.held.release(segment.header.id);
    }
    yield* this.#entry({ name: MANIFEST_NAME, bytes: this.#manifestBytes(this.#files) });
    yield ARCHIVE_END;
  }

  async *#smallEntry(file: SmallFile): AsyncGenerator<Uint8Array> {
    this.#files.push({ name: file.name, bytes: file.bytes.length, sha256: hash("sha256", file.bytes, "hex") });
    yield* this.#entry(file);
  }

  *#entry({ name, bytes }: SmallFile): Generator<Uint8Array> {
    const header = encodeEntryHeader({ name, bytes: bytes.length }, this.#seconds);
    yield Buffer.concat([header, bytes, Buffer.alloc(paddingBytes(bytes.length))]);
  }

  async *#segment({ header, end }: PinnedSegment): AsyncGenerator<Uint8Array> {
    const { host, directory } = this.#options;
    const name = segmentName(header.id);
    const path = `${directory}/${name}`;
    yield encodeEntryHeader({ name, bytes: end }, this.#seconds);
    const file = await step("opening", path, () => host.disk.open(path, "read"));
    const digest = createHash("sha256");
    try {
      for (let at = 0; at < end; at += PIECE) {
        const piece = Buffer.allocUnsafe(Math.min(PIECE, end - at));
        if ((await step("reading", path, () => readAt(file, piece, at))) < piece.length) {
          throw new StorageError("damaged", `Segment ${header.id} (${path}) has become shorter.`, { file: path });
        }
        digest.update(piece);
        yield piece;
      }
    } finally {
      await file.close();
    }
    this.#files.push({ name, bytes: end, sha256: digest.digest("hex") });
  }

  #manifestBytes(files: readonly ManifestFile[]): Buffer {
    const { box } = this.#options.keyring;
    return formatManifest({ ...this.#manifest, files }, (digest) => box.seal(digest, SEAL_PURPOSE));
  }

  /** Everything has its size before anything is read. */
  #size(): number {
    const entries: ArchiveEntry[] = [
      ...this.#small.map(({ name, bytes }) => ({ name, bytes: bytes.length })),
      ...this.#segments.map(({ header, end }) => ({ name: segmentName(header.id), bytes: end })),
    ];
    const largest = entries.find(({ bytes }) => bytes > ENTRY_BYTES_MAX);
    if (largest !== undefined) {
      throw new StorageError(
        "configuration",
        `${largest.name} has ${largest.bytes} bytes, more than an archive can name.`,
      );
    }
    const files = entries.map((entry) => ({ ...entry, sha256: "0".repeat(64) }));
    const manifest = entryBytes(this.#manifestBytes(files).length);
    return entries.reduce((sum, { bytes }) => sum + entryBytes(bytes), manifest) + ARCHIVE_END.length;
  }
}

/** Where the journal ends; HEAD says it, so that a copy that lacks something shows. */
function headOf(segments: readonly PinnedSegment[]): Parameters<typeof headFileBytes>[1] {
  const newest = segments.at(-1);
  if (newest === undefined) return { segmentId: 0, offset: 0, seq: 0, snapshotSeq: 0, hash: Buffer.alloc(32) };
  const { header, end, endHash, lastSeq } = newest;
  const { snapshotSeq, previousHash: hash } = header;
  if (lastSeq >= header.firstSeq) {
    return { segmentId: header.id, offset: end, seq: lastSeq, snapshotSeq, hash: endHash ?? hash };
  }
  return { segmentId: header.previousId, offset: header.previousEnd, seq: lastSeq, snapshotSeq, hash };
}

/** What is in the archive was right when it was copied: a backup of damaged data would be found out when it is needed. */
async function checkSegment(options: BackupOptions, segment: PinnedSegment): Promise<StorageError | undefined> {
  const { header, end, endHash, lastSeq } = segment;
  const { problem, offset, seq, hash: found } = await scan(options, header, end);
  const whole = seq === lastSeq && (endHash === undefined || found.compare(endHash) === 0);
  const what = problem ?? (whole ? undefined : "it is not what was written to it");
  return what === undefined ? undefined : damage(options, header, { offset, seq }, what);
}

/** An old segment that nobody has read since the start, and whose successor is gone: its end is where its frames end. */
async function findEnd(options: BackupOptions, header: SegmentHeader): Promise<PinnedSegment> {
  const { offset, counter, seq, hash: endHash, problem } = await scan(options, header, undefined);
  const { id, keyId, bytes: segmentBytes } = header;
  const expected = { segmentId: id, keyId, counter, offset, firstSeq: seq + 1, previousHash: endHash };
  const verdict = await withSegment(options, id, (file) => judgeTail({ file, segmentBytes, expected, zerosNeeded: 1 }));
  if (verdict.kind !== "damaged") return { header, end: offset, endHash, lastSeq: seq };
  throw damage(options, header, { offset: verdict.offset, seq }, `${problem ?? "it does not end"}: ${verdict.reason}`);
}

async function scan(
  options: BackupOptions,
  header: SegmentHeader,
  end: number | undefined,
): ReturnType<typeof scanSegment> {
  const key = options.keyring.segmentKey(header.keyId, header.salt);
  if (key === undefined) {
    throw damage(options, header, scanStart(header), `its data key ${header.keyId} is not in the keyring`);
  }
  const visit = (): void => undefined;
  return withSegment(options, header.id, (file) =>
    scanSegment({ file, header, key, end, thorough: true, visit, windowBytes: PIECE }),
  );
}

async function withSegment<T>(
  { host, directory }: BackupOptions,
  id: number,
  use: (file: DiskFile) => Promise<T>,
): Promise<T> {
  const path = `${directory}/${segmentName(id)}`;
  return step("reading", path, async () => {
    const file = await host.disk.open(path, "read");
    try {
      return await use(file);
    } finally {
      await file.close();
    }
  });
}

function damage(
  { directory }: BackupOptions,
  header: SegmentHeader,
  at: { offset: number; seq: number },
  what: string,
): StorageError {
  const path = `${directory}/${segmentName(header.id)}`;
  return new StorageError(
    "damaged",
    `Segment ${header.id} (${path}) is damaged at byte ${at.offset}, record ${at.seq + 1}: ${what}.`,
    { file: path, segment: header.id, offset: at.offset, seq: at.seq + 1 },
  );
}

/** The keyring and the keys of erasure domains, of one moment: a change of keys under way moves both. */
async function readKeys(options: BackupOptions): Promise<SmallFile[]> {
  for (;;) {
    const before = await readSmallFile(options, KEYRING_FILE);
    const domains: SmallFile[] = [];
    for (const name of ERASURE_FILES) domains.push(...(await readSmallFile(options, name)));
    const after = await readSmallFile(options, KEYRING_FILE);
    if (before[0]?.bytes.equals(after[0]?.bytes ?? NOTHING) !== false) return [...before, ...domains];
  }
}

/** None or one. */
async function readSmallFile({ host, directory }: BackupOptions, name: string): Promise<SmallFile[]> {
  const path = `${directory}/${name}`;
  return step("reading", path, async () => {
    const stat = await host.disk.stat(path);
    if (stat === undefined) return [];
    if (stat.kind !== "file" || stat.size > smallBytesMax(name)) {
      throw new StorageError("configuration", `${path} is not a file of mess. Move it away.`, { file: path });
    }
    const bytes = Buffer.alloc(stat.size);
    const file = await host.disk.open(path, "read");
    try {
      const length = await readAt(file, bytes, 0);
      return [{ name, bytes: bytes.subarray(0, length) }];
    } finally {
      await file.close();
    }
  });
}
