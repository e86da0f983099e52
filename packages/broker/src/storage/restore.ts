import type { DirectoryLock, DiskFile, Host } from "../host/host.ts";
import { type ArchiveEntry, SEAL_PURPOSE } from "./archive-format.ts";
import { type EntrySink, type ReadArchive, readArchive } from "./archive-reader.ts";
import { checkDirectory, lockDirectory, makeOrCheckDirectory } from "./data-directory.ts";
import { datasync, errorCode, step, writeAt } from "./disk-io.ts";
import { classifyFile, RESTORE_MARK } from "./file-names.ts";
import { keyringFromBytes } from "./keyring.ts";
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES } from "./segment-header.ts";
import { StorageError } from "./storage-error.ts";
import { type VerifyReport, verifyJournal } from "./verify.ts";

/** What an empty directory may hold all the same: the lock's socket, and what a file system puts into its root. */
const ignoredNames: ReadonlySet<string> = new Set(["lock.sock", "lost+found"]);

export interface RestoreOptions {
  readonly host: Host;
  /** For messages: the archive's name. */
  readonly source: string;
  /** The archive from its beginning; asked for twice. */
  readonly open: () => AsyncIterable<Uint8Array>;
  /** Empty, or not there yet. */
  readonly directory: string;
  /** Asked for once the archive is known to be whole. 32 bytes. */
  readonly loadKek: () => Promise<Uint8Array>;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface RestoreReport extends VerifyReport {
  /** When the backup was made, wall-clock milliseconds. */
  readonly madeAt: number;
}

/**
 * Puts a backup into an empty directory. The whole archive is checked before anything is written, with its seal, and the
 * journal is verified after. Until then the directory bears a mark by which a broker refuses it. Whatever goes wrong, what
 * was written is removed again. Rejects with a `StorageError`.
 */
export async function restoreBackup(options: RestoreOptions): Promise<RestoreReport> {
  const { host, directory } = options;
  await mustBeEmpty(host, directory);
  const archive = await check(options);
  const kek = await options.loadKek();
  checkSeal(options, archive, kek);
  await makeDirectory(host, directory, archive.bytes);
  const lock = await lockDirectory(host, directory);
  const written: string[] = [];
  try {
    await mustBeEmpty(host, directory);
    await write(options, archive, written);
    await lock.release();
    const report = await verified(options, kek);
    await step("removing", directory, () => host.disk.remove(`${directory}/${RESTORE_MARK}`));
    await step("syncing", directory, () => host.disk.syncDirectory(directory));
    return { ...report, madeAt: archive.manifest.madeAt };
  } catch (error) {
    await takeBack(host, lock, written);
    throw error;
  }
}

function check(options: RestoreOptions): Promise<ReadArchive> {
  return readArchive({ source: options.source, chunks: options.open() });
}

/** Whoever can write to the archive can make its sums right; only the broker that made it could seal them. */
function checkSeal({ host, source }: RestoreOptions, archive: ReadArchive, kek: Uint8Array): void {
  const keyring = keyringFromBytes({ host, directory: source, kek }, archive.keyring);
  const digest = keyring.box.open(archive.seal, SEAL_PURPOSE);
  if (digest?.compare(archive.digest) === 0) return;
  throw new StorageError("damaged", `The backup ${source} was changed after it was made: its seal does not fit.`, {
    file: source,
  });
}

async function mustBeEmpty(host: Host, directory: string): Promise<void> {
  const stat = await step("looking at", directory, () => host.disk.stat(directory));
  if (stat === undefined) return;
  await checkDirectory(host, directory);
  const names = await step("listing", directory, () => host.disk.list(directory));
  const found = names.find((name) => !ignoredNames.has(name));
  if (found === undefined) return;
  const what = found === RESTORE_MARK || names.includes(RESTORE_MARK) ? "an unfinished restore" : `files (${found})`;
  throw new StorageError(
    "configuration",
    `${directory} holds ${what}, and a restore overwrites nothing. Name an empty directory, or move that one away.`,
    { file: `${directory}/${found}` },
  );
}

async function makeDirectory(host: Host, directory: string, needed: number): Promise<void> {
  await step("making", directory, async () => {
    await makeOrCheckDirectory(host, directory);
    const free = await host.disk.freeBytes(directory);
    if (free >= needed) return;
    throw new StorageError("io", `The restore needs ${needed} bytes, and the file system of ${directory} has ${free}.`);
  });
}

async function write(options: RestoreOptions, archive: ReadArchive, written: string[]): Promise<void> {
  const { host, directory, source, onProgress } = options;
  const create = async (name: string): Promise<DiskFile> => {
    const path = `${directory}/${name}`;
    const file = await step("making", path, () => host.disk.open(path, "create"));
    written.push(path);
    return file;
  };
  const mark = await create(RESTORE_MARK);
  await mark.close();
  await step("syncing", directory, () => host.disk.syncDirectory(directory));
  const again = await readArchive({
    source,
    chunks: options.open(),
    open: async (entry) => new FileSink(await create(entry.name), entry, `${directory}/${entry.name}`),
    onProgress: (bytes) => onProgress?.(bytes, archive.bytes),
  });
  if (again.digest.compare(archive.digest) !== 0) {
    throw new StorageError("damaged", `The backup ${source} changed while it was read.`, { file: source });
  }
  await step("syncing", directory, () => host.disk.syncDirectory(directory));
}

class FileSink implements EntrySink {
  readonly #file: DiskFile;
  readonly #entry: ArchiveEntry;
  readonly #path: string;
  /** The whole size of the segment, of which the archive holds what was used. */
  #bytes: number;
  #head: Buffer = Buffer.alloc(0);

