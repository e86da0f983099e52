import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  everyFilter,
  everyName,
  referenceMatches,
  topicFilters,
  topicNames,
} from "../model/reference-matcher.test-data.ts";
import { SubscriptionIndex } from "./subscription-index.ts";

function found(index: SubscriptionIndex<string>, topic: string): string[] {
  const values: string[] = [];
  index.collect(topic, values);
  return values;
}

/** What the index is, said plainly. */
class Model {
  readonly entries = new Map<string, { filter: string; key: string; value: string }>();

  set(filter: string, key: string, value: string): void {
    this.entries.set(`${key} ${filter}`, { filter, key, value });
  }

  remove(filter: string, key: string): boolean {
    return this.entries.delete(`${key} ${filter}`);
  }

  found(topic: string): string[] {
    const all = [...this.entries.values()];
    return all.filter((entry) => referenceMatches(entry.filter, topic)).map((entry) => entry.value);
  }

  filterCount(): number {
    return new Set([...this.entries.values()].map((entry) => entry.filter)).size;
  }
}

/** Few enough that nodes, keys and levels are freed and used again all the time. */
const crowded = fc.constantFrom(...everyFilter(["a", "b"], 2));

const steps = fc.array(
  fc.record({
    add: fc.boolean(),
    filter: fc.oneof(topicFilters, crowded),
    // More than are remembered after their last entry is gone.
    key: fc.oneof(fc.constantFrom("s1", "s2", "$share/g/t", "__proto__", "constructor"), fc.nat(100).map(String)),
  }),
  { maxLength: 120, size: "max" },
);

describe("SubscriptionIndex", () => {
  it("equals a list of filters through any sets and removes", () => {
    fc.assert(
      fc.property(steps, fc.array(topicNames, { minLength: 1, maxLength: 10 }), fc.nat(), (changes, topics, seed) => {
        const index = new SubscriptionIndex<string, string>(seed);
        const model = new Model();
        for (const [n, change] of changes.entries()) {
          if (change.add) {
            index.set(change.filter, change.key, `value ${n}`);
            model.set(change.filter, change.key, `value ${n}`);
          } else {
            expect(index.remove(change.filter, change.key)).toBe(model.remove(change.filter, change.key));
          }
        }
        for (const topic of [...topics, ...changes.map((change) => change.filter.replaceAll(/[+#]/g, "a"))]) {
          expect(found(index, topic).sort()).toEqual(model.found(topic).sort());
        }
        for (const entry of model.entries.values()) expect(index.get(entry.filter, entry.key)).toBe(entry.value);
        expect(index.size).toBe(model.entries.size);
        expect(index.filterCount).toBe(model.filterCount());
        for (const entry of model.entries.values()) index.remove(entry.filter, entry.key);
        expect([index.size, index.filterCount, index.nodeCount, index.levelCount]).toEqual([0, 0, 0, 2]);
      }),
      { numRuns: 150 },
    );
  });

  it("equals the reference for every small filter on every small topic, all in one index", () => {
    const filters = everyFilter(["", "a", "$s"], 3);
    const index = new SubscriptionIndex<string>();
    for (const filter of filters) index.set(filter, 1, filter);
    for (const topic of everyName(["", "a", "$s", "z"], 4)) {
      const expected = filters.filter((filter) => referenceMatches(filter, topic));
      expect(found(index, topic).sort()).toEqual(expected.sort());
    }
  });

  it("keeps a plain and a shared subscription on one filter apart (LESSONS 22)", () => {
    const index = new SubscriptionIndex<string, string>();
    index.set("t", "session", "plain");
    index.set("t", "$share/g/t", "group g");
    index.set("t", "$share/h/t", "group h");
    expect(index.remove("t", "$share/i/t")).toBe(false);
    expect(index.remove("t", "$share/g/t")).toBe(true);
    expect(found(index, "t")).toEqual(["plain", "group h"]);
    expect(index.remove("t", "session")).toBe(true);
    expect(found(index, "t")).toEqual(["group h"]);
  });

  it("visits in an order that depends on the calls alone, whatever the seed", () => {
    const order = (seed: number): string[] => {
      const index = new SubscriptionIndex<string>(seed);
      for (let n = 0; n < 200; n++) index.set(["a/b", "#", "a/+", "+/b", "a/#"][n % 5] as string, n, `${n}`);
      for (let n = 0; n < 200; n += 3) index.remove(["a/b", "#", "a/+", "+/b", "a/#"][n % 5] as string, n);
      return found(index, "a/b");
    };
    expect(order(1)).toEqual(order(0x1f_ffff_ffff_ffff));
    expect(order(1).length).toBe(133);
  });

  it("forgets levels and nodes: filters that come and go take no room", () => {
    const index = new SubscriptionIndex<number>();
    index.set("keep/+/x", 0, 0);
    const nodes = index.nodeCount;
    for (let n = 0; n < 20_000; n++) {
      index.set(`s/${n}/+/x`, n, n);
      expect(index.remove(`s/${n}/+/x`, n)).toBe(true);
    }
    expect(index.nodeCount).toBe(nodes);
    expect(found(index as unknown as SubscriptionIndex<string>, "keep/a/x")).toEqual([0]);
  });

  it("takes the same to subscribe and unsubscribe over and over, however many others there are", () => {
    const index = new SubscriptionIndex<number>();
    for (let n = 0; n < 50_000; n++) index.set(`t/${n % 100}`, n, n);
    const started = performance.now();
    for (let n = 0; n < 20_000; n++) {
      index.set("t/1", "restless", n);
      index.remove("t/1", "restless");
    }
    // About 20 ms; a Map of the keys alone would need seconds.
    expect(performance.now() - started).toBeLessThan(1_000);
    for (let n = 0; n < 1_000; n++) {
      index.set("t/new", `key ${n}`, n);
      index.remove("t/new", `key ${n}`);
    }
    expect(index.size).toBe(50_000);
  });

  it("costs the same for a topic whatever else is subscribed, and is bounded for hostile filters", () => {
    const index = new SubscriptionIndex<string>();
    // 2^10 filters that all follow the topic down to its last level and then fail.
    for (let bits = 0; bits < 1_024; bits++) {
      const levels = Array.from({ length: 10 }, (_, at) => (((bits >> at) & 1) === 1 ? "+" : "a"));
      index.set(`${levels.join("/")}/no`, bits, "no");
    }
    index.set("#", 0, "yes");
    expect(found(index, `${"a/".repeat(10)}yes`)).toEqual(["yes"]);
    expect(index.nodeCount).toBeLessThan(1_024 * 11);
    // Deep filters and topics: no recursion.
    index.set(`${"+/".repeat(30_000)}#`, 0, "deep");
    expect(found(index, "x/".repeat(30_000))).toEqual(["yes", "deep"]);
    expect(found(index, "x/".repeat(29_000))).toEqual(["yes"]);
  });

  it("refuses to be used from inside a match, and works again after a visitor threw", () => {
    const index = new SubscriptionIndex<string>();
    index.set("a", 1, "one");
    expect(() => index.match("a", () => index.remove("a", 1))).toThrow("from inside its own match");
    expect(() =>
      index.match("a", () => {
        throw new Error("visitor");
      }),
    ).toThrow("visitor");
    expect(found(index, "a")).toEqual(["one"]);
  });
});
