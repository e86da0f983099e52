import { createHash, type Hash } from "node:crypto";
import {
  type ArchiveEntry,
  BLOCK,
  decodeEntryHeader,
  FAILED_NAME,
  MANIFEST_NAME,
  type ManifestFile,
  paddingBytes,
  parseManifest,
  type ReadManifest,
  smallBytesMax,
} from "./archive-format.ts";
import { classifyFile, ERASURE_FILES, HEAD_FILE, KEYRING_FILE } from "./file-names.ts";
import { isZero } from "./little-endian.ts";
import { StorageError } from "./storage-error.ts";

/** A manifest names every segment; each takes about 130 bytes. */
const MANIFEST_BYTES_MAX = 256 * 1_024 * 1_024;
const FAILED_BYTES_MAX = 64 * 1_024;
/** Besides segments an archive holds these and no others: a name is never a way out of the directory. */
const smallNames: ReadonlySet<string> = new Set([
  KEYRING_FILE,
  ...ERASURE_FILES,
  HEAD_FILE,
  "ca.pem",
  "ca.key.sealed",
  "server.pem",
  "server.key.sealed",
]);

/** Takes the content of one entry. */
export interface EntrySink {
  write(piece: Buffer, position: number): Promise<void>;
  close(): Promise<void>;
}

export interface ReadArchiveOptions {
  /** For messages: the archive's name. */
  readonly source: string;
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Where an entry's content is to go, if anywhere. */
  readonly open?: (entry: ArchiveEntry) => Promise<EntrySink>;
  /** Bytes read so far. */
  readonly onProgress?: (bytes: number) => void;
}

export interface ReadArchive extends ReadManifest {
  readonly bytes: number;
  readonly keyring: Buffer;
}

/**
 * Reads a whole archive and checks all of it that needs no key: every header byte by byte, every content against the
 * manifest, that nothing is missing and nothing follows. Rejects with a `StorageError`: `damaged`, `configuration` for
 * what is no backup, or what the server said when it could not go on.
 */
export function readArchive(options: ReadArchiveOptions): Promise<ReadArchive> {
  return new ArchiveReading(options).run();
}

class ArchiveReading {
  readonly #options: ReadArchiveOptions;
  readonly #input: ByteInput;
  readonly #files: ManifestFile[] = [];
  #keyring: Buffer | undefined;
  #manifest: ReadManifest | undefined;

  constructor(options: ReadArchiveOptions) {
    this.#options = options;
    this.#input = new ByteInput(options);
  }

  async run(): Promise<ReadArchive> {
    try {
      for (;;) {
        const at = this.#input.position;
        const header = decodeEntryHeader(await this.#input.exactly(BLOCK));
        if (header.kind === "end") return await this.#end(at);
        if (header.kind === "other-version" && at === 0) throw this.#otherVersion(header.version);
        if (header.kind !== "entry")
          throw at === 0 ? this.#noBackup() : this.#damaged("this is no entry of a backup", at);
        await this.#entry(header.entry, at);
      }
    } finally {
      await this.#input.close();
    }
  }

  async #entry(entry: ArchiveEntry, at: number): Promise<void> {
    const { name, bytes } = entry;
    if (this.#manifest !== undefined) throw this.#damaged("an entry follows the manifest", at);
    if (this.#files.some((file) => file.name === name)) throw this.#damaged(`${name} comes twice`, at);
    if (name === MANIFEST_NAME) this.#manifest = await this.#readManifest(bytes, at);
    else if (name === FAILED_NAME) throw await this.#failed(bytes, at);
    else await this.#file(entry, at);
    const padding = await this.#input.exactly(paddingBytes(bytes));
    if (!isZero(padding, 0, padding.length)) throw this.#damaged("the bytes after an entry are not zero", at);
  }

  async #file(entry: ArchiveEntry, at: number): Promise<void> {
    const { name, bytes } = entry;
    const digest = createHash("sha256");
    if (smallNames.has(name) && bytes <= smallBytesMax(name)) {
      const content = await this.#input.exactly(bytes);
      digest.update(content);
      if (name === KEYRING_FILE) this.#keyring = content;
      const sink = await this.#options.open?.(entry);
      await sink?.write(content, 0).finally(() => sink.close());
    } else if (classifyFile(name).kind === "segment") await this.#segment(entry, digest);
    else throw this.#damaged(`${JSON.stringify(name)} is no file of a backup`, at);
    this.#files.push({ name, bytes, sha256: digest.digest("hex") });
  }

  async #segment(entry: ArchiveEntry, digest: Hash): Promise<void> {
    const sink = await this.#options.open?.(entry);
    try {
      for (let done = 0; done < entry.bytes; ) {
        const piece = await this.#input.upTo(entry.bytes - done);
        digest.update(piece);
        await sink?.write(piece, done);
        done += piece.length;
      }
    } finally {
      await sink?.close();
    }
  }

