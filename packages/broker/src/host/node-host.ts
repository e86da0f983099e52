import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { constants } from "node:fs";
import { chmod, lstat, mkdir, readdir, rename, statfs, unlink } from "node:fs/promises";
import type { Disk, DiskDone, DiskError, DiskFile, DiskStat, Host, Timer } from "./host.ts";
import { directorySync } from "./node-directory-sync.ts";
import { lockDirectory } from "./node-lock.ts";

const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/** Writes up to this size are made at once. */
const QUICK_WRITE_BYTES = 16 * 1_024;
/** One that takes longer shows a disk in trouble: for a while all go through the thread pool. */
const SLOW_WRITE_MS = 2;
const SLOW_FOR_MS = 10_000;

const openFlags = {
  read: constants.O_RDONLY | constants.O_NOFOLLOW,
  readwrite: constants.O_RDWR | constants.O_NOFOLLOW,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
} as const;

function diskError(error: NodeJS.ErrnoException): DiskError {
  return { code: error.code ?? "EUNKNOWN", message: error.message };
}

/** Runs a promise of `node:fs`; what it rejects with becomes a `DiskError`. */
async function run<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    throw diskError(error as NodeJS.ErrnoException);
  }
}

class NodeFile implements DiskFile {
  readonly #fd: number;
  #syncFailed = false;
  /** Monotonic time until when small writes go through the thread pool too, since one kept the process waiting. */
  #slowUntil = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /**
   * A small write into the page cache takes microseconds, a way through the thread pool fifty of them (ADR 0015): it is
   * made at once, unless such a write was slow not long ago.
   */
  writeAt(bytes: Uint8Array, position: number, done: DiskDone<void>): void {
    if (bytes.length <= QUICK_WRITE_BYTES && performance.now() >= this.#slowUntil)
      this.#writeNow(bytes, position, done);
    else this.#writeLater(bytes, position, done);
  }

  #writeNow(bytes: Uint8Array, position: number, done: DiskDone<void>): void {
    const began = performance.now();
    let written: number;
    try {
      written = fs.writeSync(this.#fd, bytes, 0, bytes.length, position);
    } catch (error) {
      process.nextTick(done, diskError(error as NodeJS.ErrnoException), undefined);
      return;
    }
    const ended = performance.now();
    if (ended - began > SLOW_WRITE_MS) this.#slowUntil = ended + SLOW_FOR_MS;
    if (written === bytes.length) process.nextTick(done, undefined, undefined);
    else this.#writeLater(bytes.subarray(written), position + written, done);
  }

  #writeLater(bytes: Uint8Array, position: number, done: DiskDone<void>): void {
    fs.write(this.#fd, bytes, 0, bytes.length, position, (error, written) => {
      if (error !== null) done(diskError(error), undefined);
      else if (written === bytes.length) done(undefined, undefined);
      else if (written === 0) done({ code: "EIO", message: "the disk took no bytes" }, undefined);
      else this.#writeLater(bytes.subarray(written), position + written, done);
    });
  }

  readAt(into: Uint8Array, position: number, done: DiskDone<number>): void {
    this.#read(into, position, 0, done);
  }

  #read(into: Uint8Array, position: number, already: number, done: DiskDone<number>): void {
    fs.read(this.#fd, into, already, into.length - already, position + already, (error, count) => {
      const total = already + count;
      if (error !== null) done(diskError(error), already);
      else if (count === 0 || total === into.length) done(undefined, total);
      else this.#read(into, position, total, done);
    });
  }

  datasync(done: DiskDone<void>): void {
    if (this.#syncFailed) {
      // The kernel reports a lost page once; a second call would lie (RELIABILITY F8).
      setImmediate(done, { code: "EIO", message: "an earlier sync of this file failed" }, undefined);
      return;
    }
    fs.fdatasync(this.#fd, (error) => {
      this.#syncFailed = error !== null;
      done(error === null ? undefined : diskError(error), undefined);
    });
  }

  close(): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.close(this.#fd, (error) => {
        if (error) reject(diskError(error));
        else resolve();
      });
    });
  }
}

function openFile(path: string, how: keyof typeof openFlags): Promise<DiskFile> {
  return new Promise((resolve, reject) => {
    fs.open(path, openFlags[how], FILE_MODE, (error, fd) => {
      if (error !== null) {
        reject(diskError(error));
        return;
      }
      if (how !== "create") {
        resolve(new NodeFile(fd));
        return;
      }
      // A umask can only take bits away; one that takes the owner's would make a file nobody can reopen.
      fs.fchmod(fd, FILE_MODE, (failed) => {
        if (failed === null) resolve(new NodeFile(fd));
        else fs.close(fd, () => reject(diskError(failed)));
      });
    });
  });
}

async function stat(path: string): Promise<DiskStat | undefined> {
  try {
    const { mode, size, uid, nlink, ...of } = await lstat(path).then((found) => ({
      mode: found.mode,
      size: found.size,
      uid: found.uid,
      nlink: found.nlink,
      kind: kindOf(found),
    }));
    return { kind: of.kind, size, mode: mode & 0o7777, uid, links: nlink };
  } catch (error) {
    const failed = diskError(error as NodeJS.ErrnoException);
    if (failed.code === "ENOENT") return undefined;
    throw failed;
  }
}

function kindOf(found: fs.Stats): DiskStat["kind"] {
  if (found.isFile()) return "file";
  if (found.isDirectory()) return "directory";
  return found.isSymbolicLink() ? "symlink" : "other";
}

async function makeDirectory(path: string): Promise<void> {
  await run(mkdir(path, { mode: DIRECTORY_MODE }));
  await run(chmod(path, DIRECTORY_MODE));
}

async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await run(statfs(path));
  return bavail * bsize;
}

function nodeDisk(): Disk {
  const syncDirectory = directorySync();
  const userId = process.getuid?.();
  return {
    ...(userId === undefined ? {} : { userId }),
    open: openFile,
    stat,
    list: (path) => run(readdir(path)),
    makeDirectory,
    rename: (from, to) => run(rename(from, to)),
    remove: (path) => run(unlink(path)),
    syncDirectory: (path) => run(syncDirectory(path)),
    freeBytes,
    lock: (path) => run(lockDirectory(path)),
  };
}

function after(milliseconds: number, callback: () => void): Timer {
  const timer = setTimeout(callback, milliseconds);
  return { cancel: () => clearTimeout(timer) };
}

/** The real world: `node:fs`, the machine's clocks and timers, the kernel's random numbers. */
export function nodeHost(): Host {
  return {
    disk: nodeDisk(),
    clock: { now: () => Date.now(), monotonic: () => performance.now() },
    timers: { after, soon: (callback) => void setImmediate(callback) },
    random: { bytes: (length) => randomBytes(length) },
  };
}
