import type { DirectoryLock, DiskStat, Host } from "../host/host.ts";
import { errorCode, ioError, step } from "./disk-io.ts";
import { classifyFile, KEYRING_FILE, RESTORE_MARK } from "./file-names.ts";
import { StorageError } from "./storage-error.ts";

/** A data directory that is ours alone, checked and locked. */
export interface DataDirectory {
  readonly path: string;
  /** It was made by this call. */
  readonly created: boolean;
  /** It holds a journal or the keyring of one: neither keys nor a keyring may be made anew. */
  readonly hasJournal: boolean;
  readonly lock: DirectoryLock;
}

/** Makes or checks the directory (THREATS A9) and takes its lock (C3). Rejects with a `StorageError`. */
export async function claimDirectory(options: { host: Host; directory: string }): Promise<DataDirectory> {
  const { host, directory } = options;
  const created = await makeOrCheckDirectory(host, directory);
  const lock = await lockDirectory(host, directory);
  try {
    const names = await step("listing", directory, () => host.disk.list(directory));
    if (names.includes(RESTORE_MARK)) {
      const message = `A restore into ${directory} did not finish. Remove the directory, and restore again.`;
      throw new StorageError("configuration", message, { file: `${directory}/${RESTORE_MARK}` });
    }
    const hasJournal = names.some((name) => name === KEYRING_FILE || classifyFile(name).kind === "segment");
    return { path: directory, created, hasJournal, lock };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Checks an existing directory and rejects when there is none. */
export async function checkDirectory(host: Host, directory: string): Promise<void> {
  const stat = await step("looking at", directory, () => host.disk.stat(directory));
  if (stat === undefined) {
    throw new StorageError("configuration", `There is no data directory ${directory}.`, { file: directory });
  }
  refuseUnsafe(host, directory, stat, "directory");
}

/** Refuses a file of the journal that others could read, change or have put there. */
export async function checkFile(host: Host, path: string): Promise<DiskStat> {
  const stat = await step("looking at", path, () => host.disk.stat(path));
  if (stat === undefined) throw new StorageError("damaged", `The file ${path} is missing.`, { file: path });
  refuseUnsafe(host, path, stat, "file");
  return stat;
}

export async function lockDirectory(host: Host, directory: string): Promise<DirectoryLock> {
  try {
    return await host.disk.lock(directory);
  } catch (error) {
    if (errorCode(error) !== "EBUSY") throw ioError("locking", directory, error);
    const message = `The data directory ${directory} is in use by another process. Stop that one, or name another directory.`;
    throw new StorageError("in-use", message, { file: directory });
  }
}

/** True when it was made; durable either way. */
export async function makeOrCheckDirectory(host: Host, directory: string): Promise<boolean> {
  const stat = await step("looking at", directory, () => host.disk.stat(directory));
  if (stat !== undefined) {
    refuseUnsafe(host, directory, stat, "directory");
    // Whoever made it may have been killed before this; without it a power cut takes the whole directory.
    await step("syncing", parentOf(directory), () => host.disk.syncDirectory(parentOf(directory)));
    return false;
  }
  await step("making", directory, async () => {
    await host.disk.makeDirectory(directory);
    await host.disk.syncDirectory(parentOf(directory));
  });
  return true;
}

function parentOf(path: string): string {
  const at = path.replace(/(?<!\/)\/+$/, "").lastIndexOf("/");
  return at < 0 ? "." : at === 0 ? "/" : path.slice(0, at);
}

function refuseUnsafe(host: Host, path: string, stat: DiskStat, kind: "directory" | "file"): void {
  const refuse = (what: string, mend: string): never => {
    throw new StorageError("configuration", `${path} ${what}. ${mend}`, { file: path });
  };
  if (stat.kind !== kind) refuse(`is a ${stat.kind}, not a ${kind}`, `Put the real ${kind} there.`);
  const { userId } = host.disk;
  if (userId !== undefined && stat.uid !== userId) {
    refuse(
      `belongs to user ${stat.uid}, and this process runs as ${userId}`,
      "Run as its owner, or give it to this user.",
    );
  }
  if ((stat.mode & 0o077) !== 0) {
    const mode = stat.mode.toString(8).padStart(4, "0");
    refuse(`is open to other users (mode ${mode})`, `Run: chmod go-rwx ${path}`);
  }
  if (kind === "file" && stat.links > 1) refuse(`has ${stat.links} names (hard links)`, "Remove the other names.");
}
