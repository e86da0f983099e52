import { joined, sameBytes, sha256 } from "./bytes.ts";

/** Hash of the leaf that stands for `data` (RFC 6962 section 2.1). */
export function leafHash(data: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  return sha256(joined(Uint8Array.of(0), data));
}

const nodeHash = (left: Uint8Array, right: Uint8Array): Promise<Uint8Array<ArrayBuffer>> =>
  sha256(joined(Uint8Array.of(1), left, right));

export interface InclusionProof {
  /** Number of the leaf, from 0. */
  readonly index: number;
  /** Leaves of the tree. */
  readonly size: number;
  /** Hash of the leaf: see `leafHash`. */
  readonly leaf: Uint8Array;
  /** Siblings from the leaf up, 32 bytes each. */
  readonly path: readonly Uint8Array[];
}

/** True when the leaf is in the tree of this root (RFC 9162 section 2.1.3.2). Rejects only without WebCrypto. */
export async function verifyInclusion(proof: InclusionProof, root: Uint8Array): Promise<boolean> {
  const { index, size, path } = proof;
  if (!isCount(index) || !isCount(size) || index >= size || !path.every(isHash)) return false;
  const place = new Place(index, size - 1);
  let reached: Uint8Array = proof.leaf;
  for (const sibling of path) {
    if (place.last === 0) return false;
    reached = place.isRight ? await nodeHash(sibling, reached) : await nodeHash(reached, sibling);
    place.up();
  }
  return place.last === 0 && sameBytes(reached, root);
}

export interface ConsistencyProof {
  /** Leaves of the earlier and of the later tree. */
  readonly from: number;
  readonly to: number;
  readonly fromRoot: Uint8Array;
  readonly toRoot: Uint8Array;
  readonly path: readonly Uint8Array[];
}

/** True when the earlier tree is the beginning of the later one (RFC 9162 section 2.1.4.2). */
export async function verifyConsistency(proof: ConsistencyProof): Promise<boolean> {
  const { from, to, fromRoot, toRoot, path } = proof;
  if (!isCount(from) || !isCount(to) || from > to || !path.every(isHash)) return false;
  if (from === to) return path.length === 0 && sameBytes(fromRoot, toRoot);
  if (from === 0) return path.length === 0 && sameBytes(fromRoot, await sha256(new Uint8Array(0)));
  const place = new Place(from - 1, to - 1);
  while (place.isOdd) place.half();
  // The root of a full tree is a node of the later one, and left out of the path.
  const [seed, ...rest] = place.at === 0 ? [fromRoot, ...path] : path;
  if (seed === undefined) return false;
  let before = seed;
  let after = seed;
  for (const node of rest) {
    if (place.last === 0) return false;
    if (place.isRight) {
      before = await nodeHash(node, before);
      after = await nodeHash(node, after);
    } else after = await nodeHash(after, node);
    place.up();
  }
  return place.last === 0 && sameBytes(before, fromRoot) && sameBytes(after, toRoot);
}

/** Where a walk from a leaf to the root is; numbers beyond 32 bits, so no shifts. */
class Place {
  at: number;
  last: number;

  constructor(at: number, last: number) {
    this.at = at;
    this.last = last;
  }

  get isOdd(): boolean {
    return this.at % 2 === 1;
  }

  /** The next sibling stands to the left. */
  get isRight(): boolean {
    return this.isOdd || this.at === this.last;
  }

  half(): void {
    this.at = Math.floor(this.at / 2);
    this.last = Math.floor(this.last / 2);
  }

  up(): void {
    if (this.isRight) while (!this.isOdd && this.at !== 0) this.half();
    this.half();
  }
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

const isHash = (bytes: Uint8Array): boolean => bytes.length === 32;
