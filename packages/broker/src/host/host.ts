/**
 * The world as the broker sees it: disk, clock, timers, randomness. Everything that is not a function of its
 * inputs comes through here, so that the same code runs on Node (`node-host.ts`) and in a seeded simulation with
 * a faulty disk (`simulated-host.ts`).
 */

/** A failure of the disk, with the errno name where there is one (`EIO`, `ENOSPC`, `EEXIST` ...). */
export interface DiskError {
  readonly code: string;
  readonly message: string;
}

/** Node-style completion; callbacks and not promises because the commit path runs thousands of them a second. */
export type DiskDone<T> = (error: DiskError | undefined, value: T) => void;

/** An open file. Positions and lengths are bytes. */
export interface DiskFile {
  /** Writes all of `bytes` at `position`, or fails: a short write is completed or reported, never passed on. */
  writeAt(bytes: Uint8Array, position: number, done: DiskDone<void>): void;
  /** Reads up to `into.length` bytes; the value is how many were read (less only at the end of the file). */
  readAt(into: Uint8Array, position: number, done: DiskDone<number>): void;
  /** `fdatasync`. After a failure the file must not be synced again (RELIABILITY F8). */
  datasync(done: DiskDone<void>): void;
  close(): Promise<void>;
}

export interface DiskStat {
  readonly kind: "file" | "directory" | "symlink" | "other";
  readonly size: number;
  /** Permission bits, for example 0o600. */
  readonly mode: number;
  readonly uid: number;
  readonly links: number;
}

/** Rejections of all promises here are `DiskError`s. Paths are absolute or relative to the process. */
export interface Disk {
  /** Numeric user the process runs as; absent where files have no owner to compare with. */
  readonly userId?: number;
  /** `create` fails when the file exists. Files are created with mode 0600 whatever the umask. */
  open(path: string, how: "read" | "readwrite" | "create"): Promise<DiskFile>;
  /** `undefined` when there is nothing; does not follow a symbolic link. */
  stat(path: string): Promise<DiskStat | undefined>;
  list(path: string): Promise<string[]>;
  /** Creates one directory, mode 0700; fails when it exists. */
  makeDirectory(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** `fsync` on a directory: entries created, renamed or removed in it are durable afterwards. */
  syncDirectory(path: string): Promise<void>;
  /** Free bytes for an ordinary user on the file system of `path`. */
  freeBytes(path: string): Promise<number>;
  /** Takes the single-writer lock of a directory; `EBUSY` when a living process has it. Ends with the process. */
  lock(path: string): Promise<DirectoryLock>;
}

export interface DirectoryLock {
  release(): Promise<void>;
}

export interface Clock {
  /** Wall-clock milliseconds since 1970; may jump. */
  now(): number;
  /** Milliseconds that never go back; fractions allowed. */
  monotonic(): number;
}

export interface Timer {
  cancel(): void;
}

export interface Timers {
  after(milliseconds: number, run: () => void): Timer;
  /** Runs once the input that is waiting now has been taken (Node: `setImmediate`). */
  soon(run: () => void): void;
  /** Time stands still until a test moves it: what would wait a moment to gather more work goes at once. */
  readonly isStill?: boolean;
}

export interface RandomSource {
  /** `length` bytes from a cryptographic source. */
  bytes(length: number): Uint8Array;
}

export interface Host {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: RandomSource;
}
