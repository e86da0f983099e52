/** What lies in and beside the data directory, opened in the one right order: directory, lock, key, keyring, journal. */
import type { Log } from "./admin/log.ts";
import type { Limits } from "./config/limits.ts";
import type { ServeConfig } from "./config/serve-config.ts";
import type { Host } from "./host/host.ts";
import type { SignedLog } from "./model/log-proofs.ts";
import type { StorageParts } from "./model/storage-administration.ts";
import type { CheckpointOptions } from "./storage/checkpoint-keeper.ts";
import { checkFile, claimDirectory } from "./storage/data-directory.ts";
import { CHECKPOINT_KEY_FILE } from "./storage/file-names.ts";
import { defaultKekPath, type KekOptions, kekSourceOf, loadKek } from "./storage/kek.ts";
import { KekKeeper } from "./storage/kek-keeper.ts";
import { endKekRotation } from "./storage/kek-rotation.ts";
import { type Keyring, openKeyring } from "./storage/keyring.ts";
import { type OpenedDirectory, openJournal } from "./storage/open-journal.ts";
import { signedLog } from "./storage/signed-log.ts";

export interface DataHomeOptions {
  readonly host: Host;
  readonly kek: KekOptions;
  readonly limits: Limits;
  readonly checkpoints?: CheckpointOptions;
}

export interface DataHome {
  readonly directory: string;
  readonly keyring: Keyring;
  readonly storage: StorageParts;
  readonly opened: OpenedDirectory;
  readonly log: SignedLog;
  /** There was no journal before. */
  readonly isNew: boolean;
  /** What should be said about the key at start: that it was made, and where. */
  readonly notes: readonly string[];
}

const secretFiles = ["admin.key", "ca.key.sealed", "server.key.sealed", CHECKPOINT_KEY_FILE] as const;

/** Rejects with a `StorageError`; nothing of an existing journal is changed then. */
export async function openDataHome(options: DataHomeOptions): Promise<DataHome> {
  const { host, limits, checkpoints = {} } = options;
  const { directory } = options.kek;
  const claimed = await claimDirectory({ host, directory });
  const isNew = !claimed.hasJournal;
  try {
    await checkSecretFiles(host, directory);
    const loaded = await loadKek(options.kek);
    const keyring = await openKeyring({ host, directory, kek: loaded.kek, create: isNew });
    const kekPath = options.kek.kekFile ?? defaultKekPath(directory);
    if (kekSourceOf(options.kek) === "file") endKekRotation(kekPath, directory);
    const opened = await openJournal({ host, directory, keyring, limits, lock: claimed.lock, checkpoints });
    const log = signedLog(opened);
    const notes = loaded.created
      ? [
          `made the key-encryption key ${loaded.source}; the journal cannot be read without it: keep a copy elsewhere (mess kek export)`,
        ]
      : [];
    const kekKeeper = new KekKeeper({ options: options.kek, keyring, kek: loaded.kek });
    return {
      directory,
      keyring,
      storage: { dataKeys: opened.dataKeys, kekKeeper, scrubber: opened.scrubber },
      opened,
      log,
      isNew,
      notes,
    };
  } catch (error) {
    await claimed.lock.release();
    throw error;
  }
}

/** What a configuration says of checkpoints. */
export function checkpointsOf({ checkpointFile, witnessKeysFile }: ServeConfig, log?: Log): CheckpointOptions {
  return {
    ...(checkpointFile !== undefined && { file: checkpointFile }),
    ...(witnessKeysFile !== undefined && { witnessKeysFile }),
    onProblem: (file, reason) => log?.error("checkpoint.failed", { file, reason }),
    onNote: (note) => log?.warn("checkpoint.stale", { note }),
  };
}

/** Files with secrets that others may read, or that are links, are refused like those of the journal (THREATS A9). */
async function checkSecretFiles(host: Host, directory: string): Promise<void> {
  for (const name of secretFiles) {
    const path = `${directory}/${name}`;
    if ((await host.disk.stat(path)) !== undefined) await checkFile(host, path);
  }
}
