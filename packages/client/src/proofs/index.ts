/** Verifying a journal's signed checkpoints and proofs, in Node and browsers, without a connection. */
export { type Checkpoint, readCheckpoint } from "./checkpoint.ts";
export {
  formatProof,
  type ProofExtra,
  type ProofFile,
  parseProof,
  type VerifiedProof,
  verifyProof,
} from "./proof-file.ts";
export type { ProvedMessage, ProvedRecord, RecordExtra } from "./record.ts";
export {
  type ConsistencyProof,
  type InclusionProof,
  leafHash,
  verifyConsistency,
  verifyInclusion,
} from "./tree.ts";
