/** `npm run overload -- [--only 01,04] [--smoke] [--json]`: every load of the table, one after the other, and what it did to the broker. Exit code 1 when a row fails. */
import { parseArgs } from "node:util";
import { canPin, pinThisProcess } from "./pin.ts";
import type { Check, Row } from "./row.ts";
import { rows } from "./rows.ts";
import { mb, type RowReport, runRow } from "./run-row.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    smoke: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

pinThisProcess();
if (!canPin) process.stderr.write("taskset or a second core is missing: server and load share what there is\n");
const only = values.only?.split(",");
const chosen = rows.filter(({ id }) => only === undefined || only.includes(id));
if (!values.json)
  process.stdout.write(
    "| Row | RSS before / peak / after | PINGRESP p99 | QoS 1 p99 | Verdict |\n| --- | --- | --- | --- | --- |\n",
  );
let failed = 0;
for (const row of chosen) {
  const report = await runOrFail(row);
  const broken = [...report.checks, ...(values.smoke ? [] : report.timed)].filter(({ holds }) => !holds);
  if (broken.length > 0) failed += 1;
  process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : `${line(report, broken)}\n`);
  if (!values.json) tell(row, report);
}
process.exitCode = failed > 0 ? 1 : 0;

async function runOrFail(row: Row): Promise<RowReport> {
  try {
    return await runRow(row, values.smoke ? "smoke" : "full");
  } catch (error) {
    const seen = error instanceof Error ? error.message : String(error);
    const none = { baselineBytes: 0, peakBytes: 0, afterBytes: 0, pingP99Ms: 0, publishP99Ms: 0, acknowledged: 0 };
    const checks = [{ what: "the row can be run", holds: false, seen }];
    return { id: row.id, title: row.title, load: "", ...none, checks, timed: [] };
  }
}

function line(report: RowReport, broken: readonly Check[]): string {
  const { id, title, baselineBytes, peakBytes, afterBytes, pingP99Ms, publishP99Ms } = report;
  const memory = `${mb(baselineBytes)} / ${mb(peakBytes)} / ${mb(afterBytes)}`;
  const verdict =
    broken.length === 0 ? "passed" : `FAILED: ${broken.map(({ what, seen }) => `${what} (${seen})`).join("; ")}`;
  return `| ${id} ${title} | ${memory} | ${Math.round(pingP99Ms)} ms | ${Math.round(publishP99Ms)} ms | ${verdict} |`;
}

function tell(row: Row, report: RowReport): void {
  const checks = report.checks.map(
    ({ what, holds, seen }) => `  ${holds ? "ok " : "NOT"} ${what}${seen === "" ? "" : `: ${seen}`}`,
  );
  process.stderr.write(`${row.id} ${report.load}; ${report.acknowledged} acknowledged\n${checks.join("\n")}\n`);
}
