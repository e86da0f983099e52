import fc from "fast-check";
import { expect, test } from "vitest";
import type { Deadline } from "./deadlines.ts";
import { Leases, type Timed } from "./leases.ts";

class Lease implements Timed<Lease> {
  readonly offset: number;
  deadline: number;
  before: Lease | undefined;
  after: Lease | undefined;
  apart: Deadline<Lease> | undefined;

  constructor(offset: number, deadline: number) {
    this.offset = offset;
    this.deadline = deadline;
  }
}

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("add" as const), time: fc.nat(30) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("remove" as const), which: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("move" as const), which: fc.nat(9), time: fc.nat(60) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("expire" as const), most: fc.constantFrom(1, 2, 100) }) },
);

test("are found by their message, and expire when they should, through any grants, ends and extensions", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const leases = new Leases<Lease>();
      const model = new Map<number, Lease>();
      let offset = 0;
      let now = 0;
      for (const one of steps) {
        const [chosen] = [...model.values()].slice("which" in one ? one.which % Math.max(1, model.size) : 0);
        if (one.do === "add") {
          const lease = new Lease(++offset, now + one.time);
          leases.add(lease);
          model.set(offset, lease);
        } else if (one.do === "expire") {
          now += 7;
          const expired: number[] = [];
          leases.expire(now, (lease) => expired.push(lease.offset), one.most);
          const due = [...model.values()].filter(({ deadline }) => deadline <= now).map((lease) => lease.offset);
          expect(expired.every((each) => due.includes(each))).toBe(true);
          expect(expired.length).toBe(Math.min(one.most, due.length));
          for (const each of expired) model.delete(each);
        } else if (chosen !== undefined && one.do === "move") leases.move(chosen, now + one.time);
        else if (chosen !== undefined) {
          expect([leases.remove(chosen), leases.remove(chosen)]).toEqual([true, false]);
          model.delete(chosen.offset);
        }
        const deadlines = [...model.values()].map(({ deadline }) => deadline);
        expect(leases.earliest()).toBe(deadlines.length === 0 ? undefined : Math.min(...deadlines));
        expect([...leases.values()].sort((a, b) => a.offset - b.offset)).toEqual([...model.values()]);
      }
    }),
  );
});
