import fc from "fast-check";
import { expect, test } from "vitest";
import type { AuditPage, AuditRecord } from "../model/audit.ts";
import { World } from "./world.test-data.ts";

type Step =
  | { readonly do: "audit"; readonly event: string; readonly principal: string }
  | { readonly do: "act" | "publish" | "commit" | "tidy" | "snapshot" | "crash" }
  | { readonly do: "wait"; readonly seconds: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("audit" as const),
      event: fc.constantFrom("acl.deny", "acl.other", "auth.fail"),
      principal: fc.constantFrom("p", "q"),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({ do: fc.constantFrom("act", "publish", "publish", "commit", "commit", "tidy") }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("snapshot", "crash") }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("wait" as const), seconds: fc.constantFrom(1, 1_000, 3_000) }) },
);

const keepSeconds = 3_600;

/** A journal whose segments are small, and records of the trail as a plain list beside it. */
class Trail {
  readonly world: World = new World({
    journal: { framesPerSegment: 2, cachedFrames: 2 },
    limits: { auditSecondsMax: keepSeconds },
  });
  readonly records: AuditRecord[] = [];
  #notDurable = 0;
  #published = 0;

  play(step: Step): void {
    const { world } = this;
    const { machine, journal, clock } = world;
    switch (step.do) {
      case "audit":
        this.#write(step.event, { principal: step.principal }, (event, detail) => machine.audit.write(event, detail));
        break;
      case "act":
        this.#write("key.created", { by: "admin" }, (event, detail) => machine.audit.act(event, detail));
        break;
      case "publish":
        world.connected("c").publish("a", `m${this.#published++}`);
        this.#notDurable = 0;
        break;
      case "commit":
        world.commit();
        this.#notDurable = 0;
        break;
      case "tidy":
        for (let i = 0; i < 3; i++) {
          machine.tidy();
          journal.answerFetches();
          world.commit();
        }
        this.#notDurable = 0;
        break;
      case "snapshot":
        world.snapshot();
        this.#notDurable = 0;
        break;
      case "crash":
        this.records.splice(this.records.length - this.#notDurable);
        this.#notDurable = 0;
        world.restart();
        break;
      case "wait":
        clock.wall += step.seconds * 1000;
        clock.steady += step.seconds * 1000;
        break;
    }
  }

  #write(
    event: string,
    detail: Record<string, string>,
    write: (event: string, detail: Record<string, string>) => void,
  ): void {
    write(event, detail);
    this.records.push({ seq: this.world.journal.lastSeq, at: this.world.clock.wall, event, detail });
    this.#notDurable++;
  }

  /** Everything that is kept, in pages of three. */
  read(wish: { readonly event?: string; readonly principal?: string } = {}): AuditRecord[] {
    const found: AuditRecord[] = [];
    let from = 0;
    for (let pages = 0; pages < 500; pages++) {
      let page: AuditPage | undefined;
      this.world.machine.auditReading.page({ from, limit: 3, ...wish }, (answer) => {
        page = answer;
      });
      for (let reads = 0; page === undefined && reads < 5_000; reads++) {
        this.world.journal.answerFetches();
        this.world.commit();
      }
      if (page === undefined) throw new Error("no page came");
      expect(page.records.length).toBeLessThanOrEqual(3);
      found.push(...page.records);
      if (!page.more) return found;
      expect(page.next).toBeGreaterThan(from);
      from = page.next;
    }
    throw new Error("the pages never end");
  }
}

test("the trail keeps its own records, in order, while segments are dropped and the power goes", () => {
  let dropped = 0;
  let read = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 90, size: "max" }), (steps) => {
      const trail = new Trail();
      for (const one of steps) trail.play(one);
      trail.world.commit();
      const oldest = trail.world.clock.wall - keepSeconds * 1000;
      const own = (record: AuditRecord): boolean => /^(?:acl|auth|key)\./u.test(record.event);
      const found = trail.read().filter(own);
      // Whole runs are forgotten: what is older may be there still, and nothing newer is missing.
      const seqs = new Set(found.map(({ seq }) => seq));
      const expected = trail.records.filter(({ seq }) => seqs.has(seq));
      expect(found).toEqual(expected);
      const young = trail.records.filter(({ at }) => at > oldest);
      expect(found.slice(found.length - young.length)).toEqual(young);
      expect(trail.read({ event: "acl.*" })).toEqual(expected.filter(({ event }) => event.startsWith("acl.")));
      expect(trail.read({ principal: "admin" }).filter(own)).toEqual(
        expected.filter(({ event }) => event === "key.created"),
      );
      dropped += trail.world.journal.dropped.length;
      read += found.length;
    }),
    { numRuns: 300 },
  );
  expect(dropped).toBeGreaterThan(100);
  expect(read).toBeGreaterThan(1_000);
});

test("records older than their time are forgotten, and let their segments go", () => {
  const trail = new Trail();
  const old: Step[] = [{ do: "act" }, { do: "commit" }, { do: "publish" }, { do: "commit" }];
  for (const one of [...old, ...old]) trail.play(one);
  trail.play({ do: "wait", seconds: keepSeconds + 1 });
  trail.play({ do: "act" });
  for (let i = 0; i < 5; i++)
    for (const one of [{ do: "commit" }, { do: "snapshot" }, { do: "tidy" }] as const) trail.play(one);
  expect(trail.read().map(({ at }) => at)).toEqual([trail.world.clock.wall]);
});
