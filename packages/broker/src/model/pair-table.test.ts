import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PairTable } from "./pair-table.ts";

const small = fc.integer({ min: 0, max: 12 });

describe("PairTable", () => {
  it("equals a Map through any adds and removes; ids are positive, unique and used again", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(small, small), { maxLength: 400, size: "max" }), fc.maxSafeNat(), (pairs, seed) => {
        const table = new PairTable(seed);
        const model = new Map<string, number>();
        const ids = new Set<number>();
        let most = 0;
        for (const [first, second] of pairs) {
          const key = `${first} ${second}`;
          const known = model.get(key);
          expect(table.find(first, second)).toBe(known ?? 0);
          if (known === undefined) {
            const id = table.add(first, second);
            expect(ids.has(id)).toBe(false);
            ids.add(id);
            model.set(key, id);
          } else {
            table.remove(known);
            ids.delete(known);
            model.delete(key);
          }
          most = Math.max(most, model.size);
          expect(table.count).toBe(model.size);
        }
        for (const [key, id] of model) {
          const [first, second] = key.split(" ").map(Number) as [number, number];
          expect(table.find(first, second)).toBe(id);
          expect([table.first(id), table.second(id)]).toEqual([first, second]);
          expect(id).toBeGreaterThan(0);
          expect(id).toBeLessThanOrEqual(most);
          expect(id).toBeLessThan(table.capacity);
        }
      }),
    );
  });
});
