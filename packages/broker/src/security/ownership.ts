/**
 * Who may declare what (THREATS A: squatting). Three questions, all asked at the moment of the act: does the principal
 * hold `manage` (or `create`, for what is new or its own) on the whole filter; does nobody else own topics that it
 * reaches; and, of a subscription, may it have the name. `admin.policy` may everything: it could grant itself the rest.
 */
import { ownerOf } from "../model/derived-principal.ts";
import { patternCovers, patternLevels, patternsOverlap } from "../model/topic-pattern.ts";
import { authorize, authorizeAdmin, isConcrete, substitutePrincipal } from "./authorize.ts";
import type { CompiledPolicy } from "./compile-policy.ts";
import { holdsSome, holdsWhole } from "./whole-filter.ts";

/** A declared topic filter and who owns it; nobody in particular when undefined: there `manage` decides alone. */
export interface OwnedTree {
  readonly filter: string;
  readonly owner: string | undefined;
}

/** The subscription's own place among the broker's names: `manage` on it is a right on the name. */
const subscriptionPrefix = "$mess/queue/";

export interface Declaring {
  readonly compiled: CompiledPolicy;
  readonly by: string;
  /** Owner that the settings ask for. */
  readonly owner: string | undefined;
  /** All that is declared. */
  readonly trees: Iterable<OwnedTree>;
}

/** What is declared already under the same filter or name. */
export interface Existing {
  readonly owner: string | undefined;
}

/** Why `by` may not declare (change, delete) settings for `filter`; `undefined` when it may. */
export function topicRefusal(asked: Declaring, filter: string, existing: Existing | undefined): string | undefined {
  const { compiled, by } = asked;
  if (isPolicyMaker(compiled, by)) return undefined;
  const right = missingRight(asked, filter, existing);
  const sees = existing !== undefined && maySeeTopic(compiled, by, { filter, owner: existing.owner });
  // Who has nothing to do with it hears what it would hear of a filter that nobody declared (THREATS C4).
  if (right !== undefined && !sees) return right;
  const other = othersOwnership(asked, existing, `the topic ${shown(filter)}`);
  if (other !== undefined) return other;
  if (right !== undefined) return right;
  // What is declared and one's own reaches nothing more by being declared again.
  return existing?.owner === ownerOf(by) ? undefined : foreignTree(asked, filter);
}

export interface SubscriptionDeclaring extends Declaring {
  readonly name: string;
  readonly filters: readonly string[];
}

