import fc from "fast-check";
import { expect, test } from "vitest";
import { type DelayedEntry, DelayedHeap } from "./delayed-heap.ts";

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant("add" as const), dueAt: fc.nat(40), gap: fc.constantFrom(1, 1, 3, 5e9) }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("remove" as const), which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("move" as const), which: fc.nat() }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("reschedule" as const), which: fc.nat(), dueAt: fc.nat(40) }),
  },
  { weight: 3, arbitrary: fc.constant({ do: "first" as const }) },
);

function byTime(a: DelayedEntry, b: DelayedEntry): number {
  return a.dueAt - b.dueAt || a.seq - b.seq;
}

test("is a list in order of time, and one in order of place", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120, size: "max" }), fc.nat(41), fc.nat(10), (steps, dueAt, most) => {
      const heap = new DelayedHeap();
      let model: DelayedEntry[] = [];
      let place = 0;
      for (const one of steps) {
        if (one.do === "add") {
          place += one.gap;
          const entry = { seq: place, at: place, dueAt: one.dueAt, bytes: 10 };
          heap.add(entry);
          model.push(entry);
        } else if (one.do === "first") {
          model.sort(byTime);
          expect([heap.earliest(), heap.first()]).toEqual([model[0]?.dueAt, model[0]?.seq ?? 0]);
          const first = model.shift();
          if (first !== undefined) expect(heap.remove(first.seq)).toBe(true);
        } else {
          const known = model[one.which % (model.length + 1)];
          if (one.do === "reschedule") {
            const { dueAt } = one;
            heap.reschedule(known?.seq ?? place + 1, dueAt);
            model = model.map((entry) => (entry === known ? { ...entry, dueAt } : entry));
          } else if (one.do === "move") {
            heap.move(known?.seq ?? place + 1, ++place);
            model = model.map((entry) => (entry === known ? { ...entry, at: place } : entry));
          } else {
            expect(heap.remove(known?.seq ?? place + 1)).toBe(known !== undefined);
            model = model.filter((entry) => entry !== known);
          }
        }
      }
      expect(heap.size).toBe(model.length);
      expect(heap.bytes).toBe(model.length * 10);
      const seen: DelayedEntry[] = [];
      heap.inOrder((entry) => seen.push(entry) > 0);
      expect(seen).toEqual(model.sort(byTime));
      const after = { dueAt, seq: 7 };
      const later = model.filter((entry) => byTime(entry, { ...entry, ...after }) > 0);
      expect(heap.following(after, most)).toEqual(later.slice(0, most));
      const places: number[] = [];
      heap.inPlaces(2, 30, ({ at }) => places.push(at) > 0);
      expect(places).toEqual(
        model
          .map(({ at }) => at)
          .filter((at) => at >= 2 && at <= 30)
          .sort((a, b) => a - b),
      );
      expect(heap.bytesIn(2, 30)).toBe(places.length * 10);
      const saved: number[] = [];
      heap.save(3, (numbers) => saved.push(...numbers));
      const byPlace = [...model].sort((a, b) => a.at - b.at);
      expect(saved).toEqual(byPlace.flatMap((entry) => [entry.dueAt, entry.seq, entry.at, entry.bytes]));
      for (const entry of model) {
        expect(heap.get(entry.seq)).toEqual(entry);
        expect(heap.atPlace(entry.at)).toEqual(entry);
      }
    }),
  );
});

test("empty slots are closed, and nothing gets lost by it", () => {
  const heap = new DelayedHeap();
  for (let seq = 1; seq <= 60_000; seq++) heap.add({ seq, at: seq, dueAt: (seq * 7919) % 100_003, bytes: 1 });
  for (let seq = 1; seq <= 60_000; seq++) if (seq % 3 !== 0) heap.remove(seq);
  for (let seq = 60_001; seq <= 60_100; seq++) heap.add({ seq, at: seq, dueAt: 0, bytes: 1 });
  expect(heap.size).toBe(20_100);
  let last = -1;
  let count = 0;
  heap.inOrder(({ dueAt, seq }) => {
    expect(dueAt >= last && (seq % 3 === 0 || seq > 60_000)).toBe(true);
    last = dueAt;
    return ++count < 30_000;
  });
  expect(count).toBe(20_100);
  expect(heap.get(59_999)).toBeUndefined();
  expect(heap.get(60_000)?.at).toBe(60_000);
});
