/** The table that `npm run attacks` prints. */
import type { TargetName } from "./broker.ts";
import type { AttackResult, Verdict } from "./run-attack.ts";

const shown: Readonly<Record<Verdict, string>> = {
  resisted: "resisted",
  succeeded: "SUCCEEDED",
  unguarded: "SUCCEEDED (unguarded)",
  "not applicable": "not applicable",
  unclear: "UNCLEAR",
};

const detailLength = 300;

export function lineOf(result: AttackResult): string {
  const first = `${result.id.padEnd(4)} ${shown[result.verdict].padEnd(22)} ${result.title} (${result.milliseconds} ms)`;
  const told = result.steps.filter(({ verdict }) => verdict !== "resisted" && result.verdict !== "resisted");
  const details = told.map(({ name, verdict, detail }) => `       ${shown[verdict]}: ${name}: ${short(detail)}`);
  return [first, ...details].join("\n");
}

export function summaryOf(target: TargetName, results: readonly AttackResult[]): string {
  const count = (wanted: Verdict): number => results.filter(({ verdict }) => verdict === wanted).length;
  const succeeded = count("succeeded");
  const unguarded = count("unguarded");
  const told = [
    `${succeeded + unguarded} of ${results.length} succeed against ${target}`,
    `${succeeded} by attack, ${unguarded} for want of anything to overcome`,
    `${count("resisted")} resisted, ${count("not applicable")} not applicable, ${count("unclear")} unclear`,
  ];
  return told.join("; ");
}

function short(text: string): string {
  const line = text.replaceAll(/\s+/g, " ");
  return line.length > detailLength ? `${line.slice(0, detailLength)}…` : line;
}
