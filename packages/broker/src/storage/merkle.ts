import { hash } from "node:crypto";

/** The hash tree of RFC 6962 section 2.1, as arithmetic over leaf numbers and hashes. Numbers stay below 2^53. */

export const HASH_BYTES = 32;

/** Root of the tree without leaves: SHA-256 of nothing. */
export const EMPTY_ROOT: Buffer = hash("sha256", Buffer.alloc(0), "buffer");

/** Hash of a leaf that stands for `data`. */
export function leafHash(data: Uint8Array): Buffer {
  const input = Buffer.allocUnsafe(1 + data.length);
  input[0] = 0;
  input.set(data, 1);
  return hash("sha256", input, "buffer");
}

const pair = Buffer.alloc(1 + 2 * HASH_BYTES, 1);

/** Hash of an inner node. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  pair.set(left, 1);
  pair.set(right, 1 + HASH_BYTES);
  return hash("sha256", pair, "buffer");
}

/** A full subtree: the leaves from `index * 2^level` on, 2^level of them. */
export interface Block {
  readonly level: number;
  readonly index: number;
}

/** Leaves `from ... to - 1`. */
export interface LeafRange {
  readonly from: number;
  readonly to: number;
}

/** The fewest blocks that cover a range, in order. */
export function blocksOf({ from, to }: LeafRange): Block[] {
  const blocks: Block[] = [];
  for (let at = from; at < to; ) {
    let level = 0;
    let size = 1;
    while (at % (size * 2) === 0 && at + size * 2 <= to) {
      size *= 2;
      level++;
    }
    blocks.push({ level, index: at / size });
    at += size;
  }
  return blocks;
}

/**
 * Hash over leaves that are a subtree of some tree, from the hashes of its blocks: those of `blocksOf`, in order. With
 * `from` 0 it is the root of the tree with `to` leaves.
 */
export function bagged(hashes: readonly Uint8Array[]): Buffer {
  const last = hashes.at(-1);
  if (last === undefined) return EMPTY_ROOT;
  let bag: Buffer = Buffer.from(last);
  for (let i = hashes.length - 2; i >= 0; i--) bag = nodeHash(hashes[i]!, bag);
  return bag;
}

/** The largest power of two that is less than `size`: where RFC 6962 splits a tree. */
function split(size: number): number {
  let half = 1;
  while (half * 2 < size) half *= 2;
  return half;
}

/** What an audit path consists of (RFC 6962 section 2.1.1): the subtrees beside the leaf, from the leaf up. */
export function inclusionRanges(index: number, size: number): LeafRange[] {
  if (index < 0 || index >= size) throw new RangeError(`leaf ${index} is not in a tree of ${size}`);
  const ranges: LeafRange[] = [];
  for (let from = 0, to = size; to - from > 1; ) {
    const middle = from + split(to - from);
    if (index < middle) {
      ranges.push({ from: middle, to });
      to = middle;
    } else {
      ranges.push({ from, to: middle });
      from = middle;
    }
  }
  return ranges.reverse();
}

/** What a consistency proof consists of (RFC 6962 section 2.1.2); none when the sizes are equal or `first` is 0. */
export function consistencyRanges(first: number, second: number): LeafRange[] {
  if (first < 0 || first > second) throw new RangeError(`a tree of ${first} is not a part of one of ${second}`);
  const ranges: LeafRange[] = [];
  if (first === 0 || first === second) return ranges;
  let from = 0;
  let to = second;
  while (to > first) {
    const middle = from + split(to - from);
    if (first <= middle) {
      ranges.push({ from: middle, to });
      to = middle;
    } else {
      ranges.push({ from, to: middle });
      from = middle;
    }
  }
  // Whoever asks has the root of the first tree: it is left out where it is a node of the second.
  if (from > 0) ranges.push({ from, to });
  return ranges.reverse();
}

export interface InclusionProof {
  readonly index: number;
  readonly size: number;
  readonly leaf: Uint8Array;
  readonly path: readonly Uint8Array[];
}

/** True when the path leads from the leaf to this root (RFC 9162 section 2.1.3.2). */
export function verifyInclusion(proof: InclusionProof, root: Uint8Array): boolean {
  const { index, size, leaf, path } = proof;
  if (!isCount(index) || !isCount(size) || index >= size) return false;
  let at = index;
  let last = size - 1;
  let reached: Uint8Array = leaf;
  for (const sibling of path) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      reached = nodeHash(sibling, reached);
      while (at % 2 === 0 && at !== 0) {
        at = half(at);
        last = half(last);
      }
    } else reached = nodeHash(reached, sibling);
    at = half(at);
    last = half(last);
  }
  return last === 0 && sameBytes(reached, root);
}

export interface ConsistencyProof {
  readonly first: number;
  readonly second: number;
  readonly path: readonly Uint8Array[];
}

/** True when the tree of the first root is the beginning of that of the second (RFC 9162 section 2.1.4.2). */
export function verifyConsistency(proof: ConsistencyProof, firstRoot: Uint8Array, secondRoot: Uint8Array): boolean {
  const { first, second, path } = proof;
  if (!isCount(first) || !isCount(second) || first > second) return false;
  if (first === second) return path.length === 0 && sameBytes(firstRoot, secondRoot);
  if (first === 0) return path.length === 0 && sameBytes(firstRoot, EMPTY_ROOT);
  let at = first - 1;
  let last = second - 1;
  while (at % 2 === 1) {
    at = half(at);
    last = half(last);
  }
  // `at` is 0 when the first tree is full: then its root begins the path.
  const nodes = at === 0 ? [firstRoot, ...path] : path;
  const [seed, ...rest] = nodes;
  if (seed === undefined) return false;
  let before = seed;
  let after = seed;
  for (const node of rest) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      before = nodeHash(node, before);
      after = nodeHash(node, after);
      while (at % 2 === 0 && at !== 0) {
        at = half(at);
        last = half(last);
      }
    } else after = nodeHash(after, node);
    at = half(at);
    last = half(last);
  }
  return last === 0 && sameBytes(before, firstRoot) && sameBytes(after, secondRoot);
}

const half = (value: number): number => Math.floor(value / 2);

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}
