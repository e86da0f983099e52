import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DROPPED_SPANS_MAX, decodeExtension, encodeExtension } from "./frame-extension.ts";
import { LeafNodes } from "./leaf-nodes.ts";
import { hashesOf, isSpan, LeafSpan, NO_SPAN, rootOf, type Span } from "./leaf-span.ts";
import { bagged, blocksOf, EMPTY_ROOT, leafHash, nodeHash } from "./merkle.ts";

const leaves = Array.from({ length: 600 }, (_, i) => leafHash(Buffer.from(`leaf ${i}`)));

/** Hash over a full subtree, straight from its leaves. */
function full(from: number, to: number): Buffer {
  if (to - from === 1) return leaves[from]!;
  const middle = (from + to) / 2;
  return nodeHash(full(from, middle), full(middle, to));
}

function spanOf(from: number, to: number): Span {
  const hashes = blocksOf({ from, to }).map(({ level, index }) => full(index * 2 ** level, (index + 1) * 2 ** level));
  return { from, to, hashes: Buffer.concat(hashes) };
}

const range = fc.tuple(fc.nat(600), fc.nat(600)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);

describe("a span that grows", () => {
  it("is what its leaves make it, wherever it begins", () => {
    fc.assert(
      fc.property(range, ([from, to]) => {
        const grown = new LeafSpan({ from, to: from, hashes: Buffer.alloc(0) });
        for (let i = from; i < to; i++) grown.append(leaves[i]!);
        expect(grown.span).toEqual(spanOf(from, to));
        expect(isSpan(grown.span)).toBe(true);
      }),
    );
  });

  it("goes on from any point, and joins what comes after it", () => {
    fc.assert(
      fc.property(range, fc.nat(600), ([from, to], cut) => {
        const middle = Math.min(Math.max(cut, from), to);
        const grown = new LeafSpan(spanOf(from, middle));
        grown.join(spanOf(middle, to));
        expect(grown.span).toEqual(spanOf(from, to));
        if (to > 0) expect(() => grown.join(spanOf(to - 1, to))).toThrow(RangeError);
      }),
    );
  });

  it("has the root of its tree", () => {
    expect(rootOf(NO_SPAN)).toEqual(EMPTY_ROOT);
    for (const size of [1, 2, 3, 7, 8, 599]) expect(rootOf(spanOf(0, size))).toEqual(bagged(hashesOf(spanOf(0, size))));
  });
});

it("keeps every node over its leaves, and no other", () => {
  fc.assert(
    fc.property(range, ([from, to]) => {
      const nodes = new LeafNodes(from);
      for (let i = from; i < to; i++) nodes.append(leaves[i]!);
      expect(nodes.span).toEqual(spanOf(from, to));
      let wrong = 0;
      for (let level = 0, size = 1; size <= 1_024; level++, size *= 2) {
        for (let index = 0; index * size < 640; index++) {
          const inside = index * size >= from && (index + 1) * size <= to;
          const node = nodes.node({ level, index });
          if (inside ? node?.equals(full(index * size, (index + 1) * size)) !== true : node !== undefined) wrong++;
        }
      }
      expect(wrong).toBe(0);
    }),
    { numRuns: 30 },
  );
});

describe("the extension of a frame", () => {
  it("comes back as it was", () => {
    const many = fc.array(range, { minLength: 1, maxLength: DROPPED_SPANS_MAX });
    fc.assert(
      fc.property(range, range, many, ([, to], previous, ranges) => {
        const dropped = ranges.map((one) => spanOf(...one));
        const state = { whole: spanOf(0, to), previous: spanOf(...previous), dropped };
        const recordRoot = full(0, 1);
        for (const extension of [{ state }, { dropped }, { state, dropped, recordRoot }, { recordRoot }, {}]) {
          expect(decodeExtension(encodeExtension(extension))).toEqual(extension);
        }
      }),
      { numRuns: 30 },
    );
  });

  it("says nothing when it is cut or anything else, without throwing", () => {
    const state = { whole: spanOf(0, 13), previous: spanOf(5, 13), dropped: [] };
    const bytes = encodeExtension({ state });
    for (let length = 0; length < bytes.length; length++) {
      expect(decodeExtension(bytes.subarray(0, length))).toEqual({});
    }
    expect(decodeExtension(Buffer.concat([bytes, Buffer.alloc(7)]))).toEqual({ state });
    for (let i = 0; i < 300; i++) decodeExtension(randomBytes(i));
    const huge = Buffer.concat([Buffer.of(2, 0, 0, 0, 16, 0, 0, 0), Buffer.alloc(16, 0xff)]);
    expect(decodeExtension(huge)).toEqual({});
  });

  it("passes over what it does not know", () => {
    const dropped = [spanOf(3, 9)];
    const unknown = Buffer.of(99, 0, 0, 0, 2, 0, 0, 0, 1, 2);
    expect(decodeExtension(Buffer.concat([unknown, encodeExtension({ dropped })]))).toEqual({ dropped });
  });
});
