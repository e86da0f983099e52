import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  bagged,
  blocksOf,
  consistencyRanges,
  EMPTY_ROOT,
  inclusionRanges,
  type LeafRange,
  leafHash,
  nodeHash,
  verifyConsistency,
  verifyInclusion,
} from "./merkle.ts";

/** RFC 6962 section 2.1, word for word, over the leaves `from ... to - 1` of a list; remembers what it worked out. */
class Naive {
  readonly leaves: readonly Buffer[];
  readonly #roots: Map<number, Buffer> = new Map();

  constructor(leaves: readonly Buffer[]) {
    this.leaves = leaves;
  }

  root(from: number, to: number): Buffer {
    if (from === to) return EMPTY_ROOT;
    if (to - from === 1) return this.leaves[from]!;
    const known = this.#roots.get(from * 10_000 + to);
    if (known !== undefined) return known;
    const k = from + splitOf(to - from);
    const root = nodeHash(this.root(from, k), this.root(k, to));
    this.#roots.set(from * 10_000 + to, root);
    return root;
  }

  /** Section 2.1.1. */
  path(m: number, from: number, to: number): Buffer[] {
    if (to - from <= 1) return [];
    const k = from + splitOf(to - from);
    if (m < k) return [...this.path(m, from, k), this.root(k, to)];
    return [...this.path(m, k, to), this.root(from, k)];
  }

  /** Section 2.1.2. */
  proof(m: number, from: number, to: number, whole: boolean = true): Buffer[] {
    if (m === to) return whole ? [] : [this.root(from, to)];
    const k = from + splitOf(to - from);
    if (m <= k) return [...this.proof(m, from, k, whole), this.root(k, to)];
    return [...this.proof(m, k, to, false), this.root(from, k)];
  }

  hashes(ranges: readonly LeafRange[]): Buffer[] {
    return ranges.map(({ from, to }) => this.root(from, to));
  }
}

function splitOf(size: number): number {
  let k = 1;
  while (k * 2 < size) k *= 2;
  return k;
}

const sameHashes = (some: readonly Buffer[], others: readonly Buffer[]): boolean =>
  some.length === others.length && some.every((one, i) => one.equals(others[i]!));

const leavesOf = (count: number): Buffer[] =>
  Array.from({ length: count }, (_, i) => leafHash(Buffer.from(`leaf ${i}`)));