/** Why `by` may not declare (change, delete, reset) this subscription; `undefined` when it may. */
export function subscriptionRefusal(asked: SubscriptionDeclaring, existing: Existing | undefined): string | undefined {
  const { compiled, by, name, filters } = asked;
  if (isPolicyMaker(compiled, by)) return undefined;
  // First, so that nobody learns whose names are taken that it may not even have (THREATS C4).
  if (!mayHaveName(compiled, by, name)) {
    return `the name ${shown(name)} needs a grant: { consume = ${shown(name)} } or { manage = ${shown(subscriptionPrefix + name)} }`;
  }
  const other = othersOwnership(asked, existing, `the subscription ${shown(name)}`);
  if (other !== undefined) return other;
  for (const filter of filters) {
    const refusal = missingRight(asked, filter, existing) ?? foreignTree(asked, filter);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

/** May `principal` see that the subscription is there, and its numbers? Its messages need more. */
export function maySeeSubscription(compiled: CompiledPolicy, principal: string, name: string): boolean {
  return isPolicyMaker(compiled, principal) || mayHaveName(compiled, principal, name);
}

/**
 * Names that grants of `principal` spell out; `undefined` when one has a wildcard. Among very many subscriptions those of
 * a principal with few are found without asking for each.
 */
export function grantedNames(compiled: CompiledPolicy, principal: string): readonly string[] | undefined {
  const scoped = compiled.scoped.get(principal);
  if (scoped !== undefined)
    return grantedNames(compiled, scoped.owner)?.filter((name) => mayHaveName(compiled, principal, name));
  const names = new Set<string>();
  for (const role of compiled.principals.get(principal) ?? []) {
    for (const [action, prefix] of [
      ["consume", ""],
      ["manage", subscriptionPrefix],
    ] as const) {
      for (const levels of role.allow.get(action)?.filters ?? []) {
        const filter = substitutePrincipal(levels, principal)?.join("/") ?? "";
        if (patternsOverlap(filter, `${prefix}+`) && !isConcrete(filter)) return undefined;
        if (filter.startsWith(prefix)) names.add(filter.slice(prefix.length));
      }
    }
  }
  return [...names];
}

/** May `principal` see what is declared for a filter? Who may do anything with some topic of it has to do with it. */
export function maySeeTopic(compiled: CompiledPolicy, principal: string, { filter, owner }: OwnedTree): boolean {
  if (owner === ownerOf(principal) || isPolicyMaker(compiled, principal)) return true;
  return topicActions.some((action) => holdsSome(compiled, principal, action, filter));
}

const topicActions = ["publish", "subscribe", "manage", "create"] as const;

export function isPolicyMaker(compiled: CompiledPolicy, principal: string): boolean {
  return authorizeAdmin(compiled, principal, "admin.policy");
}

function mayHaveName(compiled: CompiledPolicy, principal: string, name: string): boolean {
  return (
    authorize(compiled, principal, "consume", name) ||
    authorize(compiled, principal, "manage", subscriptionPrefix + name)
  );
}

function othersOwnership({ by, owner }: Declaring, existing: Existing | undefined, what: string): string | undefined {
  if (existing?.owner !== undefined && existing.owner !== ownerOf(by))
    return `${what} is owned by ${shown(existing.owner)}`;
  if (owner === undefined) return undefined;
  if (owner !== ownerOf(by)) return "only who holds admin.policy may make somebody else the owner";
  // Else whoever comes first could shut out the others that hold the right.
  const isClaim = existing !== undefined && existing.owner === undefined;
  return isClaim ? "nobody owns it; only who holds admin.policy may make you the owner" : undefined;
}

function missingRight({ compiled, by }: Declaring, filter: string, existing: Existing | undefined): string | undefined {
  if (holdsWhole(compiled, by, "manage", filter)) return undefined;
  const createIsEnough = existing === undefined || existing.owner === ownerOf(by);
  if (createIsEnough && holdsWhole(compiled, by, "create", filter)) return undefined;
  return `this needs the right manage on all of ${shown(filter)}`;
}

/**
 * Of the declared filters that cover all of `filter` the most specific says whose it is. One that reaches a part of it
 * only must not be another's either: a declaration above somebody's tree would rule there.
 */
function foreignTree({ by, trees }: Declaring, filter: string): string | undefined {
  const levels = patternLevels(filter);
  const own = ownerOf(by);
  let covering: OwnedTree | undefined;
  for (const tree of trees) {
    const treeLevels = patternLevels(tree.filter);
    if (patternCovers(treeLevels, levels)) {
      if (covering === undefined || isMoreSpecific(treeLevels, patternLevels(covering.filter))) covering = tree;
    } else if (tree.owner !== undefined && tree.owner !== own && patternsOverlap(treeLevels, levels)) {
      return ownedBy(filter, tree);
    }
  }
  if (covering?.owner === undefined || covering.owner === own) return undefined;
  return ownedBy(filter, covering);
}

function ownedBy(filter: string, { filter: tree, owner = "" }: OwnedTree): string {
  return `${shown(filter)} reaches into ${shown(tree)}, which is owned by ${shown(owner)}`;
}

/** Of two filters that cover the same: level by level, a literal before `+` before `#`. */
function isMoreSpecific(a: readonly string[], b: readonly string[]): boolean {
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const difference = rank(a[index]) - rank(b[index]);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

/** A filter that ends here is narrower than one that goes on with `#`. */
function rank(level: string | undefined): number {
  if (level === "#") return 2;
  return level === "+" ? 1 : 0;
}

function shown(text: string): string {
  return JSON.stringify(text);
}
