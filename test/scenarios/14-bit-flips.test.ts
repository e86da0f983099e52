// Single-bit flips and cuts of a real journal: found, or beyond everything acknowledged. A sample here; `npm run flips` takes 20,000.
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Server } from "../support/server.ts";
import { sweep } from "./flips.ts";
import { killedServer } from "./flips-journal.ts";

const samples = Number(process.env["MESS_FLIPS"] ?? 300);
let server: Server;

beforeAll(async () => {
  server = await killedServer();
}, 30_000);

afterAll(() => server.remove());

it(`${samples} damages: refused, or nothing that was acknowledged is missing`, async () => {
  const report = await sweep({ dataDir: server.dataDir, samples, seed: 1 });
  expect(report.wrong).toEqual([]);
  expect(report.damaged).toBeGreaterThan(samples / 4);
}, 300_000);
