import type { PolicyDocument, PrincipalPolicy, RolePolicy } from "../model/policy.ts";
import { compareSubscriptions, compareTopics, describeSubscription, describeTopic } from "./declaration-diff.ts";

/**
 * What changes from `before` to `after`, one line a difference, for people: `+ role auditor (2 grants)`,
 * `~ role device: -1 grant`, `- principal shop`, `~ topic orders/#: maxMessageSize 1MiB -> 256KiB`. Roles first, then
 * principals, topics, subscriptions, each sorted by name. The order of grants and filters is no change. Topics and
 * subscriptions are compared where `after` has the section.
 */
export function diffPolicies(before: PolicyDocument, after: PolicyDocument): string[] {
  return [
    ...diffNamed(before.roles, after.roles, { kind: "role", describe: describeRole, compare: compareRoles }),
    ...diffNamed(before.principals, after.principals, {
      kind: "principal",
      describe: describePrincipal,
      compare: comparePrincipals,
    }),
    ...diffSection(before.topics, after.topics, {
      kind: "topic",
      describe: describeTopic,
      compare: compareTopics,
    }),
    ...diffSection(before.subscriptions, after.subscriptions, {
      kind: "subscription",
      describe: describeSubscription,
      compare: compareSubscriptions,
    }),
  ];
}

interface DiffRules<T> {
  readonly kind: string;
  describe(value: T): string;
  /** Empty when the two mean the same. */
  compare(before: T, after: T): string;
}

function diffSection<T>(
  before: Readonly<Record<string, T>> | undefined,
  after: Readonly<Record<string, T>> | undefined,
  rules: DiffRules<T>,
): string[] {
  return after === undefined ? [] : diffNamed(before ?? {}, after, rules);
}

function diffNamed<T>(
  before: Readonly<Record<string, T>>,
  after: Readonly<Record<string, T>>,
  rules: DiffRules<T>,
): string[] {
  const old = new Map(Object.entries(before));
  const fresh = new Map(Object.entries(after));
  const lines: string[] = [];
  for (const name of [...new Set([...old.keys(), ...fresh.keys()])].sort()) {
    const was = old.get(name);
    const is = fresh.get(name);
    if (was === undefined && is !== undefined) lines.push(`+ ${rules.kind} ${name} (${rules.describe(is)})`);
    if (was !== undefined && is === undefined) lines.push(`- ${rules.kind} ${name} (${rules.describe(was)})`);
    if (was === undefined || is === undefined) continue;
    const change = rules.compare(was, is);
    if (change !== "") lines.push(`~ ${rules.kind} ${name}: ${change}`);
  }
  return lines;
}

function describeRole(role: RolePolicy): string {
  return plural(role.allow.length + role.deny.length, "grant");
}

function compareRoles(before: RolePolicy, after: RolePolicy): string {
  const allow = countChanges(grantTexts(before.allow), grantTexts(after.allow));
  const deny = countChanges(grantTexts(before.deny), grantTexts(after.deny));
  return [
    ...(allow.added > 0 ? [`+${plural(allow.added, "grant")}`] : []),
    ...(allow.removed > 0 ? [`-${plural(allow.removed, "grant")}`] : []),
    ...(deny.added > 0 ? [`+${plural(deny.added, "deny", "denies")}`] : []),
    ...(deny.removed > 0 ? [`-${plural(deny.removed, "deny", "denies")}`] : []),
  ].join(", ");
}

function grantTexts(grants: RolePolicy["allow"]): Set<string> {
  // No action holds a space, so the two parts cannot run into one another.
  return new Set(grants.map((grant) => `${grant.action} ${grant.filter}`));
}

function describePrincipal(principal: PrincipalPolicy): string {
  const roles = principal.roles.length === 0 ? "no roles" : principal.roles.join(", ");
  const names = principal.certificates ?? [];
  return names.length === 0 ? roles : `${roles}; certificates ${names.join(", ")}`;
}

function comparePrincipals(before: PrincipalPolicy, after: PrincipalPolicy): string {
  const added = after.roles.filter((role) => !before.roles.includes(role));
  const removed = before.roles.filter((role) => !after.roles.includes(role));
  const [had = [], has = []] = [before.certificates, after.certificates];
  return [
    ...added.map((role) => `+role ${role}`),
    ...removed.map((role) => `-role ${role}`),
    // In full: such a name lets somebody in.
    ...has.filter((name) => !had.includes(name)).map((name) => `+certificate ${name}`),
    ...had.filter((name) => !has.includes(name)).map((name) => `-certificate ${name}`),
  ].join(", ");
}

function countChanges(before: Set<string>, after: Set<string>): { added: number; removed: number } {
  return {
    added: [...after].filter((text) => !before.has(text)).length,
    removed: [...before].filter((text) => !after.has(text)).length,
  };
}

function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
