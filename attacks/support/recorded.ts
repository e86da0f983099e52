/** What came of the attacks against another broker, kept for docs/threat-model.md. */
import { writeFileSync } from "node:fs";
import type { OtherTarget } from "./broker.ts";
import { versionOf } from "./foreign-broker.ts";
import type { AttackResult, Verdict } from "./run-attack.ts";

export interface Recorded {
  /** As it calls itself. */
  readonly program: string;
  readonly verdicts: Readonly<Record<string, Verdict>>;
}

export async function record(target: OtherTarget, results: readonly AttackResult[]): Promise<void> {
  const verdicts = Object.fromEntries(results.map(({ id, verdict }) => [id, verdict]));
  const recorded: Recorded = { program: await versionOf(target), verdicts };
  writeFileSync(new URL(`../recorded/${target}.json`, import.meta.url), `${JSON.stringify(recorded, undefined, 2)}\n`);
}
