/**
 * `npm run attacks`: every attack of the threat model against a broker of this machine.
 *
 * `--only A1,B3` some of them; `--target mosquitto` or `nats` against another broker, found in PATH and started with its
 * defaults; `--full` in the sizes of the threat model; `--json` one line of JSON a row; `--record`
 * keeps the verdicts of another broker for docs/threat-model.md. Exits 1 when an attack succeeds
 * against mess, or could not be carried out.
 */
import { parseArgs } from "node:util";
import { attacks } from "./attacks.ts";
import type { Attack } from "./support/attack.ts";
import type { TargetName } from "./support/broker.ts";
import { record } from "./support/recorded.ts";
import { type AttackResult, runAttack } from "./support/run-attack.ts";
import { startTarget } from "./support/start-target.ts";
import { lineOf, summaryOf } from "./support/table.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    target: { type: "string", default: "mess" },
    full: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    record: { type: "boolean", default: false },
  },
});

const target = targetOf(values.target);
const results: AttackResult[] = [];
const broker = await startTarget(target);
try {
  for (const attack of chosen(values.only)) {
    const result = await runAttack(attack, broker, { full: values.full });
    results.push(result);
    console.log(values.json ? JSON.stringify({ target, ...result }) : lineOf(result));
  }
} finally {
  await broker.remove();
}
if (values.record && target !== "mess") await record(target, results);
if (!values.json) console.log(`\n${summaryOf(target, results)}`);
const proven = results.every(({ verdict }) => verdict === "resisted");
process.exitCode = target === "mess" && !proven ? 1 : 0;

function targetOf(name: string): TargetName {
  if (name === "mess" || name === "mosquitto" || name === "nats") return name;
  console.error(`attacks: no target ${name}; there are mess, mosquitto and nats`);
  process.exit(64);
}

/** `A01` and `a1` are the same row. */
function chosen(only: string | undefined): readonly Attack[] {
  if (only === undefined) return attacks;
  return only.split(",").map(rowOf);
}

function rowOf(text: string): Attack {
  const [, letter = "", number = ""] = /^([a-e])0*(\d+)$/i.exec(text.trim()) ?? [];
  const found = attacks.find(({ id }) => id === `${letter.toUpperCase()}${number}`);
  if (found !== undefined) return found;
  console.error(`attacks: no row ${text}; rows are ${attacks.map(({ id }) => id).join(" ")}`);
  process.exit(64);
}
