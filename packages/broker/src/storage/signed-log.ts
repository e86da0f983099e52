import { AdministrationError } from "../model/administration.ts";
import type { LogProofs, SignedLog } from "../model/log-proofs.ts";
import type { CheckpointKeeper } from "./checkpoint-keeper.ts";
import { StorageError } from "./storage-error.ts";

/** The log as the administrative side offers it: what is damaged becomes an expected "no". */
export function signedLog({
  proofs,
  checkpoints,
}: {
  readonly proofs: LogProofs;
  readonly checkpoints: CheckpointKeeper | undefined;
}): SignedLog {
  if (checkpoints === undefined) throw new RangeError("the journal was opened without checkpoints");
  return {
    verifierKey: checkpoints.verifierKey,
    checkpoint: () => checkpoints.current(),
    cosigned: () => checkpoints.cosigned.current,
    cosign: (note) => checkpoints.cosigned.add(note, proofs).catch(refuse),
    statistics: () => checkpoints.statistics,
    get head() {
      return proofs.head;
    },
    rootAt: (size) => proofs.rootAt(size).catch(refuse),
    inclusion: (seq, size) => proofs.inclusion(seq, size).catch(refuse),
    consistency: (from, to) => proofs.consistency(from, to).catch(refuse),
  };
}

function refuse(error: unknown): never {
  if (error instanceof StorageError) throw new AdministrationError("unavailable", error.message);
  throw error;
}
