import { type Bytes, fromBase64, toBase64, utf8 } from "./bytes.ts";
import { type Checkpoint, readCheckpoint } from "./checkpoint.ts";
import { type ProvedRecord, type RecordExtra, verifyRecord } from "./record.ts";
import { leafHash, verifyInclusion } from "./tree.ts";

const MARK = "c2sp.org/tlog-proof@v1";
/** A record can have as many bytes as a message. */
const CHARACTERS_MAX = 512 * 1_024 * 1_024;
const PATH_MAX = 64;
const HASH_BYTES = 32;

/** A proof that can be kept and verified without the server: C2SP tlog-proof. */
export interface ProofFile {
  readonly index: number;
  readonly path: readonly Uint8Array[];
  /** The signed note. */
  readonly checkpoint: string;
  /** What the leaf is the hash of, and what it is said to be: not authenticated by itself. */
  readonly extra: ProofExtra;
}

export interface ProofExtra {
  /** Number of the record that was asked for. */
  readonly seq: number;
  /** Chain hash of its frame, and the root over its records if it has one, base64. */
  readonly leafData: string;
  /** The record itself, where its topic has `proofs`. */
  readonly record?: RecordExtra;
}

export function formatProof({ index, path, checkpoint, extra }: ProofFile): string {
  const lines = [MARK, `extra ${toBase64(utf8(JSON.stringify(extra)))}`, `index ${index}`, ...path.map(toBase64)];
  return `${lines.join("\n")}\n\n${checkpoint}`;
}

/** `undefined` when the text is no proof. Nothing is verified yet. */
export function parseProof(text: string): ProofFile | undefined {
  if (text.length > CHARACTERS_MAX) return undefined;
  const end = text.indexOf("\n\n");
  const [mark, second = "", third = "", ...hashes] = text.slice(0, Math.max(end, 0)).split("\n");
  if (mark !== MARK || hashes.length > PATH_MAX) return undefined;
  const extra = readExtra(/^extra (\S+)$/.exec(second)?.[1] ?? "");
  const number = /^index (0|[1-9]\d*)$/.exec(third)?.[1];
  const path: Bytes[] = [];
  for (const line of hashes) {
    const hash = fromBase64(line);
    if (hash?.length !== 32) return undefined;
    path.push(hash);
  }
  if (extra === undefined || number === undefined) return undefined;
  return { index: Number(number), path, checkpoint: text.slice(end + 2), extra };
}

function readExtra(encoded: string): ProofExtra | undefined {
  const bytes = fromBase64(encoded);
  if (bytes === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof value !== "object" || value === null) return undefined;
    const { seq, leafData, record } = value as Record<string, unknown>;
    if (typeof seq !== "number" || typeof leafData !== "string") return undefined;
    if (record === undefined) return { seq, leafData };
    return isRecord(record) ? { seq, leafData, record } : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is RecordExtra {
  if (typeof value !== "object" || value === null) return false;
  const { index, count, kind, salt, path, body } = value as Record<string, unknown>;
  const numbers = [index, count, kind].every((one) => typeof one === "number");
  const isPath = Array.isArray(path) && path.length <= PATH_MAX && path.every((one) => typeof one === "string");
  return numbers && isPath && typeof salt === "string" && typeof body === "string";
}

/** What a proof shows: the checkpoint it is under, and the record if the proof holds it. */
export interface VerifiedProof {
  readonly checkpoint: Checkpoint;
  readonly record?: ProvedRecord;
}

/**
 * Verifies a proof with nothing but the log's key: the checkpoint is signed, and the leaf is in its tree.
 *
 * @returns `undefined` when anything of it does not verify
 */
export async function verifyProof(proof: ProofFile, verifierKey: string): Promise<VerifiedProof | undefined> {
  const checkpoint = await readCheckpoint(proof.checkpoint, verifierKey);
  const data = fromBase64(proof.extra.leafData);
  if (checkpoint === undefined || data === undefined) return undefined;
  const { index, path, extra } = proof;
  const leaf = await leafHash(data);
  if (!(await verifyInclusion({ index, size: checkpoint.size, leaf, path }, checkpoint.root))) return undefined;
  if (extra.record === undefined) return { checkpoint };
  // Chain hash, then the root over the records.
  if (data.length !== 2 * HASH_BYTES) return undefined;
  const record = await verifyRecord(extra.seq, extra.record, data.subarray(HASH_BYTES));
  return record === undefined ? undefined : { checkpoint, record };
}
