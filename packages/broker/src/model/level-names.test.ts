import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LevelNames } from "./level-names.ts";
import { hostileLevels } from "./reference-matcher.test-data.ts";

const steps = fc.array(
  fc.tuple(fc.boolean(), fc.oneof(fc.constantFrom(...hostileLevels), fc.integer({ min: 0, max: 40 }).map(String))),
  { maxLength: 200 },
);

describe("LevelNames", () => {
  it("equals a Map of counted names through any acquires and releases", () => {
    fc.assert(
      fc.property(steps, fc.maxSafeNat(), (changes, seed) => {
        const names = new LevelNames(seed);
        const model = new Map<string, { id: number; uses: number }>();
        for (const [acquires, level] of changes) {
          const known = model.get(level);
          const inside = `<${level}>`;
          if (acquires) {
            const id = names.acquire(inside, 1, inside.length - 1);
            if (known === undefined) {
              expect([...model.values()].map((entry) => entry.id)).not.toContain(id);
              model.set(level, { id, uses: 1 });
            } else {
              expect(id).toBe(known.id);
              known.uses += 1;
            }
          } else if (known !== undefined) {
            names.release(known.id);
            known.uses -= 1;
            if (known.uses === 0) model.delete(level);
          }
          expect(names.find(inside, 1, inside.length - 1)).toBe(model.get(level)?.id ?? 0);
          expect(names.count).toBe(model.size);
        }
        for (const [level, { id }] of model) {
          expect(names.name(id)).toBe(level);
          expect(names.find(level, 0, level.length)).toBe(id);
        }
      }),
    );
  });
});
