import type { Host, Timer } from "../host/host.ts";
import type { CheckpointStatistics, LogProofs, TreeHead } from "../model/log-proofs.ts";
import { formatCheckpoint } from "./checkpoint.ts";
import { checkContinues, readCheckpointFile } from "./checkpoint-file.ts";
import { CosignedCheckpoint } from "./cosigned-checkpoint.ts";
import { step } from "./disk-io.ts";
import { CHECKPOINT_FILE, CHECKPOINT_KEY_FILE } from "./file-names.ts";
import type { Keyring } from "./keyring.ts";
import { type LogKey, makeLogKey, readLogKey } from "./log-key.ts";
import { formatNote, formatVerifierKey, signNote } from "./signed-note.ts";
import { replaceSmallFile } from "./small-file.ts";
import { StorageError } from "./storage-error.ts";
import type { TreeWitness } from "./tree-witness.ts";

/** Whatever was written is under a checkpoint after so long. */
const INTERVAL_MS = 60_000;

export interface CheckpointOptions {
  /** A file outside the data directory that gets every checkpoint too, and that the journal is compared with at start. */
  readonly file?: string;
  /** A checkpoint could not be written. The journal goes on: its own files say the same. */
  readonly onProblem?: (path: string, reason: string) => void;
  /** Something that should be known was found out at start; a sentence for people. */
  readonly onNote?: (note: string) => void;
  /** A file with the verifier key of a witness on each line: whose cosignatures are kept. */
  readonly witnessKeysFile?: string;
}

export interface KeeperOptions extends CheckpointOptions {
  readonly host: Host;
  readonly directory: string;
  readonly keyring: Keyring;
}

/** Signs what the journal's tree has come to, and keeps the last checkpoint in files. */
export class CheckpointKeeper implements TreeWitness {
  readonly #options: KeeperOptions;
  readonly #key: LogKey;
  readonly statistics: CheckpointStatistics = { written: 0, failed: 0, size: -1 };
  readonly cosigned: CosignedCheckpoint;
  #head: () => TreeHead;
  #signed: { readonly size: number; readonly note: string } | undefined;
  #timer: Timer | undefined;
  #writing: Promise<void> = Promise.resolve();
  #closed = false;

  private constructor(options: KeeperOptions, key: LogKey, cosigned: CosignedCheckpoint) {
    this.#options = options;
    this.#key = key;
    this.cosigned = cosigned;
    this.#head = () => {
      throw new Error("the journal is not open yet");
    };
  }

  /**
   * Compares the journal with the last checkpoints and changes nothing. Rejects with a `StorageError`, `damaged` when it
   * was rolled back.
   */
  static async open(options: KeeperOptions, proofs: LogProofs): Promise<CheckpointKeeper> {
    const { host, directory, file } = options;
    const kept = await readLogKey(options);
    const key = kept ?? makeLogKey(options, proofs.head.size > 0);
    const own = `${directory}/${CHECKPOINT_FILE}`;
    for (const path of [...(kept === undefined ? [] : [own]), ...(file === undefined ? [] : [file])]) {
      const checkpoint = await readCheckpointFile(host, path, key.verifier);
      if (checkpoint === undefined) {
        if (path === own) throw missing(own);
        continue;
      }
      const compared = await checkContinues(proofs, checkpoint, { directory, path });
      if (!compared) options.onNote?.(`${path} could not be compared: retention dropped the frames it ends with`);
    }
    const { verifier } = key;
    const cosigned = await CosignedCheckpoint.open(
      { host, directory, verifier, keysFile: options.witnessKeysFile },
      proofs,
    );
    return new CheckpointKeeper(options, key, cosigned);
  }

  /**
   * The journal is open: from here on its own tree counts. A new key gets a checkpoint before it is kept, so that a key
   * without a checkpoint is a reason to refuse.
   */
  async begin(proofs: LogProofs): Promise<void> {
    const { host, directory } = this.#options;
    this.#head = () => proofs.head;
    const path = `${directory}/${CHECKPOINT_KEY_FILE}`;
    if ((await step("looking at", path, () => host.disk.stat(path))) === undefined) {
      await this.#replace(`${directory}/${CHECKPOINT_FILE}`, this.current());
      await this.#replace(path, this.#key.sealed);
    }
    await this.write().catch(() => undefined);
  }

  /** `name+id+key`: what others verify with. */
  get verifierKey(): string {
    return formatVerifierKey(this.#key.verifier);
  }

  /** The signed note over all that is durable now. */
  current(): string {
    const { size, root } = this.#head();
    if (this.#signed?.size !== size) {
      const { verifier, privateKey } = this.#key;
      const text = formatCheckpoint({ origin: verifier.name, size, root });
      this.#signed = { size, note: formatNote(signNote(text, verifier, privateKey)) };
    }
    return this.#signed.note;
  }

  grown(): void {
    if (this.#timer !== undefined || this.#closed) return;
    this.#timer = this.#options.host.timers.after(INTERVAL_MS, () => {
      this.#timer = undefined;
      void this.write().catch(() => undefined);
    });
  }

  /** Writes what is durable now; rejects when the own file cannot be written. */
  write(): Promise<void> {
    const result = this.#writing.then(() => this.#write());
    this.#writing = result.catch(() => undefined);
    return result;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.write().catch(() => undefined);
  }

  async #write(): Promise<void> {
    const note = this.current();
    const size = this.#signed?.size ?? 0;
    const { directory, file } = this.#options;
    if (size === this.statistics.size) return;
    await this.#replace(`${directory}/${CHECKPOINT_FILE}`, note);
    this.statistics.size = size;
    this.statistics.written++;
    if (file !== undefined) await this.#replace(file, note).catch(() => undefined);
  }

  async #replace(path: string, content: string | Buffer): Promise<void> {
    try {
      await replaceSmallFile(this.#options.host, path, Buffer.from(content));
    } catch (error) {
      this.statistics.failed++;
      this.#options.onProblem?.(path, error instanceof Error ? error.message : String(error));
      throw error;
    }
  }
}

function missing(path: string): StorageError {
  return new StorageError(
    "damaged",
    `${path} is missing, and its key is there: it may have been removed to hide that the journal was rolled back. ` +
      `Restore it from a copy, or remove ${CHECKPOINT_KEY_FILE} too: the journal then goes on as a new log.`,
    { file: path },
  );
}
