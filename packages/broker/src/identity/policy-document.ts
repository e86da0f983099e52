/**
 * A policy as text: TOML for people, JSON for machines, one meaning. It stands here and not in `security`, which is
 * pure and imports no parser; the doors and the command line take it from here.
 */
import { parse, TomlError } from "smol-toml";
import type { Grant, PolicyDocument } from "../model/policy.ts";
import type { DeclarationLimits } from "../model/setting-bounds.ts";
import { type CheckedPolicy, checkPolicy } from "../security/policy-check.ts";
import { spellSubscription, spellTopic } from "../security/settings-spelling.ts";

/** Larger texts are refused before they are parsed. */
const TEXT_LENGTH_MAX = 16 * 1_024 * 1_024;

export function policyFromToml(text: string, limits?: DeclarationLimits): CheckedPolicy {
  if (text.length > TEXT_LENGTH_MAX) return refused(`the policy is larger than ${TEXT_LENGTH_MAX} characters`);
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    // The parser's own message quotes the source, which may hold what does not belong into a log.
    if (!(error instanceof TomlError)) return refused("is no TOML");
    return refused(`is no TOML: line ${error.line}, column ${error.column}`);
  }
  return checkPolicy(value, limits);
}

export function policyFromJson(text: string, limits?: DeclarationLimits): CheckedPolicy {
  if (text.length > TEXT_LENGTH_MAX) return refused(`the policy is larger than ${TEXT_LENGTH_MAX} characters`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refused("is no JSON");
  }
  return checkPolicy(value, limits);
}

/**
 * The policy as the TOML that `policyFromToml` reads back to the same policy; names sorted, grants in their order,
 * defaults of subscriptions left out.
 */
export function policyToToml(policy: PolicyDocument): string {
  const sections: string[] = [];
  for (const [name, role] of sortedEntries(policy.roles)) {
    sections.push(`[roles.${tomlKey(name)}]\nallow = ${tomlGrants(role.allow)}\ndeny = ${tomlGrants(role.deny)}\n`);
  }
  for (const [name, principal] of sortedEntries(policy.principals)) {
    const { roles, certificates } = principal;
    const names = certificates === undefined ? "" : `certificates = ${tomlValue(certificates)}\n`;
    sections.push(`[principals.${tomlKey(name)}]\nroles = ${tomlValue(roles)}\n${names}`);
  }
  sections.push(...declarations("topics", policy.topics, spellTopic));
  sections.push(...declarations("subscriptions", policy.subscriptions, spellSubscription));
  return sections.join("\n");
}

/** A section that is there and empty means that nothing is declared; one that is not there means nothing. */
function declarations<T>(
  section: string,
  entries: Readonly<Record<string, T>> | undefined,
  spell: (entry: T) => object,
): string[] {
  if (entries === undefined) return [];
  const sorted = sortedEntries(entries);
  if (sorted.length === 0) return [`[${section}]\n`];
  return sorted.map(([name, entry]) => {
    const lines = Object.entries(spell(entry)).map(([key, value]: [string, unknown]) => {
      // TOML has no null, and schemas may hold one: a schema is written as JSON.
      const written = key === "schema" ? tomlString(JSON.stringify(value)) : tomlValue(value);
      return `${key} = ${written}\n`;
    });
    return `[${section}.${tomlKey(name)}]\n${lines.join("")}`;
  });
}

/** Of what `settings-spelling.ts` gives: texts, numbers, flags, and lists and tables of texts. */
function tomlValue(value: unknown): string {
  if (typeof value === "string") return tomlString(value);
  if (Array.isArray(value)) return `[${value.map(tomlValue).join(", ")}]`;
  if (typeof value !== "object" || value === null) return String(value);
  return `{ ${sortedEntries(value as Record<string, unknown>)
    .map(([key, item]) => `${tomlKey(key)} = ${tomlValue(item)}`)
    .join(", ")} }`;
}

function refused(message: string): CheckedPolicy {
  return { problems: [{ path: "", message }] };
}

function sortedEntries<T>(record: Readonly<Record<string, T>>): [string, T][] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
}

function tomlGrants(grants: readonly Grant[]): string {
  if (grants.length === 0) return "[]";
  const lines = grants.map((grant) => `  { ${tomlGrant(grant)} },\n`);
  return `[\n${lines.join("")}]`;
}

function tomlGrant({ action, filter }: Grant): string {
  if (!action.startsWith("admin.")) return `${action} = ${tomlString(filter)}`;
  return `admin = ${tomlString(action.slice("admin.".length))}`;
}

function tomlKey(name: string): string {
  return /^[A-Za-z0-9_-]+$/.test(name) ? name : tomlString(name);
}

/** A basic string of TOML: JSON's escapes are a subset of its own, but it has to escape one character more. */
function tomlString(text: string): string {
  return JSON.stringify(text).replaceAll("\u007f", "\\u007F");
}
