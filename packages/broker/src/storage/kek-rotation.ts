/**
 * Another key-encryption key in the place of a key file. The new key waits in `<file>.next` until the keyring is wrapped
 * by it; only then does it take the file's name, and the key before gets a name of its own. After a kill at any moment
 * one of the two opens the keyring, and `loadKek` finds which.
 */
import {
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { dirname } from "node:path";
import { KEYRING_FILE } from "./file-names.ts";
import { createKekFile, nextKekPath, readKekFile } from "./kek.ts";
import { opensKeyring } from "./keyring.ts";
import { StorageError } from "./storage-error.ts";

const KEPT_MAX = 10_000;

interface RotatedFile {
  /** File that holds the key before. */
  readonly kept: string;
}

/** Makes a new key beside the key file at `path`, has `rewrap` wrap the keyring by it, and lets it take the file's place. */
export async function rotateKekFile(path: string, rewrap: (kek: Buffer) => Promise<void>): Promise<RotatedFile> {
  // One that is there was never used: else it would have been put in its place by the start that found it.
  rmSync(nextKekPath(path), { force: true });
  await rewrap(createKekFile(nextKekPath(path)));
  return settleKekFile(path);
}

/** Gives the key that waits in `<path>.next`, and that the keyring is wrapped by, its place. */
function settleKekFile(path: string): RotatedFile {
  try {
    const kept = keepOld(path);
    renameSync(nextKekPath(path), path);
    syncDirectory(dirname(path));
    return { kept };
  } catch (error) {
    const message =
      `The journal is under a new key-encryption key, and that key could not be moved from ${nextKekPath(path)} to ` +
      `${path}: ${(error as Error).message}. The next start tries it again; do not remove either file.`;
    throw new StorageError("io", message, { file: path });
  }
}

/** After a start: a rotation that a kill interrupted is brought to its end, or its key, which nothing uses, goes. */
export function endKekRotation(path: string, directory: string): void {
  const next = nextKekPath(path);
  const kek = existsSync(next) ? readKekFile(next) : undefined;
  if (kek === undefined) return;
  const keyring = `${directory}/${KEYRING_FILE}`;
  if (opensKeyring(keyring, readFileSync(keyring), kek)) settleKekFile(path);
  else rmSync(next, { force: true });
}

/** A second name for the old key: the first of `<path>.old-1`, `.old-2`, … that is free, or that is this key already. */
function keepOld(path: string): string {
  const old = readFileSync(path, "latin1");
  for (let number = 1; number <= KEPT_MAX; number++) {
    const kept = `${path}.old-${number}`;
    if (existsSync(kept)) {
      if (readFileSync(kept, "latin1") === old) return kept;
      continue;
    }
    linkSync(path, kept);
    return kept;
  }
  throw new StorageError("configuration", `${KEPT_MAX} old keys lie beside ${path}. Move some of them away.`);
}

function syncDirectory(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
