/** Carries out an attack, step by step, and says how it ended. */
import { Arena } from "./arena.ts";
import { type Absence, type Attack, AttackSucceeded, CannotTry, type Step } from "./attack.ts";
import type { Broker, TargetName } from "./broker.ts";

/**
 * `succeeded`: the attacker got it. `unguarded`: the target has nothing that would have to be overcome. `not applicable`:
 * it has nothing of the kind. `unclear`: the step could not be carried out, which counts as no proof.
 */
export type Verdict = "resisted" | "succeeded" | "unguarded" | "not applicable" | "unclear";

interface StepResult {
  readonly name: string;
  readonly verdict: Verdict;
  /** What the attacker got, what the target lacks, or what went wrong. */
  readonly detail: string;
}

export interface AttackResult {
  readonly id: string;
  readonly title: string;
  readonly verdict: Verdict;
  readonly milliseconds: number;
  readonly steps: readonly StepResult[];
}

export interface RunOptions {
  readonly full: boolean;
}

/** The worst verdict of the steps is that of the row. */
const fromWorst: readonly Verdict[] = ["succeeded", "unclear", "unguarded", "resisted", "not applicable"];

export async function runAttack(attack: Attack, broker: Broker, options: RunOptions): Promise<AttackResult> {
  const began = performance.now();
  const steps: StepResult[] = [];
  for (const step of attack.steps) steps.push(await runStep(step, broker, options));
  const verdict = fromWorst.find((each) => steps.some((step) => step.verdict === each)) ?? "unclear";
  const milliseconds = Math.round(performance.now() - began);
  return { id: attack.id, title: attack.title, verdict, milliseconds, steps };
}

async function runStep(step: Step, broker: Broker, { full }: RunOptions): Promise<StepResult> {
  const { name } = step;
  const absence = absenceOf(step, broker.name);
  if (absence !== undefined) {
    return { name, verdict: absence.verdict === "succeeds" ? "unguarded" : "not applicable", detail: absence.why };
  }
  const arena = new Arena(broker, full);
  try {
    await arena.watch();
    await step.run(arena);
    await arena.unharmed();
    return { name, verdict: "resisted", detail: "" };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    if (error instanceof CannotTry) return { name, verdict: "not applicable", detail };
    return { name, verdict: error instanceof AttackSucceeded ? "succeeded" : "unclear", detail };
  } finally {
    await arena.leave();
  }
}

function absenceOf({ elsewhere }: Step, target: TargetName): Absence | undefined {
  if (target === "mess" || elsewhere === undefined) return undefined;
  return "verdict" in elsewhere ? elsewhere : elsewhere[target];
}
