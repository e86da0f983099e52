import { type BigIntStats, close, constants, fstat, fsync, open, stat } from "node:fs";

const DIRECTORIES_KEPT = 4;

interface Kept {
  readonly fd: number;
  readonly device: bigint;
  readonly inode: bigint;
}

/**
 * A function that syncs directories and keeps the first few of them open: a journal that goes on to a new segment
 * must not depend on a free descriptor (RELIABILITY F10). Rejects with Node's errors.
 */
export function directorySync(): (path: string) => Promise<void> {
  const kept = new Map<string, Kept>();
  return async (path) => {
    const known = kept.get(path);
    if (known !== undefined && (await isStill(path, known))) return syncFd(known.fd);
    // The old directory is gone, and a descriptor of it would sync nothing of the new one.
    kept.delete(path);
    const fd = await promised<number>((done) => open(path, constants.O_RDONLY | constants.O_DIRECTORY, done));
    if (kept.size < DIRECTORIES_KEPT) {
      const found = await promised<BigIntStats>((done) => fstat(fd, { bigint: true }, done));
      kept.set(path, { fd, device: found.dev, inode: found.ino });
      return syncFd(fd);
    }
    try {
      await syncFd(fd);
    } finally {
      close(fd);
    }
  };
}

async function isStill(path: string, known: Kept): Promise<boolean> {
  const found = await promised<BigIntStats>((done) => stat(path, { bigint: true }, done));
  return found.dev === known.device && found.ino === known.inode;
}

function syncFd(fd: number): Promise<void> {
  return promised<void>((done) => fsync(fd, (error) => done(error, undefined)));
}

function promised<T>(start: (done: (error: NodeJS.ErrnoException | null, value: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => (error === null ? resolve(value) : reject(error)));
  });
}
