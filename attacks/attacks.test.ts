// Every attack of the threat model against mess, in sizes a build can afford: all of them must fail (THREATS.md).
import { afterAll, beforeAll, expect, it } from "vitest";
import { attacks } from "./attacks.ts";
import type { Broker } from "./support/broker.ts";
import { runAttack } from "./support/run-attack.ts";
import { startTarget } from "./support/start-target.ts";
import { lineOf } from "./support/table.ts";

let broker: Broker;

beforeAll(async () => {
  broker = await startTarget("mess");
}, 30_000);

afterAll(() => broker.remove());

it.each(attacks)(
  "$id $title",
  async (attack) => {
    const result = await runAttack(attack, broker, { full: false });
    expect(lineOf(result)).toContain("resisted");
    expect(result.verdict).toBe("resisted");
  },
  60_000,
);

it("leaves no row of the threat model out", () => {
  const counts = { A: 17, B: 16, C: 5, D: 11, E: 15 };
  const rows = Object.entries(counts).flatMap(([letter, count]) =>
    Array.from({ length: count }, (_, index) => `${letter}${index + 1}`),
  );
  // limits of rates are not there yet
  expect(attacks.map(({ id }) => id)).toEqual(rows.filter((id) => id !== "D6"));
});
