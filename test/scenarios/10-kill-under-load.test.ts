// kill -9 under load: nothing acknowledged is lost, no QoS 2 message comes twice, order is kept (RELIABILITY D1 to D5).
// A few cycles here; `npm run torture` does a hundred. MESS_TORTURE_CYCLES and MESS_TORTURE_SEED change the run.
import { expect, it } from "vitest";
import { useServer } from "../support/suite.ts";
import { torture } from "./torture.ts";

const shared = useServer();
const cycles = Number(process.env["MESS_TORTURE_CYCLES"] ?? 6);
const seed = Number(process.env["MESS_TORTURE_SEED"] ?? 1);

it(
  `${cycles} cycles, seed ${seed}`,
  async () => {
    const report = await torture(shared.server, { cycles, seed });
    const { lost, duplicates, disordered, unexpected, ...figures } = report;
    expect({
      lost: lost.slice(0, 5),
      duplicates: duplicates.slice(0, 5),
      disordered: disordered.slice(0, 5),
      unexpected: unexpected.slice(0, 5),
      figures,
    }).toEqual({
      lost: [],
      duplicates: [],
      disordered: [],
      unexpected: [],
      figures,
    });
    // the run must have done something
    expect(figures.kills).toBe(cycles);
    expect(figures.acknowledged).toBeGreaterThan(20 * cycles);
  },
  60_000 + cycles * 5_000,
);
