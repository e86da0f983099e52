import { LeafSpan, type Span } from "./leaf-span.ts";
import { type Block, HASH_BYTES } from "./merkle.ts";

const NODES_MIN = 16;

/** The complete subtrees of one height. */
class Level {
  /** Index of the first. */
  first = 0;
  count = 0;
  hashes: Buffer = Buffer.alloc(0);

  add(index: number, hash: Buffer): void {
    if (this.count === 0) this.first = index;
    const at = this.count * HASH_BYTES;
    if (at === this.hashes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(NODES_MIN * HASH_BYTES, at * 2));
      this.hashes.copy(larger);
      this.hashes = larger;
    }
    hash.copy(this.hashes, at);
    this.count++;
  }
}

/** All nodes over the leaves of one segment: 64 bytes a leaf, and any node at once. */
export class LeafNodes {
  readonly #levels: Level[] = [];
  readonly #leaves: LeafSpan;

  constructor(from: number) {
    this.#leaves = new LeafSpan({ from, to: from, hashes: Buffer.alloc(0) }, (block, hash) => this.#keep(block, hash));
  }

  get from(): number {
    return this.#leaves.from;
  }

  get to(): number {
    return this.#leaves.to;
  }

  get span(): Span {
    return this.#leaves.span;
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#levels.reduce((sum, { hashes }) => sum + hashes.length, 0);
  }

  append(leaf: Buffer): void {
    this.#leaves.append(leaf);
  }

  /** `undefined` for a block with leaves that are not here. */
  node({ level, index }: Block): Buffer | undefined {
    const found = this.#levels[level];
    if (found === undefined || index < found.first || index >= found.first + found.count) return undefined;
    const at = (index - found.first) * HASH_BYTES;
    return found.hashes.subarray(at, at + HASH_BYTES);
  }

  #keep({ level, index }: Block, hash: Buffer): void {
    this.#levels[level] ??= new Level();
    this.#levels[level].add(index, hash);
  }
}