/** The leaves that the test vectors of Certificate Transparency use, and the roots of the first 0 to 8 of them. */
const vectorLeaves = [
  "",
  "00",
  "10",
  "2021",
  "3031",
  "40414243",
  "5051525354555657",
  "606162636465666768696a6b6c6d6e6f",
];
const vectorRoots = [
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

describe("the vectors of Certificate Transparency", () => {
  const tree = new Naive(vectorLeaves.map((hex) => leafHash(Buffer.from(hex, "hex"))));
  const hex = (hashes: readonly Buffer[]): string[] => hashes.map((one) => one.toString("hex"));

  it("roots of sizes 0 to 8", () => {
    for (const [size, root] of vectorRoots.entries()) expect(tree.root(0, size).toString("hex")).toBe(root);
  });

  it("audit paths", () => {
    expect(inclusionRanges(0, 1)).toEqual([]);
    expect(hex(tree.hashes(inclusionRanges(0, 8)))).toEqual([
      "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]);
    expect(hex(tree.hashes(inclusionRanges(5, 8)))).toEqual([
      "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
      "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]);
    expect(hex(tree.hashes(inclusionRanges(2, 3)))).toEqual([
      "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    ]);
  });

  it("consistency proofs", () => {
    expect(hex(tree.hashes(consistencyRanges(1, 8)))).toEqual([
      "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]);
    expect(hex(tree.hashes(consistencyRanges(6, 8)))).toEqual([
      "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
      "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]);
    expect(hex(tree.hashes(consistencyRanges(2, 5)))).toEqual([
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ]);
  });
});

describe("against the definitions", () => {
  const tree = new Naive(leavesOf(200));

  it("roots of all sizes to 200 from their blocks", () => {
    for (let size = 0; size <= 200; size++) {
      const blocks = blocksOf({ from: 0, to: size });
      const hashes = blocks.map(({ level, index }) => tree.root(index * 2 ** level, (index + 1) * 2 ** level));
      expect(bagged(hashes).equals(tree.root(0, size))).toBe(true);
    }
  });

  it("every audit path of all sizes to 200 is the definition's and verifies", () => {
    let wrong = 0;
    for (let size = 1; size <= 200; size++) {
      for (let index = 0; index < size; index++) {
        const path = tree.path(index, 0, size);
        if (!sameHashes(tree.hashes(inclusionRanges(index, size)), path)) wrong++;
        if (!verifyInclusion({ index, size, leaf: tree.leaves[index]!, path }, tree.root(0, size))) wrong++;
      }
    }
    expect(wrong).toBe(0);
  });

  it("every consistency proof of all sizes to 200 is the definition's and verifies", () => {
    let wrong = 0;
    for (let second = 0; second <= 200; second++) {
      for (let first = 0; first <= second; first++) {
        const path = first === 0 ? [] : tree.proof(first, 0, second);
        if (!sameHashes(tree.hashes(consistencyRanges(first, second)), path)) wrong++;
        if (!verifyConsistency({ first, second, path }, tree.root(0, first), tree.root(0, second))) wrong++;
      }
    }
    expect(wrong).toBe(0);
  });

  it("covers any range with full subtrees that cannot be joined, also far beyond 2^32", () => {
    const range = fc.tuple(fc.nat(2 ** 20), fc.constantFrom(0, 2 ** 33, 2 ** 52), fc.nat(2 ** 12));
    fc.assert(
      fc.property(range, ([start, base, length]) => {
        const from = base + start;
        const blocks = blocksOf({ from, to: from + length });
        let at = from;
        for (const { level, index } of blocks) {
          expect(index * 2 ** level).toBe(at);
          at += 2 ** level;
        }
        expect(at).toBe(from + length);
        for (const [i, block] of blocks.entries()) {
          const next = blocks[i + 1];
          expect(next?.level === block.level && block.index % 2 === 0).toBe(false);
        }
      }),
    );
  });

  it("large random trees", () => {
    const large = new Naive(leavesOf(5_000));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000 }), fc.nat(), fc.nat(), (second, a, b) => {
        const root = large.root(0, second);
        const index = a % second;
        const path = large.hashes(inclusionRanges(index, second));
        expect(path).toEqual(large.path(index, 0, second));
        expect(verifyInclusion({ index, size: second, leaf: large.leaves[index]!, path }, root)).toBe(true);
        const first = 1 + (b % second);
        const proof = large.hashes(consistencyRanges(first, second));
        expect(proof).toEqual(large.proof(first, 0, second));
        expect(verifyConsistency({ first, second, path: proof }, large.root(0, first), root)).toBe(true);
      }),
    );
  });
});

describe("what is not proved", () => {
  const tree = new Naive(leavesOf(64));
  const { leaves } = tree;
  const flip = (bytes: Buffer): Buffer => {
    const other = Buffer.from(bytes);
    other[7]! ^= 4;
    return other;
  };

  it("a path with another leaf, index, size, root, order or length", () => {
    const sized = fc.integer({ min: 2, max: 64 }).chain((size) => fc.tuple(fc.constant(size), fc.nat(size - 1)));
    fc.assert(
      fc.property(sized, ([size, index]) => {
        const root = tree.root(0, size);
        const path = tree.path(index, 0, size);
        const proof = { index, size, leaf: leaves[index]!, path };
        expect(verifyInclusion({ ...proof, leaf: flip(proof.leaf) }, root)).toBe(false);
        expect(verifyInclusion(proof, flip(root))).toBe(false);
        expect(verifyInclusion({ ...proof, index: (index + 1) % size }, root)).toBe(false);
        expect(verifyInclusion({ ...proof, path: path.slice(1) }, root)).toBe(false);
        expect(verifyInclusion({ ...proof, path: [...path, root] }, root)).toBe(false);
        for (const i of path.keys()) {
          const bent = path.map((one, at) => (at === i ? flip(one) : one));
          expect(verifyInclusion({ ...proof, path: bent }, root)).toBe(false);
        }
      }),
    );
  });

  it("a consistency proof with other roots, sizes, order or length", () => {
    const sizes = fc
      .integer({ min: 2, max: 64 })
      .chain((n) => fc.tuple(fc.constant(n), fc.integer({ min: 1, max: n - 1 })));
    fc.assert(
      fc.property(sizes, ([second, first]) => {
        const some = leaves.slice(0, second);
        const before = tree.root(0, first);
        const root = tree.root(0, second);
        const path = tree.proof(first, 0, second);
        expect(verifyConsistency({ first, second, path }, flip(before), root)).toBe(false);
        expect(verifyConsistency({ first, second, path }, before, flip(root))).toBe(false);
        expect(verifyConsistency({ first, second, path: path.slice(1) }, before, root)).toBe(false);
        expect(verifyConsistency({ first, second, path: [...path, root] }, before, root)).toBe(false);
        expect(verifyConsistency({ first: second, second: first, path }, before, root)).toBe(false);
        // A tree that forked before its end.
        const forked = new Naive(some.with(first - 1, flip(some[first - 1]!))).root(0, second);
        expect(verifyConsistency({ first, second, path }, before, forked)).toBe(false);
      }),
    );
  });

  it("numbers that are none", () => {
    const leaf = leaves[0]!;
    for (const [index, size] of [
      [0, 0],
      [1, 1],
      [-1, 1],
      [0.5, 2],
      [Number.NaN, 1],
      [0, 2 ** 60],
    ] as const) {
      expect(verifyInclusion({ index, size, leaf, path: [] }, leaf)).toBe(false);
    }
    expect(verifyConsistency({ first: -1, second: 1, path: [] }, leaf, leaf)).toBe(false);
    expect(() => inclusionRanges(3, 3)).toThrow(RangeError);
    expect(() => consistencyRanges(4, 3)).toThrow(RangeError);
  });
});
