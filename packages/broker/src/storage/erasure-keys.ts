import type { KeyObject } from "node:crypto";
import { crc32 } from "node:zlib";
import type { DiskFile, Host } from "../host/host.ts";
import { checkFile } from "./data-directory.ts";
import { datasync, readAt, step, writeAt } from "./disk-io.ts";
import { ERASURE_FILES, type ErasureFile } from "./file-names.ts";
import { isZero } from "./little-endian.ts";
import { openSecret, sealSecret } from "./secret-box.ts";
import { StorageError } from "./storage-error.ts";

const SLOT = 64;
const KEY_BYTES = 32;
const CRC_AT = 60;
/** Never zero: a slot whose last byte is zero was not written to its end. */
const END_MARK = 0xa5;
const READ_PIECE = 64 * 1_024;
/** Number of a domain in a section, u32. */
const DOMAIN_MAX: number = 2 ** 32 - 1;

export interface ErasureKeysOptions {
  readonly host: Host;
  readonly directory: string;
  /** 16 bytes. */
  readonly journalId: Buffer;
  /** Wraps the keys of all domains; it is in the keyring. */
  readonly wrap: KeyObject;
  readonly file: ErasureFile;
  /** Resolves when that key is on disk: before the first key is wrapped by it. */
  readonly keepWrap: () => Promise<void>;
}

/** `undefined`: the slot is damaged. `none`: never made, or destroyed: what it sealed is gone. */
export type DomainKey = Buffer | "none" | undefined;

/**
 * The keys of erasure domains, each in a slot of 64 bytes of a file that is written in place, so that a destroyed key is
 * gone from the file. A slot is on disk before a frame that it seals, and zeros are on disk before an erasure is told.
 * A slot that was torn reads as none: its first byte is zero (a destruction) or its last one (a key nothing was sealed
 * with yet).
 */
export class ErasureKeys {
  readonly #options: ErasureKeysOptions;
  #wrap: KeyObject;
  #file: ErasureFile;
  readonly #keys: Map<number, Buffer> = new Map();
  /** Slots that are neither a key nor none, as they are. */
  readonly #damaged: Map<number, Buffer> = new Map();
  #fresh: number[] = [];
  #working: Promise<void> = Promise.resolve();

  private constructor(options: ErasureKeysOptions) {
    this.#options = options;
    this.#wrap = options.wrap;
    this.#file = options.file;
  }

  /** Reads the file; none is the same as an empty one. Rejects with a `StorageError`. */
  static async open(options: ErasureKeysOptions): Promise<ErasureKeys> {
    const keys = new ErasureKeys(options);
    await keys.#load();
    return keys;
  }

