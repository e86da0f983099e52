import type { Action } from "../model/policy.ts";
import { patternCovers, patternsOverlap } from "../model/topic-pattern.ts";
import { isAdminAction, substitutePrincipal } from "./authorize.ts";
import type { CompiledPolicy, CompiledRole } from "./compile-policy.ts";

export interface HandOut {
  /** Who makes the key. */
  readonly by: string;
  /** Whose key it will be. */
  readonly holder: string;
  /** The roles the holder will have. */
  readonly roles: readonly string[];
}

/**
 * May `by` make a key for `holder`? `admin.keys` says that one may make keys; this says for whom. Otherwise a right to
 * make keys for devices would be the right to make one for `admin`. Yes for whoever may change the policy anyway, and
 * when each grant of the holder is covered by a grant of `by` that no deny of `by` cuts into. Unknown roles: no.
 */
export function mayHandOut(compiled: CompiledPolicy, { by, holder, roles }: HandOut): boolean {
  const own = compiled.principals.get(by) ?? [];
  if (holds(own, by, "admin.policy", ["#"])) return true;
  return roles.every((name) => {
    const role = compiled.roles.get(name);
    if (role === undefined) return false;
    return [...role.allow].every(([action, tree]) =>
      tree.filters.every((levels) => {
        const filter = substitutePrincipal(levels, holder);
        // A template that fits no topic of this holder grants nothing.
        return filter === undefined || holds(own, by, action, filter);
      }),
    );
  });
}

function holds(own: readonly CompiledRole[], by: string, action: Action, wanted: readonly string[]): boolean {
  const some = (kind: "allow" | "deny", test: (filter: readonly string[]) => boolean): boolean =>
    own.some((role) =>
      role[kind].get(action)?.filters.some((levels) => {
        const filter = substitutePrincipal(levels, by);
        return filter !== undefined && test(filter);
      }),
    );
  if (isAdminAction(action)) return some("allow", () => true) && !some("deny", () => true);
  return (
    some("allow", (filter) => patternCovers(filter, wanted)) &&
    !some("deny", (filter) => patternsOverlap(filter, wanted))
  );
}
