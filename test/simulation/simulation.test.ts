import { describe, expect, it } from "vitest";
import { plan } from "./operations.ts";
import { plantedBugs } from "./planted-bugs.ts";
import { Run } from "./run.ts";
import { shrink } from "./shrink.ts";
import { startBroker } from "./system-under-test.ts";

const SEEDS_MAX = 2_000;

describe("the broker on simulated machines", () => {
  it.each(Array.from({ length: 20 }, (_, i) => i + 1))("seed %i", async (seed) => {
    const { violation } = await new Run(plan(seed), { start: startBroker }).result();
    expect(violation?.message).toBeUndefined();
  });

  it("has one history for one seed, and another for another", async () => {
    const hash = async (seed: number): Promise<string> =>
      (await new Run(plan(seed), { start: startBroker }).result()).hash;
    const first = await hash(7);
    expect(await hash(7)).toBe(first);
    expect(await hash(8)).not.toBe(first);
  });

  it("does enough to mean something", async () => {
    let [acked, delivered, stops] = [0, 0, 0];
    for (let seed = 30; seed < 40; seed++) {
      const result = await new Run(plan(seed), { start: startBroker }).result();
      acked += result.acked;
      delivered += result.delivered;
      stops += result.stops;
    }
    expect(acked).toBeGreaterThan(300);
    expect(delivered).toBeGreaterThan(500);
    expect(stops).toBeGreaterThan(15);
  });
});

describe("planted bugs are found", () => {
  it.each(Object.keys(plantedBugs))("%s", async (name) => {
    const options = { start: startBroker, ...plantedBugs[name] };
    for (let seed = 1; seed <= SEEDS_MAX; seed++) {
      const planned = plan(seed);
      const { violation } = await new Run(planned, options).result();
      if (violation === undefined) continue;
      const shrunk = await shrink(planned, violation.rule, { ...options, runsMax: 30 });
      expect(shrunk?.operations.length).toBeLessThan(planned.operations.length);
      return;
    }
    expect.fail(`not found within ${SEEDS_MAX} seeds`);
  });
});
