import type { SeededRandom } from "../../packages/broker/src/host/simulated-random.ts";
import type { JournalFrame } from "../../packages/broker/src/model/journal.ts";
import type { LogProofs } from "../../packages/broker/src/model/log-proofs.ts";
import { leafHash, verifyConsistency, verifyInclusion } from "../../packages/broker/src/storage/merkle.ts";

/** Leaf `index` is this frame; `root` is that of the tree it completes. */
interface Grown {
  readonly index: number;
  readonly firstSeq: number;
  readonly root: Buffer;
}

/**
 * What was ever said of a journal's tree, over all its lives: one root for each size, and each later tree the
 * continuation of every earlier one.
 */
export class TreeOracle {
  readonly #grown: Grown[] = [];

  /** The state of another oracle, for a machine that goes on from a copy of the disk. */
  copy(): TreeOracle {
    const other = new TreeOracle();
    other.#grown.push(...this.#grown);
    return other;
  }

  /** A frame became durable. */
  committed(frame: JournalFrame, proofs: LogProofs): void {
    const { size, root } = proofs.head;
    if (size !== this.#grown.length + 1)
      throw new Error(`the tree has ${size} leaves after ${this.#grown.length + 1} frames`);
    this.#grown.push({ index: size - 1, firstSeq: frame.firstSeq, root });
  }

  /** A recovery found these frames, from some frame of the journal to its end. */
  async recovered(frames: readonly JournalFrame[], proofs: LogProofs): Promise<void> {
    const { size, root } = proofs.head;
    const known = this.#grown.at(-1);
    if (known !== undefined && size < known.index + 1)
      throw new Error(`the tree shrank from ${known.index + 1} to ${size}`);
    // Frames that were written and never acknowledged may be there, one at most in each life.
    const late = frames.filter(({ firstSeq }) => firstSeq > (known?.firstSeq ?? 0));
    if (size !== this.#grown.length + late.length) throw new Error("the tree has leaves that are no frames");
    for (const { firstSeq } of late) {
      const index = this.#grown.length;
      const found = await proofs.rootAt(index + 1);
      if (!Buffer.isBuffer(found)) throw new Error(`no root at ${index + 1}: ${found.message}`);
      this.#grown.push({ index, firstSeq, root: found });
    }
    const last = this.#grown.at(-1);
    if (last !== undefined && !last.root.equals(root)) throw new Error(`two roots for size ${size}`);
  }

  /** Asks for proofs of what is known; `mustBeThere` of records that retention cannot have taken. */
  async check(proofs: LogProofs, random: SeededRandom, mustBeThere: (seq: number) => boolean): Promise<void> {
    if (this.#grown.length === 0) return;
    const { size } = proofs.head;
    const early = random.pick(this.#grown.slice(0, size));
    const late = random.pick(this.#grown.slice(early.index, size));
    const isKept = mustBeThere(early.firstSeq) && mustBeThere(late.firstSeq);
    await this.#checkRoot(proofs, early, mustBeThere(early.firstSeq));
    await this.#checkConsistency(proofs, { early, late, isKept });
    await this.#checkInclusion(proofs, { early, late, isKept });
  }

  async #checkRoot(proofs: LogProofs, { index, root }: Grown, isKept: boolean): Promise<void> {
    const found = await proofs.rootAt(index + 1);
    if (!Buffer.isBuffer(found)) return this.#mayMiss(found, isKept);
    if (!found.equals(root)) throw new Error(`two roots for size ${index + 1}`);
  }

  async #checkConsistency(proofs: LogProofs, { early, late, isKept }: Pair): Promise<void> {
    const proof = await proofs.consistency(early.index + 1, late.index + 1);
    if (!proof.ok) return this.#mayMiss(proof, isKept);
    const sizes = { first: early.index + 1, second: late.index + 1, path: proof.path };
    if (!verifyConsistency(sizes, early.root, late.root)) throw new Error("a consistency proof does not verify");
  }

  async #checkInclusion(proofs: LogProofs, { early, late, isKept }: Pair): Promise<void> {
    const proof = await proofs.inclusion(early.firstSeq, late.index + 1);
    if (!proof.ok) return this.#mayMiss(proof, isKept);
    const { index, size, path, leafData } = proof;
    if (index !== early.index) throw new Error(`record ${early.firstSeq} is in leaf ${early.index}, not ${index}`);
    if (!verifyInclusion({ index, size, leaf: leafHash(leafData), path }, late.root)) {
      throw new Error("an inclusion proof does not verify");
    }
  }

  #mayMiss({ reason, message }: { reason: string; message: string }, isKept: boolean): void {
    if (isKept || (reason !== "dropped" && reason !== "unknown")) throw new Error(`no proof: ${message}`);
  }
}

interface Pair {
  readonly early: Grown;
  readonly late: Grown;
  readonly isKept: boolean;
}
