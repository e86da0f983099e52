/** The journal as a transparency log: what its signed checkpoints and proofs say. Hashes are 32 bytes. */

/** Why there is no proof. */
export interface NoProof {
  readonly ok: false;
  /**
   * `unknown`: no such record or size; it may come. `dropped`: retention took what the proof needs. `outside`: written
   * before the journal had a tree. `busy`: too many proofs are asked for at once.
   */
  readonly reason: "unknown" | "dropped" | "outside" | "busy";
  readonly message: string;
}

/** That a record is in its frame: in the tree over the frame's records, whose root is the end of `leafData`. */
export interface RecordProof {
  /** Place in the frame, from 0. */
  readonly index: number;
  readonly count: number;
  /** 16 bytes that nobody can guess, so that the hash of a record says nothing of it. */
  readonly salt: Buffer;
  readonly kind: number;
  readonly body: Buffer;
  readonly root: Buffer;
  readonly path: readonly Buffer[];
}

/** That the frame with a record is in the tree. */
export interface InclusionAnswer {
  readonly ok: true;
  readonly seq: number;
  /** Records of the frame: `firstSeq ... firstSeq + count - 1`. */
  readonly frame: { readonly firstSeq: number; readonly count: number };
  readonly index: number;
  readonly size: number;
  readonly root: Buffer;
  /** What the leaf is the hash of: the chain hash of the frame, and the root over its records if it has one. */
  readonly leafData: Buffer;
  /** Where the frame has a root over its records, and the record is not erased. */
  readonly record?: RecordProof;
  /** Siblings from the leaf up (RFC 6962 section 2.1.1). */
  readonly path: readonly Buffer[];
}

/** That one tree is the beginning of another. */
export interface ConsistencyAnswer {
  readonly ok: true;
  readonly from: number;
  readonly to: number;
  readonly fromRoot: Buffer;
  readonly toRoot: Buffer;
  /** RFC 6962 section 2.1.2. */
  readonly path: readonly Buffer[];
}

/** The tree at one moment. */
export interface TreeHead {
  /** Leaves: durable frames. */
  readonly size: number;
  readonly root: Buffer;
}

/** The log with its signatures. */
export interface SignedLog extends LogProofs {
  /** `name+id+key`: what verifiers must be given, once, over a way that they trust. */
  readonly verifierKey: string;
  /** The C2SP note over what is durable now. */
  checkpoint(): string;
  /** The largest checkpoint that witnesses cosigned, with their signatures. */
  cosigned(): string | undefined;
  /**
   * Keeps what witnesses made of a checkpoint. Rejects with an `AdministrationError`: `invalid` when this log did not sign
   * it or no known witness did, `conflict` when a larger one is cosigned.
   */
  cosign(note: string): Promise<Cosigned>;
  statistics(): CheckpointStatistics;
}

/** What witnesses have cosigned. */
export interface Cosigned {
  readonly size: number;
  /** Names of their keys. */
  readonly witnesses: readonly string[];
}

/** What was done about checkpoints since the start. */
export interface CheckpointStatistics {
  written: number;
  failed: number;
  /** Leaves under the last checkpoint that is on disk; -1 before the first. */
  size: number;
}

export interface LogProofs {
  /** What is durable now. */
  readonly head: TreeHead;
  /** Root of the tree of so many leaves. */
  rootAt(size: number): Promise<Buffer | NoProof>;
  inclusion(seq: number, size: number): Promise<InclusionAnswer | NoProof>;
  consistency(from: number, to: number): Promise<ConsistencyAnswer | NoProof>;
}
