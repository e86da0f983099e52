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
  const own = compiled.principals.get(principal) ?? [];
  const some = (kind: "allow" | "deny", test: (filter: readonly string[]) => boolean): boolean =>
    own.some((role) =>
      role[kind].get(action)?.filters.some((levels) => {
        const substituted = substitutePrincipal(levels, principal);
        return substituted !== undefined && test(substituted);
      }),
    );
  if (isAdminAction(action)) return some("allow", () => true) && !some("deny", () => true);
  return (
    some("allow", (allow) => patternCovers(allow, wanted)) && !some("deny", (deny) => patternsOverlap(deny, wanted))
  );
}
