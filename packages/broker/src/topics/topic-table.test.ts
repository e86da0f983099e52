import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { topicNames } from "../model/reference-matcher.test-data.ts";
import { TopicTable } from "./topic-table.ts";

function add<T extends {}>(table: TopicTable<T>, name: string, value: T): T {
  const bytes = Buffer.from(name);
  return table.add(bytes, 0, bytes.length, value);
}

/** Looks the name up in the middle of a larger packet. */
function find<T extends {}>(table: TopicTable<T>, name: string): T | undefined {
  const bytes = Buffer.from(`/x${name}y/`);
  return table.find(bytes, 2, bytes.length - 2);
}

describe("TopicTable", () => {
  it("equals a Map while it has room, whatever the seed", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(topicNames, fc.nat()), { maxLength: 80 }), fc.maxSafeNat(), (entries, seed) => {
        const table = new TopicTable<{ n: number }>({ capacity: 100, seed });
        const model = new Map<string, { n: number }>();
        for (const [name, n] of entries) {
          const value = { n };
          expect(add(table, name, value)).toBe(value);
          model.set(name, value);
          expect(find(table, `${name}/`)).toBe(model.get(`${name}/`));
        }
        for (const [name, value] of model) expect(find(table, name)).toBe(value);
        expect(table.size).toBe(model.size);
        expect(new Set(table.values())).toEqual(new Set(model.values()));
        table.clear();
        expect([table.size, [...table.values()]]).toEqual([0, []]);
        for (const name of model.keys()) expect(find(table, name)).toBeUndefined();
      }),
    );
  });

  it("never holds more than its capacity, reports each value it puts out once, and finds the rest", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.array(fc.tuple(fc.boolean(), fc.nat(60)), { maxLength: 300, size: "max" }),
        (capacity, steps) => {
          const live = new Map<string, { name: string }>();
          const table = new TopicTable<{ name: string }>({
            capacity,
            seed: 1,
            evicted: (value) => {
              expect(live.get(value.name)).toBe(value);
              live.delete(value.name);
            },
          });
          for (const [adds, n] of steps) {
            // Long enough that the names are moved together now and then.
            const name = `topic/${n}/${"x".repeat(n * 5)}`;
            if (!adds || live.has(name)) {
              expect(find(table, name)).toBe(live.get(name));
              continue;
            }
            const value = { name };
            add(table, name, value);
            live.set(name, value);
            expect(table.size).toBe(live.size);
            expect(live.size).toBeLessThanOrEqual(capacity);
          }
          for (const [name, value] of live) expect(find(table, name)).toBe(value);
        },
      ),
    );
  });

  it("keeps what is in use through a flood of one-shot names", () => {
    const table = new TopicTable<{ n: number }>({ capacity: 1_000, seed: 7 });
    const used = Array.from({ length: 500 }, (_, n) => `used/${n}`);
    for (const [n, name] of used.entries()) add(table, name, { n });
    for (let n = 0; n < 20_000; n++) {
      if (n % 250 === 0) for (const name of used) find(table, name);
      add(table, `flood/${n}`, { n });
    }
    expect(used.filter((name) => find(table, name) === undefined)).toEqual([]);
  });

  it("bounds the bytes of names too", () => {
    const table = new TopicTable<{ n: number }>({ capacity: 1_000, seed: 7, textBytesMax: 8_192 });
    for (let n = 0; n < 2_000; n++) {
      const name = `${n}/${"x".repeat(1_000)}`;
      add(table, name, { n });
      expect(find(table, name)).toEqual({ n });
      expect(table.size).toBeLessThanOrEqual(8);
    }
    const huge = "h".repeat(60_000);
    add(table, huge, { n: -1 });
    expect(find(table, huge)).toEqual({ n: -1 });
    expect(table.size).toBe(1);
  });

  it("tells names apart that share a prefix, a length or nothing but bytes", () => {
    const table = new TopicTable<{ n: number }>({ capacity: 100, seed: 0 });
    const names = [
      "",
      "\u0000",
      "\u0000\u0000",
      "a",
      "ab",
      "abc",
      "abcd",
      "abcde",
      "abce",
      "é",
      "e\u0301",
      "__proto__",
    ];
    for (const [n, name] of names.entries()) add(table, name, { n });
    for (const [n, name] of names.entries()) expect(find(table, name)).toEqual({ n });
    expect(table.size).toBe(names.length);
  });
});
