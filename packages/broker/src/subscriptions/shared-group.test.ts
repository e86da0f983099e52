import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SharedGroup } from "./shared-group.ts";

const always = (): boolean => true;

describe("SharedGroup", () => {
  it("gives each ready member its turn", () => {
    const group = new SharedGroup<string>();
    for (const member of ["a", "b", "c"]) group.add(member);
    const turns = Array.from({ length: 7 }, () => group.nextReady(always));
    expect(turns).toEqual(["a", "b", "c", "a", "b", "c", "a"]);
    expect(group.nextReady((member) => member !== "b")).toBe("c");
    expect(group.nextReady(always)).toBe("a");
    expect(group.nextReady(() => false)).toBeUndefined();
    expect(group.nextReady(always)).toBe("b");
    expect(new SharedGroup().nextReady(always)).toBeUndefined();
  });

  it("lets a new member wait for the end of the round, and a leaving one take nobody's turn", () => {
    const group = new SharedGroup<string>();
    for (const member of ["a", "b", "c"]) expect(group.add(member)).toBe(true);
    expect(group.nextReady(always)).toBe("a");
    expect(group.add("d")).toBe(true);
    expect(group.add("d")).toBe(false);
    expect(group.remove("b")).toBe(true);
    expect(group.remove("b")).toBe(false);
    expect(Array.from({ length: 4 }, () => group.nextReady(always))).toEqual(["c", "a", "d", "c"]);
  });

  it("is a queue of turns, through any changes", () => {
    const steps = fc.array(fc.tuple(fc.constantFrom("add", "remove", "next"), fc.nat(6)), { maxLength: 80 });
    fc.assert(
      fc.property(steps, (changes) => {
        const group = new SharedGroup<number>();
        let queue: number[] = [];
        for (const [change, n] of changes) {
          if (change === "add") {
            expect(group.add(n)).toBe(!queue.includes(n));
            if (!queue.includes(n)) queue.push(n);
          } else if (change === "remove") {
            expect(group.remove(n)).toBe(queue.includes(n));
            queue = queue.filter((member) => member !== n);
          } else {
            // Even members are ready; those asked before are behind it now.
            const at = queue.findIndex((member) => member % 2 === 0);
            expect(group.nextReady((member) => member % 2 === 0)).toBe(queue[at]);
            if (at >= 0) queue = [...queue.slice(at + 1), ...queue.slice(0, at + 1)];
          }
          expect([...group.members()]).toEqual(queue);
          expect(group.size).toBe(queue.length);
          expect(group.has(n)).toBe(queue.includes(n));
        }
      }),
    );
  });
});