  constructor(file: DiskFile, entry: ArchiveEntry, path: string) {
    this.#file = file;
    this.#entry = entry;
    this.#path = path;
    this.#bytes = entry.bytes;
  }

  async write(piece: Buffer, position: number): Promise<void> {
    if (position < SEGMENT_HEADER_BYTES && classifyFile(this.#entry.name).kind === "segment") this.#readHeader(piece);
    await step("writing", this.#path, () => writeAt(this.#file, piece, position));
  }

  #readHeader(piece: Buffer): void {
    this.#head = Buffer.concat([this.#head, piece.subarray(0, SEGMENT_HEADER_BYTES - this.#head.length)]);
    if (this.#head.length < SEGMENT_HEADER_BYTES) return;
    const decoded = decodeSegmentHeader(this.#head);
    // One that does not decode is found by the verification, with its place.
    if (decoded.ok) this.#bytes = Math.max(decoded.header.bytes, this.#entry.bytes);
  }

  async close(): Promise<void> {
    await step("writing", this.#path, async () => {
      try {
        // The file has the size that its header says; the bytes between are zeros that take no room.
        if (this.#bytes > this.#entry.bytes) await writeAt(this.#file, Buffer.alloc(1), this.#bytes - 1);
        await datasync(this.#file);
      } finally {
        await this.#file.close();
      }
    });
  }
}

async function verified({ host, directory }: RestoreOptions, kek: Uint8Array): Promise<VerifyReport> {
  const report = await verifyJournal({ host, directory, kek });
  const { problem } = report;
  if (problem === undefined) return report;
  const message = `What was restored is damaged: ${problem.file}, byte ${problem.offset}, record ${problem.seq}: ${problem.reason}.`;
  throw new StorageError("damaged", message, { ...problem });
}

/** Best effort: the first failure is the news. The mark goes last. */
async function takeBack(host: Host, lock: DirectoryLock, written: readonly string[]): Promise<void> {
  await lock.release();
  for (const path of written.toReversed()) {
    await host.disk.remove(path).catch((error: unknown) => {
      if (errorCode(error) === "") throw error;
    });
  }
}
