import fc from "fast-check";
import { expect, test } from "vitest";
import { MessageIds } from "./message-ids.ts";
import { TestClock } from "./world.test-data.ts";

const windowMs = 1_000;

function make(clock: TestClock, limits: { idsMax?: number; idsPerPrincipalMax?: number } = {}): MessageIds {
  return new MessageIds({ clock, seed: 3, windowMs, idsMax: 1_000, idsPerPrincipalMax: 1_000, ...limits });
}

/** As the snapshot and the journal bring it back. */
function restarted(ids: MessageIds, clock: TestClock): MessageIds {
  const next = make(clock);
  ids.forEach((principal, id, seq, at) => next.restore(principal, id, seq, at));
  next.restored();
  return next;
}

const step = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      do: fc.constant("publish" as const),
      principal: fc.constantFrom("a", "b", "a\u0000b"),
      id: fc.oneof(fc.constantFrom("1", "2", "é", "x".repeat(128)), fc.nat(200).map(String)),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(1, 90, 400, 999, 1_000) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("jump" as const), ms: fc.constantFrom(-1e9, -500, 500, 1e9) }) },
  { weight: 1, arbitrary: fc.constant({ do: "restart" as const }) },
);

test("an id is known exactly as long as the window, over restarts and jumps of the clock", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 300, size: "max" }), (steps) => {
      const clock = new TestClock();
      let ids = make(clock);
      const model = new Map<string, { seq: number; at: number }>();
      let seq = 0;
      for (const one of steps) {
        if (one.do === "wait") {
          clock.wall += one.ms;
          clock.steady += one.ms;
        } else if (one.do === "jump") clock.wall += one.ms;
        else if (one.do === "restart") ids = restarted(ids, clock);
        else {
          const key = JSON.stringify([one.principal, one.id]);
          const known = model.get(key);
          const first = known !== undefined && clock.steady - known.at < windowMs ? known.seq : 0;
          expect(ids.find(one.principal, one.id)).toBe(first);
          if (first > 0) continue;
          ids.add(one.principal, one.id, ++seq, 0);
          model.set(key, { seq, at: clock.steady });
        }
      }
    }),
  );
});

test("what a clock that went ahead wrote is remembered for a window from the start on, and no longer", () => {
  const clock = new TestClock();
  const ids = make(clock);
  ids.restore("a", "1", 7, clock.wall + 1e9);
  ids.restored();
  clock.steady += windowMs - 1;
  expect(ids.find("a", "1")).toBe(7);
  clock.steady += 1;
  expect(ids.find("a", "1")).toBe(0);
});

test("full: refused until one is over, then taken; other principals have their own share", () => {
  const clock = new TestClock();
  const ids = make(clock, { idsMax: 4, idsPerPrincipalMax: 2 });
  ids.add("a", "1", 1, 0);
  expect(ids.whyFull("a", 0, true)).toBe("");
  expect(ids.whyFull("a", 1, true)).toContain("2 at most for a principal");
  clock.steady += 10;
  ids.add("a", "2", 2, 0);
  expect(ids.whyFull("a", 0, true)).toContain("2 at most for a principal");
  expect(ids.whyFull("a", 0, false)).toBe("");
  expect(ids.whyFull("b", 0, true)).toBe("");
  ids.add("b", "1", 3, 0);
  ids.add("b", "2", 4, 0);
  expect(ids.whyFull("c", 0, true)).toContain("remembers 4 at most");
  clock.steady += windowMs - 10;
  expect(ids.whyFull("c", 0, true)).toBe("");
  expect(ids.find("a", "1")).toBe(0);
  expect(ids.find("a", "2")).toBe(2);
});

test("recovery of more than were ever remembered at once keeps the newest", () => {
  const ids = make(new TestClock(), { idsMax: 100 });
  for (let seq = 1; seq <= 10_000; seq++) ids.restore("a", String(seq), seq, 1_700_000_000_000);
  expect(ids.size).toBeLessThanOrEqual(200);
  expect(ids.find("a", "10000")).toBe(10_000);
  expect(ids.find("a", "9901")).toBe(9_901);
});