  async #readManifest(bytes: number, at: number): Promise<ReadManifest> {
    if (bytes > MANIFEST_BYTES_MAX) throw this.#damaged("the manifest is too large", at);
    const read = parseManifest(await this.#input.exactly(bytes));
    if (read === undefined) throw this.#damaged("the manifest's checksum is wrong", at);
    const { files } = read.manifest;
    for (const [i, file] of this.#files.entries()) {
      const said = files[i];
      const same = said?.name === file.name && said.bytes === file.bytes && said.sha256 === file.sha256;
      if (!same) throw this.#damaged(`${file.name} is not what was backed up`, at);
    }
    if (files.length !== this.#files.length) throw this.#damaged("entries are missing", at);
    return read;
  }

  async #end(at: number): Promise<ReadArchive> {
    const second = await this.#input.exactly(BLOCK);
    if (!isZero(second, 0, BLOCK)) throw this.#damaged("its end is not zero", at);
    if (this.#manifest === undefined || this.#keyring === undefined) throw this.#damaged("it has no manifest", at);
    if (!(await this.#input.atEnd())) throw this.#damaged("bytes follow its end", this.#input.position);
    return { ...this.#manifest, bytes: this.#input.position, keyring: this.#keyring };
  }

  /** The broker met damage of its own data, and said so in the manifest's place. */
  async #failed(bytes: number, at: number): Promise<StorageError> {
    const said = (await this.#input.exactly(Math.min(bytes, FAILED_BYTES_MAX))).toString("utf8");
    let message: unknown;
    try {
      message = (JSON.parse(said) as { message?: unknown } | null)?.message;
    } catch {
      // The archive is refused either way.
    }
    if (typeof message !== "string") return this.#damaged("it says that it is not whole", at);
    return new StorageError("damaged", `The backup could not be finished: ${message} Run \`mess verify\` on the data.`);
  }

  #damaged(what: string, at: number): StorageError {
    return archiveDamage(this.#options.source, what, at);
  }

  #otherVersion(version: number): StorageError {
    const { source } = this.#options;
    const message = `${source} is a backup of version ${version}, which this mess does not know. Use the mess that made it, or a newer one.`;
    return new StorageError("configuration", message, { file: source });
  }

  #noBackup(): StorageError {
    const { source } = this.#options;
    return new StorageError("configuration", `${source} is not a backup made by \`mess backup\`.`, { file: source });
  }
}

function archiveDamage(source: string, what: string, at: number): StorageError {
  return new StorageError(
    "damaged",
    `The backup ${source} is damaged at byte ${at}: ${what}. Use another copy of it.`,
    {
      file: source,
      offset: at,
    },
  );
}

/** Takes bytes off a stream of chunks. */
class ByteInput {
  readonly #source: string;
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #onProgress: ((bytes: number) => void) | undefined;
  #chunk: Buffer = Buffer.alloc(0);
  position = 0;

  constructor({ source, chunks, onProgress }: ReadArchiveOptions) {
    this.#source = source;
    this.#chunks = chunks[Symbol.asyncIterator]();
    this.#onProgress = onProgress;
  }

  /** At least one byte, at most so many. */
  async upTo(length: number): Promise<Buffer> {
    if (await this.atEnd()) throw archiveDamage(this.#source, "it was cut off here", this.position);
    const taken = this.#chunk.subarray(0, length);
    this.#chunk = this.#chunk.subarray(taken.length);
    this.position += taken.length;
    this.#onProgress?.(this.position);
    return taken;
  }

  async exactly(length: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    let left = length;
    while (left > 0) {
      const part = await this.upTo(left);
      parts.push(part);
      left -= part.length;
    }
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
  }

  async atEnd(): Promise<boolean> {
    while (this.#chunk.length === 0) {
      const next = await this.#chunks.next();
      if (next.done === true) return true;
      this.#chunk = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.length);
    }
    return false;
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}
