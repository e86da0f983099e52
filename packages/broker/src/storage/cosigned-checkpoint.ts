import type { Host } from "../host/host.ts";
import { AdministrationError } from "../model/administration.ts";
import type { Cosigned, LogProofs } from "../model/log-proofs.ts";
import { type Checkpoint, parseCheckpoint } from "./checkpoint.ts";
import { checkContinues, checkpointOf } from "./checkpoint-file.ts";
import { COSIGNED_FILE } from "./file-names.ts";
import {
  formatNote,
  NOTE_BYTES_MAX,
  type NoteSignature,
  parseNote,
  parseVerifierKey,
  type SignedNote,
  type VerifierKey,
  verifyNote,
  verifySignature,
} from "./signed-note.ts";
import { readSmallFile, replaceSmallFile } from "./small-file.ts";
import { StorageError } from "./storage-error.ts";

const WITNESSES_MAX = 64;

export interface CosignedOptions {
  readonly host: Host;
  readonly directory: string;
  /** The log's own key. */
  readonly verifier: VerifierKey;
  /** A verifier key of a witness on each line. */
  readonly keysFile: string | undefined;
}

interface Kept {
  readonly checkpoint: Checkpoint;
  readonly note: SignedNote;
}

/** The largest checkpoint that witnesses cosigned (C2SP tlog-cosignature): others than this server saw it. */
export class CosignedCheckpoint {
  readonly #options: CosignedOptions;
  readonly #witnesses: readonly VerifierKey[];
  #kept: Kept | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(options: CosignedOptions, witnesses: readonly VerifierKey[], kept: Kept | undefined) {
    this.#options = options;
    this.#witnesses = witnesses;
    this.#kept = kept;
  }

  /** Rejects with a `StorageError` when the journal does not continue what was cosigned, or a key is none. */
  static async open(options: CosignedOptions, proofs: LogProofs): Promise<CosignedCheckpoint> {
    const { host, directory, verifier } = options;
    const witnesses = await readWitnesses(options);
    const path = `${directory}/${COSIGNED_FILE}`;
    const bytes = await readSmallFile(host, path, NOTE_BYTES_MAX);
    const note = bytes === undefined ? undefined : parseNote(bytes);
    // It is of the log before, where that ended in a restore.
    const isOwn = note !== undefined && parseCheckpoint(note.text)?.origin === verifier.name;
    if (bytes === undefined || !isOwn) return new CosignedCheckpoint(options, witnesses, undefined);
    const checkpoint = checkpointOf(path, bytes, verifier);
    await checkContinues(proofs, checkpoint, { directory, path });
    return new CosignedCheckpoint(options, witnesses, { checkpoint, note });
  }

  get current(): string | undefined {
    return this.#kept === undefined ? undefined : formatNote(this.#kept.note);
  }

  /**
   * Keeps the cosignatures of a note that this log signed. Rejects with an `AdministrationError`: `invalid` when it is
   * no such note or no known witness signed it, `conflict` when a larger one is cosigned already.
   */
  add(text: string, proofs: LogProofs): Promise<Cosigned> {
    const result = this.#turn.then(() => this.#add(text, proofs));
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #add(text: string, proofs: LogProofs): Promise<Cosigned> {
    const { host, directory, verifier } = this.#options;
    const note = parseNote(Buffer.from(text, "utf8"));
    const checkpoint = note === undefined ? undefined : parseCheckpoint(note.text);
    if (note === undefined || checkpoint === undefined) throw invalid("it is not a checkpoint with signatures");
    if (checkpoint.origin !== verifier.name || verifyNote(note, verifier) !== "verified") {
      throw invalid("this log did not sign it");
    }
    const kept = this.#kept;
    if (kept !== undefined && checkpoint.size < kept.checkpoint.size) {
      const message = `a checkpoint of ${kept.checkpoint.size} frames is cosigned already, and this is one of ${checkpoint.size}`;
      throw new AdministrationError("conflict", message);
    }
    const root = await proofs.rootAt(checkpoint.size);
    if (!Buffer.isBuffer(root) || !root.equals(checkpoint.root)) throw invalid("the journal has no such tree");
    const added = this.#verified(note);
    if (added.length === 0) throw invalid("no witness of --witness-keys-file cosigned it");
    const all = [...(kept?.checkpoint.size === checkpoint.size ? this.#verified(kept.note) : []), ...added];
    const own = note.signatures.filter(({ name, keyId }) => name === verifier.name && keyId.equals(verifier.id));
    const merged: SignedNote = { text: note.text, signatures: [...own.slice(0, 1), ...newestOfEach(all)] };
    await replaceSmallFile(host, `${directory}/${COSIGNED_FILE}`, Buffer.from(formatNote(merged)));
    this.#kept = { checkpoint, note: merged };
    return { size: checkpoint.size, witnesses: merged.signatures.slice(1).map(({ name }) => name) };
  }

  #verified({ text, signatures }: SignedNote): NoteSignature[] {
    return signatures.filter((signature) => {
      const witness = this.#witnesses.find(({ name, id }) => name === signature.name && id.equals(signature.keyId));
      return witness !== undefined && verifySignature(text, signature, witness);
    });
  }
}

const idOf = ({ name, keyId }: NoteSignature): string => `${name} ${keyId.toString("hex")}`;

function newestOfEach(signatures: readonly NoteSignature[]): NoteSignature[] {
  return [...new Map(signatures.map((one) => [idOf(one), one])).values()];
}

async function readWitnesses({ host, keysFile }: CosignedOptions): Promise<VerifierKey[]> {
  if (keysFile === undefined) return [];
  const refuse = (what: string): never => {
    throw new StorageError("configuration", `${keysFile} ${what}.`, { file: keysFile });
  };
  const bytes = await readSmallFile(host, keysFile, NOTE_BYTES_MAX);
  if (bytes === undefined) return refuse("is not there");
  const lines = bytes.toString("utf8").split("\n");
  const keys = lines.filter((line) => line.trim() !== "" && !line.startsWith("#"));
  if (keys.length > WITNESSES_MAX) refuse(`holds more than ${WITNESSES_MAX} keys`);
  return keys.map((line) => {
    const key = parseVerifierKey(line.trim());
    return key?.kind === "cosignature" ? key : refuse(`has a line that is no key of a witness (name+id+key): ${line}`);
  });
}

function invalid(what: string): AdministrationError {
  return new AdministrationError("invalid", `the cosignature is refused: ${what}`);
}
