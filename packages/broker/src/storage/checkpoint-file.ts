import type { Host } from "../host/host.ts";
import type { LogProofs } from "../model/log-proofs.ts";
import { type Checkpoint, parseCheckpoint } from "./checkpoint.ts";
import { CHECKPOINT_FILE, CHECKPOINT_KEY_FILE } from "./file-names.ts";
import { NOTE_BYTES_MAX, parseNote, type VerifierKey, verifyNote } from "./signed-note.ts";
import { readSmallFile } from "./small-file.ts";
import { StorageError } from "./storage-error.ts";

/** A checkpoint of this log from a file; `undefined` when there is no file. Rejects with a `StorageError`. */
export async function readCheckpointFile(
  host: Host,
  path: string,
  verifier: VerifierKey,
): Promise<Checkpoint | undefined> {
  const bytes = await readSmallFile(host, path, NOTE_BYTES_MAX);
  return bytes === undefined ? undefined : checkpointOf(path, bytes, verifier);
}

/** The checkpoint that the bytes of a file are. Throws a `StorageError` when it is none that this log signed. */
export function checkpointOf(path: string, bytes: Buffer, verifier: VerifierKey): Checkpoint {
  const note = parseNote(bytes);
  const checkpoint = note === undefined ? undefined : parseCheckpoint(note.text);
  if (note === undefined || checkpoint === undefined) {
    throw new StorageError("damaged", `${path} is not a checkpoint. Move it away, or restore it from a copy.`, {
      file: path,
    });
  }
  const { origin } = checkpoint;
  if (origin !== verifier.name) throw otherLog(path, origin, verifier.name);
  if (verifyNote(note, verifier) === "verified") return checkpoint;
  throw new StorageError(
    "damaged",
    `${path} is not signed by the key of this journal (${CHECKPOINT_KEY_FILE}): it was changed, or the key was.`,
    { file: path },
  );
}

function otherLog(path: string, origin: string, own: string): StorageError {
  const [ours = ""] = own.split("/").slice(1);
  if (!origin.startsWith(`mess/${ours}`)) {
    return new StorageError("configuration", `${path} is a checkpoint of ${origin}, and this is ${own}.`, {
      file: path,
    });
  }
  // The same journal under an older key: it was restored, or somebody took its key away to hide what it had signed.
  return new StorageError(
    "damaged",
    `The journal was rolled back: ${path} is a checkpoint of ${origin}, and the journal goes on as ${own}. If it was ` +
      `restored from a backup on purpose, move that file away.`,
    { file: path },
  );
}

/**
 * Rejects with a `StorageError` when the tree does not continue a checkpoint that was signed: it was rolled back, or
 * another history was put in its place. False when retention dropped what a comparison needs.
 */
export async function checkContinues(
  proofs: LogProofs,
  checkpoint: Checkpoint,
  where: { readonly directory: string; readonly path: string },
): Promise<boolean> {
  const { size, root } = checkpoint;
  const { directory, path } = where;
  const has = proofs.head.size;
  const detail = { file: path, checkpointSize: size, treeSize: has };
  const mend =
    "Nothing was changed. Restore the newest copy of the directory. If this state is the one you want, remove " +
    `${CHECKPOINT_FILE} and ${CHECKPOINT_KEY_FILE} in it, and move other checkpoints away: it goes on as a new log.`;
  if (size > has) {
    const message = `The journal in ${directory} was rolled back: ${path} names ${size} frames, and it has ${has}. ${mend}`;
    throw new StorageError("damaged", message, detail);
  }
  const found = await proofs.rootAt(size);
  if (!Buffer.isBuffer(found)) return false;
  if (found.equals(root)) return true;
  const message =
    `The journal in ${directory} is not the one that was signed: its first ${size} frames are others than ${path} names. ` +
    mend;
  throw new StorageError("damaged", message, detail);
}
