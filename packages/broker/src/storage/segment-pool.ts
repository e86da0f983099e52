import type { DiskFile, Host } from "../host/host.ts";
import { datasync, readAt, step, writeAt } from "./disk-io.ts";
import { classifyFile, spareName } from "./file-names.ts";
import { isZero } from "./little-endian.ts";

/** Zeros are written and synced in pieces, so that a commit's sync never waits behind a whole segment. */
const PIECE = 1_024 * 1_024;
/** One is made ahead; a dropped segment's file may be the second. */
const SPARES_MAX = 2;

/** A file of zeros that are on disk, still under a spare's name. */
export interface ZeroedFile {
  readonly path: string;
  readonly bytes: number;
  readonly file: DiskFile;
}

export interface PoolOptions {
  readonly host: Host;
  readonly directory: string;
  readonly segmentBytes: number;
  /** May the pool take so many bytes more for a spare? */
  readonly mayGrow: (bytes: number) => boolean;
}

/**
 * Files for segments to come. They are filled with written zeros, because only then is a commit's sync a pure data
 * flush (NODE-LIMITS section 3), and because recovery must know what an unwritten sector looks like.
 */
export class SegmentPool {
  readonly #options: PoolOptions;
  readonly #spares: ZeroedFile[] = [];
  /** Spare of an earlier process, not looked at yet. */
  #found: string | undefined;
  #working: Promise<void> | undefined;
  #number = 0;
  #bytes = 0;
  #closing = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** Disk space of spares, bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes over what an earlier process left: one whole spare is kept for `prepare`, the rest removed. */
  async adopt(names: readonly string[]): Promise<void> {
    const { host, directory, segmentBytes } = this.#options;
    for (const name of names) {
      const kind = classifyFile(name);
      if (kind.kind !== "spare") continue;
      this.#number = Math.max(this.#number, Number(name.slice(6, 16)));
      const path = `${directory}/${name}`;
      const stat = await step("looking at", path, () => host.disk.stat(path));
      const whole = kind.zeroed && stat?.kind === "file" && stat.links === 1 && stat.size === segmentBytes;
      if (whole && this.#found === undefined) this.#found = path;
      else await step("removing", path, () => host.disk.remove(path));
    }
    if (this.#found !== undefined) this.#bytes += segmentBytes;
  }

  /** Rot in a spare must not look like a torn frame later, so all of it is read once. */
  async #adopt(path: string): Promise<void> {
    const { host, segmentBytes } = this.#options;
    const file = await host.disk.open(path, "readwrite");
    if (await fileIsZero(file, segmentBytes)) {
      this.#spares.push({ path, bytes: segmentBytes, file });
      return;
    }
    await file.close();
    await host.disk.remove(path);
    this.#bytes -= segmentBytes;
  }

  /** Gets a spare ready in the background, if there is none. Failures show when one is needed. */
  prepare(): void {
    const { segmentBytes, mayGrow } = this.#options;
    if (this.#spares.length > 0 || this.#working !== undefined || this.#closing) return;
    const found = this.#found;
    if (found !== undefined) {
      this.#found = undefined;
      this.#run(() => this.#adopt(found));
      return;
    }
    if (!mayGrow(segmentBytes)) return;
    this.#run(async () => {
      this.#spares.push(await this.#make(segmentBytes));
    });
  }

  /** The file of a dropped segment, under its old name: becomes a spare, or goes. */
  recycle(path: string, bytes: number): Promise<void> {
    const { host, directory, segmentBytes } = this.#options;
    const wanted = this.#spares.length < SPARES_MAX && this.#working === undefined && !this.#closing;
    if (!wanted || bytes !== segmentBytes) {
      return step("removing", path, async () => {
        await host.disk.remove(path);
        await host.disk.syncDirectory(directory);
      });
    }
    const zeroing = `${directory}/${spareName(++this.#number, "zeroing")}`;
    this.#bytes += bytes;
    this.#run(async () => {
      await host.disk.rename(path, zeroing);
      await host.disk.syncDirectory(directory);
      const file = await host.disk.open(zeroing, "readwrite");
      this.#spares.push(await this.#zero(zeroing, file, bytes));
    });
    return Promise.resolve();
  }

  /** A file of at least `bytes`: the spare, or one made now. Rejects with what the disk said. */
  async take(bytes: number): Promise<ZeroedFile> {
    const { segmentBytes } = this.#options;
    if (bytes > segmentBytes) return this.makeNow(bytes);
    if (this.#spares.length === 0) await this.#working;
    const spare = this.#spares.shift();
    if (spare === undefined) return this.makeNow(segmentBytes);
    this.#bytes -= spare.bytes;
    return spare;
  }

  /** A file of exactly `bytes`, made while the caller waits. */
  async makeNow(bytes: number): Promise<ZeroedFile> {
    const made = await this.#make(bytes);
    this.#bytes -= bytes;
    return made;
  }

  /** Stops the background work and closes the spares, one of which stays for the next start. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#working;
    for (const spare of this.#spares.splice(0)) await spare.file.close();
  }

  #run(work: () => Promise<void>): void {
    this.#working = work()
      .catch(() => {
        // A later `take` meets the same disk and reports it.
      })
      .finally(() => {
        this.#working = undefined;
      });
  }

  async #make(bytes: number): Promise<ZeroedFile> {
    const { host, directory } = this.#options;
    const path = `${directory}/${spareName(++this.#number, "zeroing")}`;
    const file = await host.disk.open(path, "create");
    this.#bytes += bytes;
    try {
      return await this.#zero(path, file, bytes);
    } catch (error) {
      this.#bytes -= bytes;
      await file.close();
      await host.disk.remove(path);
      throw error;
    }
  }

  async #zero(path: string, file: DiskFile, bytes: number): Promise<ZeroedFile> {
    const { host, directory } = this.#options;
    for (let at = 0; at < bytes; at += PIECE) {
      if (this.#closing) throw new Error("the journal is closing");
      await writeAt(file, zeroPiece().subarray(0, Math.min(PIECE, bytes - at)), at);
      await datasync(file);
    }
    const zeroed = path.replace(/zeroing$/, "zeroed");
    await host.disk.rename(path, zeroed);
    await host.disk.syncDirectory(directory);
    return { path: zeroed, bytes, file };
  }
}

let piece: Buffer | undefined;

function zeroPiece(): Buffer {
  piece ??= Buffer.alloc(PIECE);
  return piece;
}

async function fileIsZero(file: DiskFile, bytes: number): Promise<boolean> {
  const window = Buffer.allocUnsafe(PIECE);
  for (let at = 0; at < bytes; at += PIECE) {
    const length = Math.min(PIECE, bytes - at);
    if ((await readAt(file, window, at)) < length || !isZero(window, 0, length)) return false;
  }
  return true;
}
