/** `npm run torture -- [--cycles N] [--seed S]`: the kill loop, long. Prints one line of JSON; exit code 1 when something was lost. */
import { parseArgs } from "node:util";
import { Server } from "../support/server.ts";
import { torture } from "./torture.ts";

const { values } = parseArgs({
  options: { cycles: { type: "string", default: "100" }, seed: { type: "string", default: "1" } },
});
const server = await Server.start();
try {
  const report = await torture(server, { cycles: Number(values.cycles), seed: Number(values.seed) });
  const shown = Object.fromEntries(
    Object.entries(report).map(([name, value]) => [name, Array.isArray(value) ? value.length : value]),
  );
  const valid = [report.lost, report.duplicates, report.disordered, report.unexpected].every(
    (list) => list.length === 0,
  );
  process.stdout.write(`${JSON.stringify({ valid, ...shown })}\n`);
  for (const list of [report.lost, report.duplicates, report.disordered, report.unexpected]) {
    for (const each of list.slice(0, 20)) process.stderr.write(`${each}\n`);
  }
  process.exitCode = valid ? 0 : 1;
} finally {
  await server.remove();
}
