import type { Grant } from "../model/policy.ts";
import { readGrants } from "../security/grant-check.ts";
import { type PolicyProblem, PolicyProblems } from "../security/policy-problems.ts";

/** Of one token: each that has not ended is in memory. */
const scopeLimits = { grantsMax: 32, filterBytesMax: 4_096 } as const;

/**
 * The scope of a token from JSON: an array of grants as a policy has them (`{ "subscribe": "a/#" }`), at most
 * `scopeLimits`. The right to make keys is in no scope: a token makes no credentials.
 */
export function readScope(
  value: unknown,
): { readonly scope: readonly Grant[] } | { readonly problems: readonly PolicyProblem[] } {
  const problems = new PolicyProblems();
  const scope = readGrants(value, "allow", scopeLimits.grantsMax, problems);
  if (scope.length > scopeLimits.grantsMax) problems.add("allow", `has at most ${scopeLimits.grantsMax} grants`);
  const bytes = scope.reduce((sum, { filter }) => sum + Buffer.byteLength(filter), 0);
  if (bytes > scopeLimits.filterBytesMax)
    problems.add("allow", `has at most ${scopeLimits.filterBytesMax} bytes of filters`);
  if (scope.some(({ action }) => action === "admin.keys" || action === "admin.*"))
    problems.add("allow", "a token makes no keys", "name the admin rights that it needs: metrics, audit, …");
  return problems.isEmpty ? { scope } : { problems: problems.list };
}
