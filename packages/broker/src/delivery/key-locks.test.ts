import fc from "fast-check";
import { expect, test } from "vitest";
import { KeyLocks } from "./key-locks.ts";

const key = fc.constantFrom("a", "b");
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("acquire" as const), key }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("release" as const), key }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("unpark" as const), key, which: fc.nat(4) }) },
);

test("each key goes from one number to the next that asked, as queues would do it", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const locks = new KeyLocks();
      const model: Record<string, number[]> = { a: [], b: [] };
      let seq = 0;
      for (const one of steps) {
        const line = model[one.key] as number[];
        if (one.do === "acquire") {
          line.push(++seq);
          expect(locks.acquire(one.key, seq)).toBe(line.length === 1);
          if (line.length === 1) expect(locks.acquire(one.key, seq)).toBe(true);
        } else if (one.do === "release") {
          const holder = line.shift();
          expect(locks.release(one.key, holder ?? 1)).toBe(holder === undefined ? 0 : (line[0] ?? 0));
        } else {
          const [gone] = line.length > 1 ? line.splice(1 + (one.which % (line.length - 1)), 1) : [];
          locks.unpark(one.key, gone ?? 0);
        }
        const parked = Object.values(model).reduce((sum, { length }) => sum + Math.max(0, length - 1), 0);
        expect([locks.holderOf(one.key), locks.parked]).toEqual([line[0] ?? 0, parked]);
        expect(locks.keyOf(line[0] ?? -1)).toBe(line.length > 0 ? one.key : undefined);
      }
    }),
  );
});

test("a long line costs no more for each, and holds no more than waits", () => {
  const locks = new KeyLocks();
  for (let seq = 1; seq <= 10_000; seq++) locks.acquire("a", seq);
  for (let seq = 1; seq < 10_000; seq++) expect(locks.release("a", seq)).toBe(seq + 1);
  expect([locks.release("a", 10_000), locks.busy, locks.parked]).toEqual([0, 0, 0]);
});
