/** Keys of a data directory that no server runs on. */
import { existsSync } from "node:fs";
import { nodeHost } from "./host/node-host.ts";
import { kekOptionsOf } from "./kek-options-of.ts";
import type { KekRotated } from "./model/storage-administration.ts";
import { type OfflineOptions, offlineConfig } from "./offline.ts";
import { StartError } from "./start-error.ts";
import { checkDirectory, lockDirectory } from "./storage/data-directory.ts";
import { createKekFile, defaultKekPath, type KekOptions, kekSourceOf, loadKek } from "./storage/kek.ts";
import { endKekRotation, rotateKekFile } from "./storage/kek-rotation.ts";
import { openKeyring } from "./storage/keyring.ts";

export interface RotateKekOptions extends OfflineOptions {
  /** Where the new key is; without any of them a new one takes the place of the key file. A file that is not there is made. */
  readonly newKek?: Pick<KekOptions, "kekFile" | "kekFd" | "kekCommand">;
}

/** Wraps the data keys by another key-encryption key. Rejects with a `StorageError` (75 while a server runs) or `StartError`. */
export async function rotateKekOffline(options: RotateKekOptions): Promise<KekRotated> {
  const config = offlineConfig(options);
  const host = nodeHost();
  const directory = config.data;
  // Before the key is loaded: it is made where there is no journal.
  await checkDirectory(host, directory);
  if (!existsSync(`${directory}/keyring`)) throw new StartError(78, `${directory} holds no journal`);
  const lock = await lockDirectory(host, directory);
  try {
    const source = kekOptionsOf(config);
    const { kek } = await loadKek(source);
    const keyring = await openKeyring({ host, directory, kek, create: false });
    const rewrap = (key: Buffer): Promise<void> => keyring.rewrap(key);
    const path = source.kekFile ?? defaultKekPath(directory);
    const isFile = kekSourceOf(source) === "file";
    // An earlier rotation that was killed: without this, its key would be lost with the file that waits.
    if (isFile) endKekRotation(path, directory);
    const { newKek } = options;
    if (newKek === undefined) {
      if (isFile) return { source: path, ...(await rotateKekFile(path, rewrap)) };
      throw new StartError(
        78,
        "the key-encryption key is in no file of mess: name its successor with --new-kek-file, --new-kek-fd or --new-kek-command",
      );
    }
    const { kekFile } = newKek;
    if (kekFile !== undefined && !existsSync(kekFile)) {
      await rewrap(createKekFile(kekFile));
      return { source: kekFile };
    }
    const loaded = await loadKek({ directory, ...newKek });
    if (loaded.kek.equals(kek))
      throw new StartError(78, `${loaded.source} gives the key that the data keys are under already`);
    await rewrap(loaded.kek);
    return { source: loaded.source };
  } finally {
    await lock.release();
  }
}
