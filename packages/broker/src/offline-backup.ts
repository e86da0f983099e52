/** Backup of a data directory that no server runs on, and restore into an empty one. */
import { createReadStream } from "node:fs";
import type { ServeConfig } from "./config/serve-config.ts";
import { nodeHost } from "./host/node-host.ts";
import { kekOptionsOf } from "./kek-options-of.ts";
import type { Backup } from "./model/backup.ts";
import { type OfflineOptions, offlineConfig } from "./offline.ts";
import { StartError } from "./start-error.ts";
import { beginOfflineBackup } from "./storage/backup.ts";
import { checkDirectory } from "./storage/data-directory.ts";
import { defaultKekPath, loadKek } from "./storage/kek.ts";
import { type RestoreReport, restoreBackup } from "./storage/restore.ts";

const READ_BYTES = 1_024 * 1_024;

/** Rejects with a `StorageError`, 75 while a server runs. The directory is locked until the backup is read or closed. */
export async function backupOffline(options: OfflineOptions): Promise<Backup> {
  const config = offlineConfig(options);
  const host = nodeHost();
  const directory = config.data;
  // Before the key is loaded: it is made where there is no journal.
  await checkDirectory(host, directory);
  if ((await host.disk.stat(`${directory}/keyring`)) === undefined) {
    throw new StartError(78, `${directory} holds no journal`);
  }
  const { kek } = await loadKek(kekOptionsOf(config));
  return await beginOfflineBackup({ host, directory, kek });
}

export interface RestoreFileOptions extends OfflineOptions {
  /** The archive. */
  readonly file: string;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Restores `file` into the directory `data`, which is empty or not there. Rejects with a `StorageError` or `StartError`. */
export async function restoreOffline(options: RestoreFileOptions): Promise<RestoreReport> {
  const { file, onProgress } = options;
  const config = offlineConfig(options);
  const host = nodeHost();
  return await restoreBackup({
    host,
    source: file,
    open: () => createReadStream(file, { highWaterMark: READ_BYTES }),
    directory: config.data,
    loadKek: () => keyOf(config),
    ...(onProgress !== undefined && { onProgress }),
  });
}

/** A backup holds no key-encryption key, and a new one would not open it: nothing is made here. */
async function keyOf(config: ServeConfig): Promise<Buffer> {
  const options = kekOptionsOf(config);
  const named = [options.kekFile, options.kekFd, options.kekCommand].some((source) => source !== undefined);
  const path = defaultKekPath(config.data);
  if (!named && (await nodeHost().disk.stat(path)) === undefined) {
    throw new StartError(
      78,
      `a backup does not hold the key-encryption key that opens it, and there is none at ${path}: put its copy (mess kek export) there, or name it with --kek-file, --kek-fd or --kek-command`,
    );
  }
  return (await loadKek(options)).kek;
}
