import type { Action } from "../model/policy.ts";
import { patternCovers, patternLevels, patternsOverlap, type TopicPattern } from "../model/topic-pattern.ts";
import { isAdminAction, substitutePrincipal } from "./authorize.ts";
import type { CompiledPolicy, CompiledRole } from "./compile-policy.ts";

/**
 * Does `principal` hold `action` on every topic of `filter`: one allow covers it, and no deny cuts into it? Stricter than
 * `authorizeFilter`, whose partial denies are asked again at each delivery: here nobody asks again. For an admin action
 * the filter means nothing.
 */
export function holdsWhole(compiled: CompiledPolicy, principal: string, action: Action, filter: TopicPattern): boolean {
  const wanted = patternLevels(filter);
  return layersOf(compiled, principal).every((layer) => {
    if (isAdminAction(action)) return hasGrant(layer, "allow", action, any) && !hasGrant(layer, "deny", action, any);
    return (
      hasGrant(layer, "allow", action, (allow) => patternCovers(allow, wanted)) &&
      !hasGrant(layer, "deny", action, (deny) => patternsOverlap(deny, wanted))
    );
  });
}

/** Does `principal` hold `action` on something of `filter`, denies left aside? */
export function holdsSome(compiled: CompiledPolicy, principal: string, action: Action, filter: TopicPattern): boolean {
  const wanted = patternLevels(filter);
  return layersOf(compiled, principal).every((layer) =>
    hasGrant(layer, "allow", action, (allow) => patternsOverlap(allow, wanted)),
  );
}

/** Roles that say yes or no together, and whom `{principal}` stands for in them. */
interface Layer {
  readonly roles: readonly CompiledRole[];
  readonly owner: string;
}

/** A scoped token needs a yes of its owner's roles and one of its scope. */
function layersOf({ principals, scoped }: CompiledPolicy, principal: string): readonly Layer[] {
  const own = scoped.get(principal);
  const owner = own?.owner ?? principal;
  const first = { roles: principals.get(owner) ?? [], owner };
  return own === undefined ? [first] : [first, { roles: [own.scope], owner }];
}

function any(): boolean {
  return true;
}

function hasGrant(
  { roles, owner }: Layer,
  kind: "allow" | "deny",
  action: Action,
  test: (filter: readonly string[]) => boolean,
): boolean {
  return roles.some((role) =>
    role[kind].get(action)?.filters.some((levels) => {
      const filter = substitutePrincipal(levels, owner);
      return filter !== undefined && test(filter);
    }),
  );
}
