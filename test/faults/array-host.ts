import type { Disk, DiskDone, DiskFile, Host } from "../../packages/broker/src/host/host.ts";

const refused = { code: "EROFS", message: "this disk is read only" };
const wrote = (): Promise<never> => Promise.reject(refused);

/** Files in memory that answer at once and cannot be written: for looking at the same few files very often. */
export function arrayHost(host: Host, files: ReadonlyMap<string, Buffer>): Host {
  const stat: Disk["stat"] = (path) => {
    const bytes = files.get(path);
    const isDirectory = bytes === undefined && [...files.keys()].some((name) => name.startsWith(`${path}/`));
    if (bytes === undefined && !isDirectory) return Promise.resolve(undefined);
    const common = { uid: 0, links: 1, size: bytes?.length ?? 0 };
    return Promise.resolve(
      isDirectory ? { ...common, kind: "directory", mode: 0o700 } : { ...common, kind: "file", mode: 0o600 },
    );
  };
  const disk: Disk = {
    userId: 0,
    stat,
    open: (path, how) => {
      const bytes = files.get(path);
      if (bytes === undefined || how === "create") return wrote();
      return Promise.resolve(new ArrayFile(bytes));
    },
    list: (path) =>
      Promise.resolve(
        [...files.keys()].filter((name) => name.startsWith(`${path}/`)).map((name) => name.slice(path.length + 1)),
      ),
    makeDirectory: wrote,
    rename: wrote,
    remove: wrote,
    syncDirectory: wrote,
    freeBytes: () => Promise.resolve(0),
    lock: () => Promise.resolve({ release: () => Promise.resolve() }),
  };
  return { ...host, disk };
}

class ArrayFile implements DiskFile {
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  writeAt(_bytes: Uint8Array, _position: number, done: DiskDone<void>): void {
    done(refused, undefined);
  }

  readAt(into: Uint8Array, position: number, done: DiskDone<number>): void {
    const part = this.#bytes.subarray(position, position + into.length);
    into.set(part);
    done(undefined, part.length);
  }

  datasync(done: DiskDone<void>): void {
    done(refused, undefined);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
