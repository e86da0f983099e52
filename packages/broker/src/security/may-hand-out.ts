import { substitutePrincipal } from "./authorize.ts";
import type { CompiledPolicy } from "./compile-policy.ts";
import { holdsWhole } from "./whole-filter.ts";

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
  if (holdsWhole(compiled, by, "admin.policy", "#")) return true;
  return roles.every((name) => {
    const role = compiled.roles.get(name);
    if (role === undefined) return false;
    return [...role.allow].every(([action, tree]) =>
      tree.filters.every((levels) => {
        const filter = substitutePrincipal(levels, holder);
        // A template that fits no topic of this holder grants nothing.
        return filter === undefined || holdsWhole(compiled, by, action, filter);
      }),
    );
  });
}
