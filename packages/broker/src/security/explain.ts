import type { Explanation } from "../model/administration.ts";
import type { Action } from "../model/policy.ts";
import { patternCovers, patternLevels, patternProblem, patternsOverlap } from "../model/topic-pattern.ts";
import {
  authorize,
  authorizeFilter,
  type FilterAction,
  isAdminAction,
  isConcrete,
  substitutePrincipal,
} from "./authorize.ts";
import type { CompiledPolicy, CompiledRole } from "./compile-policy.ts";

interface Question {
  readonly principal: string;
  readonly action: Action;
  /** Levels of the topic, or of the filter that is to be subscribed to. */
  readonly levels: readonly string[];
}

interface Found {
  readonly role: string;
  /** As the policy has it, `{principal}` not replaced. */
  readonly filter: string;
}

/**
 * Why `authorize` (or, for a filter with wildcards, `authorizeFilter`) answers as it does: the deciding grant, or the
 * nearest allow and why it does not apply. The verdict is theirs; only the sentence is made here.
 */
export function explain(compiled: CompiledPolicy, principal: string, action: Action, topic: string): Explanation {
  const wildcard = isFilterAction(action) && !isConcrete(topic);
  const allowed = wildcard
    ? authorizeFilter(compiled, principal, action, topic) === "granted"
    : authorize(compiled, principal, action, topic);
  const scoped = compiled.scoped.get(principal);
  if (scoped !== undefined) {
    const ofOwner = explain(compiled, scoped.owner, action, topic);
    if (allowed || !ofOwner.allowed) return { ...ofOwner, allowed };
    return {
      allowed,
      because: `the scope of the token does not hold ${action} on it; its principal may: ${ofOwner.because}`,
    };
  }
  const roles = compiled.principals.get(principal);
  if (roles === undefined) {
    return { allowed, because: `principal ${quote(principal)} has no role, and without a grant nothing is allowed` };
  }
  const problem = topicProblem(action, topic, wildcard);
  if (problem !== undefined) return { allowed, because: problem };
  // Admin actions are not about a topic: their grants hold everywhere.
  const question: Question = { principal, action, levels: patternLevels(isAdminAction(action) ? "#" : topic) };
  const denied = findGrant(roles, "deny", question);
  if (denied !== undefined) return { allowed, because: sentence(denied, "denies", action), role: denied.role };
  const granted = findGrant(roles, "allow", question);
  if (granted === undefined) return { allowed, because: whyNothingApplies(roles, question) };
  const masks = wildcard ? findOverlap(roles, question) : undefined;
  const mask = masks === undefined ? "" : `; role ${masks.role} masks ${quote(masks.filter)} at delivery`;
  return { allowed, because: `${sentence(granted, "allows", action)}${mask}`, role: granted.role };
}

function topicProblem(action: Action, topic: string, wildcard: boolean): string | undefined {
  if (isAdminAction(action)) return undefined;
  if (!wildcard)
    return isConcrete(topic) ? undefined : `${quote(topic)} is no topic name: it is empty or has a wildcard`;
  const problem = patternProblem(topic, { bytesMax: 65_535, levelsMax: 65_535 });
  return problem === undefined ? undefined : `${quote(topic)} is no topic filter: ${problem}`;
}

function isFilterAction(action: Action): action is FilterAction {
  return action === "subscribe" || action === "share" || action === "consume";
}

function sentence(found: Found, verb: string, action: Action): string {
  return isAdminAction(action)
    ? `role ${found.role} ${verb} ${action}`
    : `role ${found.role} ${verb} ${action} on ${quote(found.filter)}`;
}

function findGrant(roles: readonly CompiledRole[], kind: "allow" | "deny", question: Question): Found | undefined {
  return findFilter(roles, kind, question, (filter) => patternCovers(filter, question.levels));
}

function findOverlap(roles: readonly CompiledRole[], question: Question): Found | undefined {
  return findFilter(roles, "deny", question, (filter) => patternsOverlap(filter, question.levels));
}

function findFilter(
  roles: readonly CompiledRole[],
  kind: "allow" | "deny",
  question: Question,
  applies: (filter: readonly string[]) => boolean,
): Found | undefined {
  for (const role of roles) {
    for (const levels of role[kind].get(question.action)?.filters ?? []) {
      const filter = substitutePrincipal(levels, question.principal);
      if (filter !== undefined && applies(filter)) return { role: role.name, filter: levels.join("/") };
    }
  }
  return undefined;
}

function whyNothingApplies(roles: readonly CompiledRole[], question: Question): string {
  const nearest = nearestAllow(roles, question);
  const names = roles.map((role) => role.name).join(", ");
  if (nearest === undefined) return `no grant allows ${question.action} (roles: ${names})`;
  return `no grant allows it; nearest: ${sentence(nearest, "allows", question.action)}`;
}

/** The allow that shares the most leading levels with the question; of equals, the shortest. */
function nearestAllow(roles: readonly CompiledRole[], question: Question): Found | undefined {
  let best: Found | undefined;
  let bestShared = -1;
  let bestLength = 0;
  for (const role of roles) {
    for (const levels of role.allow.get(question.action)?.filters ?? []) {
      const filter = substitutePrincipal(levels, question.principal) ?? levels;
      const shared = sharedLevels(filter, question.levels);
      if (shared < bestShared || (shared === bestShared && filter.length >= bestLength)) continue;
      best = { role: role.name, filter: levels.join("/") };
      bestShared = shared;
      bestLength = filter.length;
    }
  }
  return best;
}

function sharedLevels(filter: readonly string[], levels: readonly string[]): number {
  let shared = 0;
  while (shared < filter.length && shared < levels.length) {
    const level = filter[shared];
    if (level !== "+" && level !== levels[shared]) break;
    shared++;
  }
  return shared;
}

/** Quoted with escapes: names come from outside and land in terminals and logs. */
function quote(text: string): string {
  return JSON.stringify(text);
}
