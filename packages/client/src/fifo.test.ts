import fc from "fast-check";
import { expect, it } from "vitest";
import { Fifo } from "./fifo.ts";

it("does what an array does", () => {
  const operation = fc.oneof(
    { weight: 5, arbitrary: fc.nat().map((value) => ({ name: "push" as const, value })) },
    { weight: 4, arbitrary: fc.constant({ name: "shift" as const, value: 0 }) },
    { weight: 1, arbitrary: fc.constant({ name: "filter" as const, value: 0 }) },
  );
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 500 }), (operations) => {
      const fifo = new Fifo<number>();
      let model: number[] = [];
      for (const { name, value } of operations) {
        if (name === "push") {
          fifo.push(value);
          model.push(value);
        } else if (name === "shift") {
          expect(fifo.shift()).toBe(model.shift());
        } else {
          fifo.filter((item) => item % 2 === 0);
          model = model.filter((item) => item % 2 === 0);
        }
        expect(fifo.length).toBe(model.length);
        expect(fifo.peek()).toBe(model[0]);
      }
    }),
  );
});

it("keeps its order when it compacts", () => {
  const fifo = new Fifo<number>();
  for (let index = 0; index < 5000; index += 1) fifo.push(index);
  for (let index = 0; index < 5000; index += 1) expect(fifo.shift()).toBe(index);
  expect(fifo.shift()).toBeUndefined();
});
