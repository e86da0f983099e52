import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Deadline, Deadlines } from "./deadlines.ts";

function due(deadlines: Deadlines<string>, now: number, most?: number): string[] {
  const visited: string[] = [];
  const count = deadlines.due(now, (value) => visited.push(value), most);
  expect(count).toBe(visited.length);
  return visited;
}

const steps = fc.array(
  fc.tuple(fc.constantFrom("set", "set", "set", "set", "cancel", "cancel", "move", "due"), fc.nat(60), fc.nat(60)),
  { maxLength: 200, size: "max" },
);

describe("Deadlines", () => {
  it("equals a sorted list through any sets, cancels, moves and dues", () => {
    fc.assert(
      fc.property(steps, (changes) => {
        const deadlines = new Deadlines<string>();
        const handles: Deadline<string>[] = [];
        let model: { value: string; time: number; order: number; handle: Deadline<string> }[] = [];
        for (const [n, [change, which, time]] of changes.entries()) {
          const handle = handles[which % Math.max(1, handles.length)];
          const known = model.find((entry) => entry.handle === handle);
          if (change === "set") {
            const set = deadlines.set(time, `${n}`);
            handles.push(set);
            model.push({ value: `${n}`, time, order: n, handle: set });
          } else if (change === "cancel" && handle !== undefined) {
            expect(deadlines.cancel(handle)).toBe(known !== undefined);
            model = model.filter((entry) => entry !== known);
          } else if (change === "move" && handle !== undefined) {
            expect(deadlines.move(handle, time)).toBe(known !== undefined);
            if (known !== undefined) Object.assign(known, { time, order: n });
          } else if (change === "due") {
            model.sort((a, b) => a.time - b.time || a.order - b.order);
            const most = which % 3 === 0 ? 2 : undefined;
            // Mostly early times, so that the heap gets deep.
            const now = time >> 2;
            const expected = model.filter((entry) => entry.time <= now).slice(0, most);
            expect(due(deadlines, now, most)).toEqual(expected.map((entry) => entry.value));
            model = model.filter((entry) => !expected.includes(entry));
          }
          expect(deadlines.size).toBe(model.length);
          expect(deadlines.earliest()).toBe(
            model.length === 0 ? undefined : Math.min(...model.map((entry) => entry.time)),
          );
        }
        const pending = new Set(model.map((entry) => entry.handle));
        expect(handles.filter((handle) => handle.pending !== pending.has(handle))).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  it("does not visit what an earlier visit cancelled or moved, and leaves what it set for the next call", () => {
    const deadlines = new Deadlines<string>();
    const handles = new Map<string, Deadline<string>>();
    for (const value of ["a", "b", "c", "d"]) handles.set(value, deadlines.set(1, value));
    const visited: string[] = [];
    deadlines.due(5, (value) => {
      visited.push(value);
      if (value !== "a") return;
      deadlines.cancel(handles.get("b") as Deadline<string>);
      deadlines.move(handles.get("c") as Deadline<string>, 9);
      deadlines.set(0, "again");
      expect(deadlines.move(handles.get("a") as Deadline<string>, 9)).toBe(false);
    });
    expect(visited).toEqual(["a", "d"]);
    expect(due(deadlines, 5)).toEqual(["again"]);
    expect(due(deadlines, 9)).toEqual(["c"]);
    expect([deadlines.size, deadlines.earliest()]).toEqual([0, undefined]);
  });

  it("keeps the rest when a visit throws", () => {
    const deadlines = new Deadlines<string>();
    for (const value of ["a", "b", "c"]) deadlines.set(1, value);
    expect(() =>
      deadlines.due(1, () => {
        throw new Error("visit");
      }),
    ).toThrow("visit");
    expect(due(deadlines, 1)).toEqual(["b", "c"]);
  });
});
