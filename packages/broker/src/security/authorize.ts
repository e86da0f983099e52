import type { Action, AdminAction } from "../model/policy.ts";
import { patternCovers, patternLevels, patternProblem } from "../model/topic-pattern.ts";
import type { CompiledPolicy, CompiledRole } from "./compile-policy.ts";
import { type GrantTree, PRINCIPAL_LEVEL, treeMatches } from "./grant-tree.ts";

// Whoever decides also compiles: one import for both.
export { type CompiledPolicy, compilePolicy } from "./compile-policy.ts";

/** Actions a client may ask for on a whole filter at once. */
export type FilterAction = "subscribe" | "share" | "consume";

const NO_ROLES: readonly CompiledRole[] = [];
const FILTER_BOUNDS = { bytesMax: 65_535, levelsMax: 65_535 } as const;

/**
 * The one decision: may `principal` do `action` on the topic name `topic` now? Deny beats allow, whatever the order
 * and the role; without an allow the answer is no. For `consume` the topic is the subscription's name. Asked at the
 * moment of effect, on every path.
 */
export function authorize(compiled: CompiledPolicy, principal: string, action: Action, topic: string): boolean {
  if (isAdminAction(action)) return authorizeAdmin(compiled, principal, action);
  if (!isConcrete(topic)) return false;
  const levels = topic.split("/");
  return decide({ compiled, principal, action }, (tree, owner) => treeMatches(tree, levels, owner));
}

/** The same for what is done to the broker itself. */
export function authorizeAdmin(compiled: CompiledPolicy, principal: string, action: AdminAction): boolean {
  return decide({ compiled, principal, action }, holdsAny);
}

/**
 * May `principal` subscribe to (share, consume) the whole of `filter`? Granted when one allow covers the filter and no
 * deny does. A deny that covers a part only does not refuse: it masks, at delivery, where `authorize` is asked for each
 * topic. Allows are not added up: `a/+` and `a/+/#` together do not grant `a/#`; the policy has to say `a/#`. An exact
 * union is costly in general, and whoever reads a policy should find the granting line.
 */
export function authorizeFilter(
  compiled: CompiledPolicy,
  principal: string,
  action: FilterAction,
  filter: string,
): "granted" | "denied" {
  if (patternProblem(filter, FILTER_BOUNDS) !== undefined) return "denied";
  const wanted = patternLevels(filter);
  const covers = (tree: GrantTree, owner: string): boolean => treeCovers(tree, wanted, owner);
  return decide({ compiled, principal, action }, covers) ? "granted" : "denied";
}

/** The doors have checked topic names; that one with a wildcard is refused here too keeps a mistake there closed. */
export function isConcrete(topic: string): boolean {
  return topic !== "" && !topic.includes("+") && !topic.includes("#");
}

export function isAdminAction(action: Action): action is AdminAction {
  return action.startsWith("admin.");
}

/** True when one filter of the tree, with the principal in its place, covers `wanted`. */
function treeCovers(tree: GrantTree, wanted: readonly string[], principal: string): boolean {
  return tree.filters.some((levels) => {
    const filter = substitutePrincipal(levels, principal);
    return filter !== undefined && patternCovers(filter, wanted);
  });
}

/**
 * The filter with `{principal}` replaced as one literal level; `undefined` when the name cannot be one: empty, or with a
 * character that a filter reads as a wildcard (LESSONS 1). A name with a separator stays one level, and equals none.
 */
export function substitutePrincipal(levels: readonly string[], principal: string): readonly string[] | undefined {
  if (!levels.includes(PRINCIPAL_LEVEL)) return levels;
  if (principal === "" || principal.includes("+") || principal.includes("#")) return undefined;
  if (principal.startsWith("$") && levels[0] === PRINCIPAL_LEVEL) return undefined;
  return levels.map((level) => (level === PRINCIPAL_LEVEL ? principal : level));
}

interface Question {
  readonly compiled: CompiledPolicy;
  readonly principal: string;
  readonly action: Action;
}

/** Does a filter of the tree apply, with `owner` for `{principal}`? */
type Holds = (tree: GrantTree, owner: string) => boolean;

/** A scoped token may what its owner may and its scope allows: two answers, and both are yes. */
function decide({ compiled, principal, action }: Question, holds: Holds): boolean {
  const scoped = compiled.scoped.get(principal);
  const owner = scoped?.owner ?? principal;
  if (!decideByRoles(compiled.principals.get(owner) ?? NO_ROLES, action, (tree) => holds(tree, owner))) return false;
  if (scoped === undefined) return true;
  const allow = scoped.scope.allow.get(action);
  return allow !== undefined && holds(allow, owner);
}

function decideByRoles(roles: readonly CompiledRole[], action: Action, holds: (tree: GrantTree) => boolean): boolean {
  let allowed = false;
  for (const role of roles) {
    const deny = role.deny.get(action);
    if (deny !== undefined && holds(deny)) return false;
    if (allowed) continue;
    const allow = role.allow.get(action);
    allowed = allow !== undefined && holds(allow);
  }
  return allowed;
}

function holdsAny(): boolean {
  return true;
}
