import type { Action } from "../model/policy.ts";
import { patternCovers, patternLevels, patternsOverlap, type TopicPattern } from "../model/topic-pattern.ts";
import { isAdminAction, substitutePrincipal } from "./authorize.ts";
import type { CompiledPolicy } from "./compile-policy.ts";

/**
 * Does `principal` hold `action` on every topic of `filter`: one allow covers it, and no deny cuts into it? Stricter than
 * `authorizeFilter`, whose partial denies are asked again at each delivery: here nobody asks again. For an admin action
 * the filter means nothing.
 */
export function holdsWhole(compiled: CompiledPolicy, principal: string, action: Action, filter: TopicPattern): boolean {
  const wanted = patternLevels(filter);
  const some = (kind: "allow" | "deny", test: (filter: readonly string[]) => boolean): boolean =>
    hasGrant({ compiled, principal, action, kind }, test);
  if (isAdminAction(action)) return some("allow", () => true) && !some("deny", () => true);
  return (
    some("allow", (allow) => patternCovers(allow, wanted)) && !some("deny", (deny) => patternsOverlap(deny, wanted))
  );
}

/** Does `principal` hold `action` on something of `filter`, denies left aside? */
export function holdsSome(compiled: CompiledPolicy, principal: string, action: Action, filter: TopicPattern): boolean {
  const wanted = patternLevels(filter);
  return hasGrant({ compiled, principal, action, kind: "allow" }, (allow) => patternsOverlap(allow, wanted));
}

interface Grants {
  readonly compiled: CompiledPolicy;
  readonly principal: string;
  readonly action: Action;
  readonly kind: "allow" | "deny";
}

function hasGrant(
  { compiled, principal, action, kind }: Grants,
  test: (filter: readonly string[]) => boolean,
): boolean {
  return (compiled.principals.get(principal) ?? []).some((role) =>
    role[kind].get(action)?.filters.some((levels) => {
      const filter = substitutePrincipal(levels, principal);
      return filter !== undefined && test(filter);
    }),
  );
}
