import fc from "fast-check";
import { expect, test } from "vitest";
import { TimedSeqs } from "./timed-seqs.ts";

const step = fc.oneof(
  fc.record({ time: fc.nat(20), seq: fc.integer({ min: 1, max: 50 }) }),
  fc.record({ due: fc.nat(25) }),
);

test("gives out what is due, earliest first, of one time the smaller number first", () => {
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const seqs = new TimedSeqs();
      let model: { time: number; seq: number }[] = [];
      for (const one of steps) {
        if ("due" in one) {
          const next = model[0] !== undefined && model[0].time <= one.due ? model.shift() : undefined;
          expect(seqs.popDue(one.due)).toBe(next?.seq ?? 0);
        } else {
          seqs.push(one.time, one.seq);
          model = [...model, one].sort((a, b) => a.time - b.time || a.seq - b.seq);
        }
        expect([seqs.earliest(), seqs.size]).toEqual([model[0]?.time, model.length]);
      }
    }),
  );
});
