import fc from "fast-check";
import { expect, test } from "vitest";
import { SeqHeap } from "./seq-heap.ts";

test("gives out what was put in, smallest first, whatever the order of puts and takes", () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.integer({ min: 1, max: 50 }))), (steps) => {
      const heap = new SeqHeap();
      let model: number[] = [];
      for (const step of steps) {
        if (step === null) expect(heap.pop()).toBe(model.shift() ?? 0);
        else {
          heap.push(step);
          model = [...model, step].sort((a, b) => a - b);
        }
        expect([heap.peek(), heap.size]).toEqual([model[0] ?? 0, model.length]);
      }
    }),
  );
});
