import type { Rule } from "./facts.ts";
import type { Operation, Plan } from "./operations.ts";
import { Run, type RunOptions, type RunResult } from "./run.ts";

export interface Shrunk {
  readonly operations: readonly Operation[];
  readonly result: RunResult;
  readonly runs: number;
}

/**
 * Leaves operations out, in ever smaller groups, as long as the run still breaks the same rule. Not the smallest list
 * there is, but one in which hardly anything is superfluous.
 */
export async function shrink(
  plan: Plan,
  rule: Rule,
  options: RunOptions & { runsMax: number },
): Promise<Shrunk | undefined> {
  let runs = 0;
  const fails = async (operations: readonly Operation[]): Promise<RunResult | undefined> => {
    runs++;
    const result = await new Run({ ...plan, operations }, options).result();
    return result.violation?.rule === rule ? result : undefined;
  };
  let operations = plan.operations;
  let last = await fails(operations);
  if (last === undefined) return undefined;
  let size = Math.ceil(operations.length / 2);
  while (size >= 1 && runs < options.runsMax) {
    let left = false;
    for (let start = 0; start < operations.length && runs < options.runsMax; ) {
      // The time of what is left out passes all the same, so that the rest happens when it did.
      const gone = operations.slice(start, start + size);
      const pause = gone.reduce((sum, { after }) => sum + after, 0);
      const rest = operations
        .slice(start + size)
        .map((one, i) => (i === 0 ? { ...one, after: one.after + pause } : one));
      const candidate = [...operations.slice(0, start), ...rest];
      const result = await fails(candidate);
      if (result === undefined) start += size;
      else {
        operations = candidate;
        last = result;
        left = true;
      }
    }
    if (size === 1 && !left) break;
    size = size === 1 ? 1 : Math.ceil(size / 2);
  }
  return { operations, result: last, runs };
}
