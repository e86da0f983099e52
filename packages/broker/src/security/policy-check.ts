import type { Grant, Policy, PrincipalPolicy, RolePolicy } from "../model/policy.ts";
import { ADMIN_PRINCIPAL, builtInRoles } from "./built-in-roles.ts";
import { readGrants } from "./grant-check.ts";
import { type PolicyProblem, PolicyProblems } from "./policy-problems.ts";
import { principalNameProblem } from "./principal-name.ts";

/** Bounds of one policy. */
export const policyLimits = {
  rolesMax: 1_000,
  grantsPerRoleMax: 1_000,
  grantsMax: 100_000,
  principalsMax: 100_000,
  rolesPerPrincipalMax: 100,
} as const;

const SECTIONS = ["roles", "principals"] as const;
/** Sections that this version knows and does not enforce: to pass over them would be to fail open. */
const LATER_SECTIONS: readonly string[] = ["topics", "subscriptions"];

export type CheckedPolicy = { readonly policy: Policy } | { readonly problems: readonly PolicyProblem[] };

/**
 * Reads a policy document (a parsed TOML or JSON file, DESIGN section 8) and refuses whatever it does not understand.
 * An empty document is a policy with nobody in it: only the principal `admin` has rights then.
 */
export function checkPolicy(value: unknown): CheckedPolicy {
  const problems = new PolicyProblems();
  const document = readTable(value, "", problems);
  for (const key of document.keys()) {
    if (LATER_SECTIONS.includes(key)) {
      problems.add(
        key,
        `the section \`${key}\` is not supported by this version`,
        "remove it: nothing would enforce it",
      );
    } else if (!isOneOf(SECTIONS, key)) {
      problems.unknownKey("", key, [...SECTIONS, ...LATER_SECTIONS]);
    }
  }
  const roles = readRoles(document.get("roles"), problems);
  const principals = readPrincipals(document.get("principals"), roles, problems);
  if (!problems.isEmpty) return { problems: problems.list };
  return { policy: { roles, principals } };
}

function readRoles(value: unknown, problems: PolicyProblems): Record<string, RolePolicy> {
  const roles = emptyRecord<RolePolicy>();
  if (value === undefined) return roles;
  const table = readTable(value, "roles", problems);
  if (exceeds(table.size, policyLimits.rolesMax, "roles", problems)) return roles;
  let grants = 0;
  for (const [name, entry] of table) {
    const path = problems.path("roles", name);
    const nameProblem = principalNameProblem(name);
    if (nameProblem !== undefined) problems.add(path, nameProblem);
    if (builtInRoles.some((role) => role.name === name)) {
      problems.add(path, "this role is built in and cannot be redefined", "choose another name");
    }
    const role = readRole(entry, path, problems);
    grants += role.allow.length + role.deny.length;
    if (nameProblem === undefined) roles[name] = role;
  }
  exceeds(grants, policyLimits.grantsMax, "grants of all roles together", problems);
  return roles;
}

function readRole(value: unknown, path: string, problems: PolicyProblems): RolePolicy {
  const table = readTable(value, path, problems);
  for (const key of table.keys()) {
    if (key !== "allow" && key !== "deny") problems.unknownKey(path, key, ["allow", "deny"]);
  }
  const read = (key: "allow" | "deny"): Grant[] =>
    readGrants(table.get(key), problems.path(path, key), policyLimits.grantsPerRoleMax, problems);
  const allow = read("allow");
  const deny = read("deny");
  exceeds(allow.length + deny.length, policyLimits.grantsPerRoleMax, `grants in ${path}`, problems);
  return { allow, deny };
}

function readPrincipals(
  value: unknown,
  roles: Readonly<Record<string, RolePolicy>>,
  problems: PolicyProblems,
): Record<string, PrincipalPolicy> {
  const principals = emptyRecord<PrincipalPolicy>();
  if (value === undefined) return principals;
  const table = readTable(value, "principals", problems);
  if (exceeds(table.size, policyLimits.principalsMax, "principals", problems)) return principals;
  const known = new Set([...Object.keys(roles), ...builtInRoles.map((role) => role.name)]);
  for (const [name, entry] of table) {
    const path = problems.path("principals", name);
    const nameProblem = principalNameProblem(name);
    if (nameProblem !== undefined) problems.add(path, nameProblem);
    const principal = readPrincipal(entry, path, known, problems);
    if (name === ADMIN_PRINCIPAL && (principal.roles.length !== 1 || principal.roles[0] !== "admin")) {
      problems.add(
        path,
        "the principal `admin` always has exactly the built-in role `admin`, so that no policy can lock everybody out",
        "leave it out, and use another principal for other rights",
      );
    }
    if (nameProblem === undefined) principals[name] = principal;
  }
  return principals;
}

function readPrincipal(
  value: unknown,
  path: string,
  known: ReadonlySet<string>,
  problems: PolicyProblems,
): PrincipalPolicy {
  const table = readTable(value, path, problems);
  for (const key of table.keys()) {
    if (key !== "roles") problems.unknownKey(path, key, ["roles"]);
  }
  const rolesPath = problems.path(path, "roles");
  const list = table.get("roles");
  if (!Array.isArray(list)) {
    if (table.size > 0 || isTable(value)) problems.add(rolesPath, "is an array of role names", 'roles = ["viewer"]');
    return { roles: [] };
  }
  if (exceeds(list.length, policyLimits.rolesPerPrincipalMax, `roles in ${path}`, problems)) return { roles: [] };
  const roles = new Set<string>();
  for (const [index, role] of list.entries()) {
    const itemPath = `${rolesPath}[${index}]`;
    if (typeof role !== "string") problems.add(itemPath, "is the name of a role, in quotes");
    else if (!known.has(role)) problems.unknownName(itemPath, "role", role, known);
    else roles.add(role);
  }
  return { roles: [...roles] };
}

/** The table's own entries, also those named like a method; empty, with a problem, for anything that is no table. */
function readTable(value: unknown, path: string, problems: PolicyProblems): ReadonlyMap<string, unknown> {
  if (isTable(value)) return new Map(Object.entries(value));
  problems.add(path, path === "" ? "a policy is a table with `roles` and `principals`" : "is a table");
  return new Map();
}

function isTable(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function exceeds(count: number, max: number, what: string, problems: PolicyProblems): boolean {
  if (count <= max) return false;
  problems.add("", `${count} ${what}; at most ${max} are allowed`);
  return true;
}

function isOneOf(names: readonly string[], name: string): boolean {
  return names.includes(name);
}

/** No prototype: a role named `constructor` or `toString` is found only if the policy has it. */
function emptyRecord<T>(): Record<string, T> {
  return Object.create(null) as Record<string, T>;
}
