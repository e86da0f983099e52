import type { Holder } from "../model/administration.ts";
import type { Action } from "../model/policy.ts";
import type { CompiledPolicy } from "./compile-policy.ts";
import { explain } from "./explain.ts";

/** Principals in one answer. */
export const holdersMax = 10_000;

/**
 * Everybody of the policy who may do `action` on `topic` (a topic name; of `subscribe`, `share` and `consume` also a
 * filter), sorted by name, with the role that says so. At most `holdersMax`.
 */
export function whoCan(compiled: CompiledPolicy, action: Action, topic: string): readonly Holder[] {
  const holders: Holder[] = [];
  for (const principal of [...compiled.principals.keys()].sort()) {
    if (holders.length === holdersMax) break;
    const { allowed, because, role } = explain(compiled, principal, action, topic);
    if (allowed) holders.push({ principal, because, ...(role !== undefined && { role }) });
  }
  return holders;
}
