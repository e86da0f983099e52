import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  everyFilter,
  everyName,
  referenceMatches,
  topicFilters,
  topicNames,
} from "../model/reference-matcher.test-data.ts";
import { RetainedIndex } from "./retained-index.ts";

/** Few enough that nodes are freed and used again all the time. */
const crowded = fc.constantFrom(...everyName(["a", "b", "c"], 2));
const steps = fc.array(fc.tuple(fc.constantFrom("set", "delete"), fc.oneof(topicNames, crowded)), {
  maxLength: 120,
  size: "max",
});

function matching(index: RetainedIndex<number>, filter: string): [string, number][] {
  const found: [string, number][] = [];
  index.matching(filter, (value, topic) => found.push([topic, value]));
  return found.sort();
}

describe("RetainedIndex", () => {
  it("equals a Map through any sets and deletes: look-up, matches, order, emptiness", () => {
    fc.assert(
      fc.property(steps, fc.array(topicFilters, { minLength: 1, maxLength: 8 }), fc.nat(), (changes, filters, seed) => {
        const index = new RetainedIndex<number>(seed);
        const model = new Map<string, number>();
        for (const [n, [step, topic]] of changes.entries()) {
          if (step === "set") {
            index.set(topic, n);
            model.set(topic, n);
          } else {
            expect(index.delete(topic)).toBe(model.delete(topic));
          }
        }
        expect(index.count).toBe(model.size);
        expect([...index.entries()]).toEqual([...model]);
        for (const [, topic] of changes) expect(index.get(topic)).toBe(model.get(topic));
        for (const filter of filters) {
          const expected = [...model].filter(([topic]) => referenceMatches(filter, topic));
          expect(matching(index, filter)).toEqual(expected.sort());
        }
        for (const topic of model.keys()) index.delete(topic);
        expect([index.count, index.nodeCount, [...index.entries()]]).toEqual([0, 0, []]);
      }),
      { numRuns: 300 },
    );
  });

  it("equals the reference for every small filter over every small topic", () => {
    const topics = everyName(["", "a", "$s", "z"], 4).sort();
    const index = new RetainedIndex<number>();
    for (const [n, topic] of topics.entries()) index.set(topic, n);
    for (const filter of everyFilter(["", "a", "$s"], 3)) {
      const found = matching(index, filter)
        .map(([topic]) => topic)
        .sort();
      expect(found).toEqual(topics.filter((topic) => referenceMatches(filter, topic)).sort());
    }
  });

  it("can be changed between two steps of its entries (a snapshot taken while serving)", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.array(fc.array(fc.tuple(fc.nat(14), fc.boolean()), { maxLength: 6 }), { maxLength: 12 }),
        (start, changes) => {
          const index = new RetainedIndex<number>();
          const model = new Map<string, number>();
          for (let n = 0; n < start; n++) {
            index.set(`t/${n}`, n);
            model.set(`t/${n}`, n);
          }
          const cursor = index.entries();
          const modelCursor = model.entries();
          for (const between of changes) {
            expect(cursor.next()).toEqual(modelCursor.next());
            for (const [n, adds] of between) {
              if (adds) index.set(`t/${n}`, n + 100);
              else index.delete(`t/${n}`);
              if (adds) model.set(`t/${n}`, n + 100);
              else model.delete(`t/${n}`);
            }
          }
          expect([...cursor]).toEqual([...modelCursor]);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("keeps `undefined` apart from nothing, and hostile names apart from properties", () => {
    const index = new RetainedIndex<number | undefined>();
    index.set("__proto__", undefined);
    index.set("constructor/prototype", 1);
    expect(index.get("toString")).toBeUndefined();
    expect([...index.entries()]).toEqual([
      ["__proto__", undefined],
      ["constructor/prototype", 1],
    ]);
    expect(index.delete("constructor")).toBe(false);
    expect(index.delete("__proto__")).toBe(true);
    expect(index.count).toBe(1);
  });

  it("walks only the branches a filter can match", () => {
    const index = new RetainedIndex<number>();
    for (let n = 0; n < 50_000; n++) index.set(`other/${n}/x`, n);
    index.set("mine/1", 1);
    const started = performance.now();
    for (let n = 0; n < 1_000; n++) index.matching("mine/+", () => undefined);
    // A full scan of 50,000 a thousand times takes seconds.
    expect(performance.now() - started).toBeLessThan(500);
  });

  it("has no depth it cannot walk", () => {
    const index = new RetainedIndex<number>();
    const deep = "d/".repeat(30_000);
    index.set(deep, 1);
    expect(matching(index, "#").length).toBe(1);
    expect(index.delete(deep)).toBe(true);
    expect(index.nodeCount).toBe(0);
  });
});
