import { resolve } from "node:path";
import type { RepairOutcome } from "@mess/broker";
import type { RepairOptions } from "../commands/repair.ts";
import type { Io } from "../io.ts";
import { kekFlags } from "../kek-options.ts";
import { defaultData } from "../target/target.ts";
import { confirm } from "../terminal/confirm.ts";
import { note, print, printJson } from "../terminal/print.ts";
import { ProgressBar } from "../terminal/progress-bar.ts";
import { formatCount } from "../units.ts";
import { loadBroker } from "./broker-library.ts";

export async function repair(io: Io, data: string | undefined, options: RepairOptions): Promise<void> {
  const directory = resolve(io.cwd, data ?? (io.env["MESS_DATA"] || defaultData));
  const dryRun = options.dryRun === true;
  const question = `go on with what is left of ${directory}`;
  if (!dryRun && !(await confirm(io, question, options.yes ?? false))) return note(io, "nothing was changed");
  const { repairOffline } = await loadBroker();
  const bar = new ProgressBar(io.stderr, "repair");
  const onProgress = (done: number, total: number): void => bar.update(done, total);
  const outcome = await repairOffline({
    data: directory,
    flags: kekFlags(options),
    env: io.env,
    dryRun,
    onProgress,
  }).finally(() => bar.clear());
  if (options.json === true) return printJson(io, outcome);
  await print(io, textOf(outcome));
}

function textOf(outcome: RepairOutcome): string {
  const { problem, records, firstSeq, lost, snapshotSeq, segmentsLost, kept, note: file } = outcome;
  if (problem === undefined) return "nothing is damaged, and nothing was changed\n";
  const count = lost.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const verb = kept === undefined ? "would be" : count === 1 ? "is" : "are";
  const ranges = lost.slice(0, 20).map(({ first, last }) => (first === last ? `${first}` : `${first} to ${last}`));
  const more = lost.length > ranges.length ? `, and ${lost.length - ranges.length} ranges more` : "";
  return [
    `damaged: ${problem}`,
    `${formatCount(records)} records can be read`,
    count === 0 ? "no record is lost" : `${recordsText(count)} ${verb} lost: ${ranges.join(", ")}${more}`,
    ...(segmentsLost.length > 0 ? [`segments of which nothing can be read: ${segmentsLost.join(", ")}`] : []),
    ...(snapshotSeq === 0 && firstSeq > 1
      ? ["no whole snapshot is left: sessions, keys and settings older than the records are lost"]
      : []),
    ...(kept === undefined
      ? []
      : [`the damaged directory is kept as ${kept}; what was lost is stated in ${file ?? ""}`]),
    "",
  ].join("\n");
}

function recordsText(count: number): string {
  return count === 1 ? "1 record" : `${formatCount(count)} records`;
}