  get #path(): string {
    return this.#pathOf(this.#file);
  }

  #pathOf(file: ErasureFile): string {
    return `${this.#options.directory}/${file}`;
  }

  /** How many keys there are. */
  get size(): number {
    return this.#keys.size;
  }

  get(domain: number): DomainKey {
    return this.#keys.get(domain) ?? (this.#damaged.has(domain) ? undefined : "none");
  }

  /** Throws a `StorageError` when the key of one of these is not there. */
  require(domains: readonly number[]): void {
    const missing = domains.find((domain) => !this.#keys.has(domain));
    if (missing === undefined) return;
    const message =
      `The key of erasure domain ${missing} is not in ${this.#path}, and nobody erased it. Its messages cannot be read. ` +
      "Restore this file from a backup.";
    throw new StorageError("damaged", message, { file: this.#path, domain: missing });
  }

  /** Makes keys for those domains that have none; `flush` has to follow before anything they seal is written. */
  ensure(domains: Iterable<number>): void {
    for (const domain of domains) {
      if (!(domain >= 1 && domain <= DOMAIN_MAX))
        throw new RangeError(`${domain} is not the number of an erasure domain`);
      if (this.#keys.has(domain)) continue;
      this.#keys.set(domain, Buffer.from(this.#options.host.random.bytes(KEY_BYTES)));
      this.#fresh.push(domain);
    }
  }

  /** Keys were made that are not on disk. */
  get needsFlush(): boolean {
    return this.#fresh.length > 0;
  }

  /** Resolves when all keys are on disk. */
  flush(): Promise<void> {
    const fresh = this.#fresh;
    this.#fresh = [];
    return this.#write(fresh);
  }

  /** Resolves when the keys are gone from memory and from the file. Doing it again changes nothing. */
  destroy(domains: readonly number[]): Promise<void> {
    const known = domains.filter((domain) => this.get(domain) !== "none");
    for (const domain of known) {
      this.#keys.get(domain)?.fill(0);
      this.#keys.delete(domain);
      this.#damaged.delete(domain);
    }
    return this.#write(known);
  }

  /**
   * Wraps all keys by another one, in the other file; `commit` makes the keyring name both. The old file goes then: with the
   * key it was wrapped by, what was destroyed in it is out of reach, whatever copies of its bytes there are.
   */
  move(wrap: KeyObject, commit: (file: ErasureFile) => Promise<void>): Promise<void> {
    return this.#serially(async () => {
      const from = this.#path;
      const to = ERASURE_FILES.find((file) => file !== this.#file) ?? this.#file;
      await this.#writeAll(this.#pathOf(to), wrap);
      await commit(to);
      this.#wrap = wrap;
      this.#file = to;
      await this.#remove(from);
    });
  }

  /** What the slots of these domains are to be by now. */
  #write(domains: readonly number[]): Promise<void> {
    if (domains.length === 0) return this.#working;
    return this.#serially(() =>
      step("writing", this.#path, async () => {
        const file = await this.#openFile();
        try {
          for (const domain of domains) await writeAt(file, this.#slot(domain, this.#wrap), placeOf(domain));
          await datasync(file);
        } finally {
          await file.close();
        }
      }),
    );
  }

  #serially(work: () => Promise<void>): Promise<void> {
    const done = this.#working.then(work);
    this.#working = done.catch(() => undefined);
    return done;
  }

  async #writeAll(path: string, wrap: KeyObject): Promise<void> {
    const { host, directory } = this.#options;
    // Of a move that was interrupted before the keyring knew of it.
    await this.#remove(path);
    await step("writing", path, async () => {
      const file = await host.disk.open(path, "create");
      try {
        for (const domain of [...this.#keys.keys(), ...this.#damaged.keys()])
          await writeAt(file, this.#slot(domain, wrap), placeOf(domain));
        await datasync(file);
      } finally {
        await file.close();
      }
      await host.disk.syncDirectory(directory);
    });
  }

  async #remove(path: string): Promise<void> {
    const { host, directory } = this.#options;
    await step("removing", path, async () => {
      if ((await host.disk.stat(path)) === undefined) return;
      await host.disk.remove(path);
      await host.disk.syncDirectory(directory);
    });
  }

  async #openFile(): Promise<DiskFile> {
    const { disk } = this.#options.host;
    if ((await disk.stat(this.#path)) !== undefined) return disk.open(this.#path, "readwrite");
    await this.#options.keepWrap();
    const file = await disk.open(this.#path, "create");
    await disk.syncDirectory(this.#options.directory);
    return file;
  }

  #slot(domain: number, wrap: KeyObject): Buffer {
    const { host, journalId } = this.#options;
    const key = this.#keys.get(domain);
    if (key === undefined) return this.#damaged.get(domain) ?? Buffer.alloc(SLOT);
    const slot = Buffer.alloc(SLOT);
    const sealed = sealSecret(wrap, key, contextOf(journalId, domain), firstByteSet(host.random));
    // Without its version byte, which has no room here.
    sealed.copy(slot, 0, 1);
    writeSum(slot);
    return slot;
  }

  async #load(): Promise<void> {
    const { host } = this.#options;
    if ((await step("looking at", this.#path, () => host.disk.stat(this.#path))) === undefined) return;
    const { size } = await checkFile(host, this.#path);
    await step("reading", this.#path, async () => {
      const file = await host.disk.open(this.#path, "read");
      const piece = Buffer.alloc(READ_PIECE);
      try {
        for (let at = 0; at < size; at += READ_PIECE) {
          const length = await readAt(file, piece, at);
          // The last write of the file may have been cut short.
          piece.fill(0, length);
          for (let slot = 0; slot < length; slot += SLOT)
            this.#take((at + slot) / SLOT + 1, piece.subarray(slot, slot + SLOT));
        }
      } finally {
        await file.close();
      }
    });
  }

  #take(domain: number, slot: Buffer): void {
    if (isZero(slot, 0, SLOT)) return;
    const sum = Buffer.from(slot);
    writeSum(sum);
    if (!sum.equals(slot)) {
      const isTorn = slot[0] === 0 || slot[SLOT - 1] === 0;
      if (!isTorn) this.#damaged.set(domain, Buffer.from(slot));
      return;
    }
    const sealed = Buffer.concat([Buffer.of(1), slot.subarray(0, CRC_AT)]);
    const key = openSecret(this.#wrap, sealed, contextOf(this.#options.journalId, domain));
    if (key === undefined) this.#damaged.set(domain, Buffer.from(slot));
    else this.#keys.set(domain, key);
  }
}

/** Where the slot of a domain begins. */
function placeOf(domain: number): number {
  return (domain - 1) * SLOT;
}

function contextOf(journalId: Buffer, domain: number): Buffer {
  return Buffer.concat([Buffer.from("mess/domain-key/v1\0"), journalId, Buffer.from(String(domain))]);
}

/** The nonce comes first in a slot, and its first byte must not be zero, nor one bit away from it. */
function firstByteSet(random: Host["random"]): Host["random"] {
  return {
    bytes: (length) => {
      const bytes = random.bytes(length);
      bytes[0] = (bytes[0] ?? 0) | 0x81;
      return bytes;
    },
  };
}

function writeSum(slot: Buffer): void {
  const sum = crc32(slot.subarray(0, CRC_AT));
  slot.writeUIntLE(sum & 0xff_ffff, CRC_AT, 3);
  slot[SLOT - 1] = END_MARK;
}
