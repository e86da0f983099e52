/** Tries a policy on the decisions that were made of late: what would have gone the other way. */
import type { DecisionReview } from "../model/administration.ts";
import type { Policy } from "../model/policy.ts";
import { compilePolicy } from "../security/authorize.ts";
import { verdictOn } from "./rights.ts";
import type { State } from "./state.ts";

/** Lines of one review. */
const linesMax = 100;

/** `policy` was checked. Compared with the rights that hold now, so that a right that was revoked since counts as gone. */
export function reviewDecisions(state: State, policy: Policy): DecisionReview {
  const next = compilePolicy(policy, state.keys.scoped);
  const changed: string[] = [];
  let tried = 0;
  let more = 0;
  for (const decision of state.decisions.all()) {
    tried++;
    const before = verdictOn(state.compiled, decision);
    const after = verdictOn(next, decision);
    if (before === after) continue;
    if (changed.length < linesMax)
      changed.push(`${after ? "+" : "-"} ${decision.principal} ${decision.action} ${JSON.stringify(decision.topic)}`);
    else more++;
  }
  return { tried, changed, more };
}
