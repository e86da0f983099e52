import { type Bytes, fromBase64, toBase64, utf8 } from "./bytes.ts";
import { type Checkpoint, readCheckpoint } from "./checkpoint.ts";
import { leafHash, verifyInclusion } from "./tree.ts";

const MARK = "c2sp.org/tlog-proof@v1";
const CHARACTERS_MAX = 2 * 1_024 * 1_024;
const PATH_MAX = 64;

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
  /** Chain hash of its frame, base64. */
  readonly leafData: string;
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
    const { seq, leafData } = value as Record<string, unknown>;
    return typeof seq === "number" && typeof leafData === "string" ? { ...value, seq, leafData } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Verifies a proof with nothing but the log's key: the checkpoint is signed, and the leaf is in its tree.
 *
 * @returns the checkpoint, or `undefined` when it does not verify
 */
export async function verifyProof(proof: ProofFile, verifierKey: string): Promise<Checkpoint | undefined> {
  const checkpoint = await readCheckpoint(proof.checkpoint, verifierKey);
  const data = fromBase64(proof.extra.leafData);
  if (checkpoint === undefined || data === undefined) return undefined;
  const { index, path } = proof;
  const leaf = await leafHash(data);
  return (await verifyInclusion({ index, size: checkpoint.size, leaf, path }, checkpoint.root))
    ? checkpoint
    : undefined;
}
