import { type Block, bagged, blocksOf, EMPTY_ROOT, HASH_BYTES, nodeHash } from "./merkle.ts";

/** A run of leaves of the tree, as the hashes of its blocks: about two hashes for each bit of its length. */
export interface Span {
  /** Leaves `from ... to - 1`. */
  readonly from: number;
  readonly to: number;
  /** Hashes of `blocksOf(span)`, one after the other. */
  readonly hashes: Buffer;
}

export const NO_SPAN: Span = { from: 0, to: 0, hashes: Buffer.alloc(0) };

/** True when the hashes are as many as the span's blocks. */
export function isSpan({ from, to, hashes }: Span): boolean {
  return from <= to && blocksOf({ from, to }).length * HASH_BYTES === hashes.length;
}

/** The hashes of a span, in order. */
export function hashesOf({ hashes }: Span): Buffer[] {
  const list: Buffer[] = [];
  for (let at = 0; at < hashes.length; at += HASH_BYTES) list.push(hashes.subarray(at, at + HASH_BYTES));
  return list;
}

/** Root of the tree that a span from leaf 0 on is. */
export function rootOf(span: Span): Buffer {
  return span.to === 0 ? EMPTY_ROOT : bagged(hashesOf(span));
}

/** Leaves that are added in order, joined into blocks as soon as they make some: the incremental form of RFC 6962. */
export class LeafSpan {
  readonly from: number;
  to: number;
  readonly #blocks: Block[] = [];
  readonly #hashes: Buffer[] = [];
  readonly #made: ((block: Block, hash: Buffer) => void) | undefined;

  /** Goes on from `start`; `made` hears of each block, leaves included, when it is complete. */
  constructor(start: Span, made?: (block: Block, hash: Buffer) => void) {
    this.from = start.from;
    this.to = start.to;
    this.#made = made;
    this.#blocks.push(...blocksOf(start));
    this.#hashes.push(...hashesOf(start));
  }

  /** Adds the hash of the next leaf. */
  append(leaf: Buffer): void {
    this.#push({ level: 0, index: this.to }, leaf);
  }

  /** Adds the leaves of a span that begins where this one ends. */
  join(next: Span): void {
    if (next.from !== this.to) throw new RangeError(`leaf ${next.from} does not come after ${this.to - 1}`);
    const hashes = hashesOf(next);
    for (const [i, block] of blocksOf(next).entries()) this.#push(block, hashes[i]!);
  }

  get span(): Span {
    return { from: this.from, to: this.to, hashes: Buffer.concat(this.#hashes) };
  }

  #push(block: Block, hash: Buffer): void {
    this.to += 2 ** block.level;
    let made = block;
    let reached = hash;
    this.#made?.(made, reached);
    for (;;) {
      const left = this.#blocks.at(-1);
      if (left === undefined || left.level !== made.level || left.index % 2 !== 0) break;
      this.#blocks.pop();
      reached = nodeHash(this.#hashes.pop()!, reached);
      made = { level: left.level + 1, index: left.index / 2 };
      this.#made?.(made, reached);
    }
    this.#blocks.push(made);
    this.#hashes.push(reached);
  }
}
