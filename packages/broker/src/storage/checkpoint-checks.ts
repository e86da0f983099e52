import type { Host } from "../host/host.ts";
import { type Checkpoint, parseCheckpoint } from "./checkpoint.ts";
import { checkpointOf } from "./checkpoint-file.ts";
import { CHECKPOINT_FILE } from "./file-names.ts";
import type { Keyring } from "./keyring.ts";
import { KnownNodes } from "./known-nodes.ts";
import type { LeafNodes } from "./leaf-nodes.ts";
import { LeafSpan, rootOf, type Span } from "./leaf-span.ts";
import { readLogKey } from "./log-key.ts";
import { EMPTY_ROOT } from "./merkle.ts";
import { NOTE_BYTES_MAX, parseNote, type VerifierKey } from "./signed-note.ts";
import { readSmallFile } from "./small-file.ts";
import { StorageError } from "./storage-error.ts";

/** What comparing with one checkpoint came to. */
export interface CheckedCheckpoint {
  readonly file: string;
  readonly size: number;
  /** False where the key was not there: then only size and root were compared. */
  readonly signed: boolean;
  /** `unknown`: retention dropped what it ends with. */
  readonly result: "continued" | "unknown";
}

interface Pending {
  readonly file: string;
  readonly signed: boolean;
  readonly checkpoint: Checkpoint;
  root: Buffer | undefined;
}

export interface ChecksOptions {
  readonly host: Host;
  readonly directory: string;
  readonly keyring: Keyring | undefined;
  readonly file: string | undefined;
}

/** The tree, built up segment by segment, and the checkpoints that it must continue. */
export class CheckpointChecks {
  readonly #pending: readonly Pending[];
  #whole: LeafSpan | undefined;

  private constructor(pending: readonly Pending[]) {
    this.#pending = pending;
  }

  /** Reads the checkpoints. Rejects with a `StorageError` when one is not what it should be. */
  static async open({ host, directory, keyring, file }: ChecksOptions): Promise<CheckpointChecks> {
    const key = keyring === undefined ? undefined : await readLogKey({ host, directory, keyring });
    const pending: Pending[] = [];
    // Without its key the directory's own checkpoint is a leftover, unless nobody has the key to the directory at all.
    const own = key !== undefined || keyring === undefined ? [`${directory}/${CHECKPOINT_FILE}`] : [];
    for (const path of [...own, ...(file === undefined ? [] : [file])]) {
      const bytes = await readSmallFile(host, path, NOTE_BYTES_MAX);
      if (bytes === undefined) {
        if (path === file) throw new StorageError("configuration", `There is no file ${path}.`, { file: path });
        continue;
      }
      const checkpoint = read(path, bytes, key?.verifier);
      const root = checkpoint.size === 0 ? EMPTY_ROOT : undefined;
      pending.push({ file: path, signed: key !== undefined, checkpoint, root });
    }
    return new CheckpointChecks(pending);
  }

  /** The next segment with frames, oldest first; what is wrong with its place in the tree. */
  segment(before: Span | undefined, nodes: LeafNodes | undefined): string | undefined {
    const whole = this.#whole;
    if (before === undefined || nodes === undefined) {
      return whole === undefined ? undefined : "its first frame does not say what the tree is before it";
    }
    if (whole !== undefined && before.to < whole.to) return "its first frame names a tree that is too small";
    if (whole !== undefined && before.to === whole.to && !before.hashes.equals(whole.span.hashes)) {
      return "its first frame names another tree than the frames before it make";
    }
    this.#compare(before, nodes);
    this.#whole = new LeafSpan(before);
    this.#whole.join(nodes.span);
    return undefined;
  }

  get tree(): { readonly size: number; readonly root: string } {
    const span = this.#whole?.span;
    return { size: span?.to ?? 0, root: (span === undefined ? EMPTY_ROOT : rootOf(span)).toString("hex") };
  }

  get results(): readonly CheckedCheckpoint[] {
    return this.#pending.map(({ file, signed, checkpoint, root }) => {
      return { file, size: checkpoint.size, signed, result: root === undefined ? "unknown" : "continued" };
    });
  }

  /** The first checkpoint that the tree does not continue, and why. */
  get problem(): { readonly file: string; readonly reason: string } | undefined {
    const { size } = this.tree;
    for (const { file, checkpoint, root } of this.#pending) {
      if (checkpoint.size > size) {
        return { file, reason: `it names ${checkpoint.size} frames, and the journal has ${size}: it was rolled back` };
      }
      if (root !== undefined && !root.equals(checkpoint.root)) {
        return { file, reason: `the first ${checkpoint.size} frames of the journal are others than it names` };
      }
    }
    return undefined;
  }

  #compare(before: Span, nodes: LeafNodes): void {
    const known = new KnownNodes();
    known.addSpan(before);
    known.addNodes(nodes);
    for (const one of this.#pending) {
      const { size } = one.checkpoint;
      if (size >= before.to && size <= nodes.to) one.root ??= known.range({ from: 0, to: size });
    }
  }
}

function read(path: string, bytes: Buffer, verifier: VerifierKey | undefined): Checkpoint {
  if (verifier !== undefined) return checkpointOf(path, bytes, verifier);
  const note = parseNote(bytes);
  const checkpoint = note === undefined ? undefined : parseCheckpoint(note.text);
  if (checkpoint !== undefined) return checkpoint;
  throw new StorageError("damaged", `${path} is not a checkpoint.`, { file: path });
}
