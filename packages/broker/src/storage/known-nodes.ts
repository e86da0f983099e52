import type { LeafNodes } from "./leaf-nodes.ts";
import { hashesOf, type Span } from "./leaf-span.ts";
import { type Block, bagged, blocksOf, type LeafRange, nodeHash } from "./merkle.ts";

/** Hashes of parts of a tree, from several sources, and what follows from them. */
export class KnownNodes {
  readonly #blocks: Map<string, Buffer> = new Map();
  readonly #nodes: LeafNodes[] = [];

  addSpan(span: Span): void {
    const hashes = hashesOf(span);
    for (const [i, { level, index }] of blocksOf(span).entries()) this.#blocks.set(`${level}/${index}`, hashes[i]!);
  }

  addNodes(nodes: LeafNodes): void {
    this.#nodes.push(nodes);
  }

  /** Hash over leaves that are a subtree of some tree; `undefined` when something of it is not known. */
  range(range: LeafRange): Buffer | undefined {
    const hashes: Buffer[] = [];
    for (const block of blocksOf(range)) {
      const hash = this.#hash(block);
      if (hash === undefined) return undefined;
      hashes.push(hash);
    }
    return bagged(hashes);
  }

  /** All of them, or `undefined`. */
  ranges(ranges: readonly LeafRange[]): Buffer[] | undefined {
    const hashes = ranges.map((range) => this.range(range));
    return hashes.some((hash) => hash === undefined) ? undefined : (hashes as Buffer[]);
  }

  #hash(block: Block): Buffer | undefined {
    const { level, index } = block;
    const known = this.#blocks.get(`${level}/${index}`) ?? this.#inNodes(block);
    if (known !== undefined || level === 0) return known;
    const left = this.#hash({ level: level - 1, index: index * 2 });
    if (left === undefined) return undefined;
    const right = this.#hash({ level: level - 1, index: index * 2 + 1 });
    return right === undefined ? undefined : nodeHash(left, right);
  }

  #inNodes(block: Block): Buffer | undefined {
    for (const nodes of this.#nodes) {
      const hash = nodes.node(block);
      if (hash !== undefined) return hash;
    }
    return undefined;
  }
}
