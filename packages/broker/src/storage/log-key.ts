import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import type { Host } from "../host/host.ts";
import { CHECKPOINT_FILE, CHECKPOINT_KEY_FILE } from "./file-names.ts";
import type { Keyring } from "./keyring.ts";
import { type VerifierKey, verifierKey } from "./signed-note.ts";
import { readSmallFile } from "./small-file.ts";
import { StorageError } from "./storage-error.ts";

const PURPOSE = "checkpoint-key";
const SEED_BYTES = 32;
const FILE_BYTES_MAX = 4_096;
/** In front of the 32 bytes of an Ed25519 seed in a PKCS #8 key (RFC 8410). */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");

/** Who signs the checkpoints of one life of a journal. */
export interface LogKey {
  /** Its name is the log's origin: `mess/` and the journal's id, and something more after a restore. */
  readonly verifier: VerifierKey;
  readonly privateKey: KeyObject;
  /** What is kept of it on disk. */
  readonly sealed: Buffer;
}

export interface LogKeyOptions {
  readonly host: Host;
  readonly directory: string;
  readonly keyring: Keyring;
}

/** The key on disk; `undefined` when there is none. Rejects with a `StorageError` when it cannot be opened. */
export async function readLogKey({ host, directory, keyring }: LogKeyOptions): Promise<LogKey | undefined> {
  const path = `${directory}/${CHECKPOINT_KEY_FILE}`;
  const sealed = await readSmallFile(host, path, FILE_BYTES_MAX);
  if (sealed === undefined) return undefined;
  const opened = keyring.box.open(sealed, PURPOSE);
  if (opened === undefined || opened.length <= SEED_BYTES) {
    throw new StorageError(
      "damaged",
      `${path} cannot be opened: it is damaged or belongs to another journal. Restore it from a copy, or remove it ` +
        `with ${CHECKPOINT_FILE}: the journal then goes on as a new log, under a key that its verifiers must be given.`,
      { file: path },
    );
  }
  return logKey(opened.subarray(0, SEED_BYTES), opened.toString("utf8", SEED_BYTES), sealed);
}

/**
 * A new key. A journal without one that has leaves already had another, and was restored from a backup or lost it: then
 * it goes on as another log, so that no log ever has two roots for one size.
 */
export function makeLogKey({ host, keyring }: LogKeyOptions, hasLeaves: boolean): LogKey {
  const seed = Buffer.from(host.random.bytes(SEED_BYTES));
  const life = hasLeaves ? `/${Buffer.from(host.random.bytes(4)).toString("hex")}` : "";
  const origin = `${originOf(keyring.journalId)}${life}`;
  return logKey(seed, origin, keyring.box.seal(Buffer.concat([seed, Buffer.from(origin)]), PURPOSE));
}

/** The origin of all logs that a journal ever is begins with this. */
function originOf(journalId: Buffer): string {
  return `mess/${journalId.toString("hex")}`;
}

function logKey(seed: Buffer, origin: string, sealed: Buffer): LogKey {
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: "der", type: "pkcs8" });
  return { verifier: verifierKey(origin, createPublicKey(privateKey)), privateKey, sealed };
}
