import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JournalFrame } from "../model/journal.ts";
import { FrameCache } from "./frame-cache.ts";
import { SegmentIndex } from "./segment-index.ts";

function frame(firstSeq: number, count: number, bytes: number = 10): JournalFrame {
  const views = { starts: new Uint32Array(count), ends: new Uint32Array(count), kinds: new Uint8Array(count) };
  return { firstSeq, count, bytes: Buffer.allocUnsafeSlow(bytes), ...views };
}

describe("the frame cache", () => {
  it("finds what a list of frames would, in any order of additions and removals", () => {
    // Frame k holds records 10k + 1 ... 10k + 7: there are gaps between frames.
    const action = fc.oneof(
      fc.record({ add: fc.nat(30) }),
      fc.record({ find: fc.nat(320) }),
      fc.record({ forget: fc.tuple(fc.nat(320), fc.nat(50)) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 120 }), (actions) => {
        const cache = new FrameCache(1e9);
        const model = new Map<number, JournalFrame>();
        for (const step of actions) {
          if ("add" in step) {
            const added = frame(10 * step.add + 1, 7);
            cache.add(added);
            if (!model.has(step.add)) model.set(step.add, added);
          } else if ("find" in step) {
            const k = Math.floor((step.find - 1) / 10);
            expect(cache.find(step.find)).toBe(step.find >= 1 && (step.find - 1) % 10 < 7 ? model.get(k) : undefined);
          } else {
            const [from, length] = step.forget;
            cache.forget(from, from + length);
            for (const k of model.keys()) if (10 * k + 1 >= from && 10 * k + 1 <= from + length) model.delete(k);
          }
        }
      }),
    );
  });

  it("stays within its bytes, and forgets the least recently used first", () => {
    const cache = new FrameCache(20_000);
    for (let k = 0; k < 4; k++) cache.add(frame(10 * k, 10, 3_000));
    expect(cache.find(5)).toBeDefined();
    expect(cache.find(15)).toBeDefined();
    cache.add(frame(40, 10, 3_000));
    cache.add(frame(50, 10, 3_000));
    expect([5, 15, 25, 35, 45, 55].map((seq) => cache.find(seq) !== undefined)).toEqual([
      true,
      true,
      false,
      false,
      true,
      true,
    ]);
    expect(cache.bytes).toBeLessThanOrEqual(20_000);
    cache.add(frame(60, 10, 100_000));
    expect(cache.find(65)).toBeDefined();
    expect(cache.find(5)).toBeUndefined();
  });
});

describe("the index of a segment", () => {
  it("leads to a stretch of at most 64 KiB, or one frame, that holds the record", () => {
    const sizes = fc.array(
      fc.integer({ min: 1, max: 300 }).map((sectors) => sectors * 512),
      { minLength: 1, maxLength: 300 },
    );
    fc.assert(
      fc.property(sizes, (frames) => {
        const index = new SegmentIndex();
        let offset = 4_096;
        const places = frames.map((bytes, i) => {
          index.add(10 * i + 1, offset, bytes);
          offset += bytes;
          return { offset: offset - bytes, end: offset };
        });
        places.forEach((place, i) => {
          const slot = index.find(10 * i + 1 + (i % 10))!;
          expect(slot.offset).toBeLessThanOrEqual(place.offset);
          expect(slot.end).toBeGreaterThanOrEqual(place.end);
          if (slot.end - slot.offset > 65_536) expect(slot).toMatchObject(place);
        });
        expect(index.find(0)).toBeUndefined();
      }),
      { numRuns: 50 },
    );
  });
});
