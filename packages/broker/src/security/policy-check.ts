import type { Grant, PolicyDocument, PrincipalPolicy, RolePolicy } from "../model/policy.ts";
import { type DeclarationLimits, defaultDeclarationLimits } from "../model/setting-bounds.ts";
import { ADMIN_PRINCIPAL, builtInRoles } from "./built-in-roles.ts";
import { CertificateNamesCheck } from "./certificate-names-check.ts";
import { readGrants } from "./grant-check.ts";
import { type PolicyProblem, PolicyProblems } from "./policy-problems.ts";
import { emptyRecord, exceeds, isTable, readTable } from "./policy-tables.ts";
import { readPolicyTests, runPolicyTests } from "./policy-tests.ts";
import { principalNameProblem } from "./principal-name.ts";
import { readSubscriptions } from "./subscription-check.ts";
import { readTopics } from "./topic-settings-check.ts";

/** Bounds of one policy. */
export const policyLimits = {
  rolesMax: 1_000,
  grantsPerRoleMax: 1_000,
  grantsMax: 100_000,
  principalsMax: 100_000,
  rolesPerPrincipalMax: 100,
} as const;

const SECTIONS = ["roles", "principals", "topics", "subscriptions", "tests"] as const;

export type CheckedPolicy = { readonly policy: PolicyDocument } | { readonly problems: readonly PolicyProblem[] };

/**
 * Reads a policy document (a parsed TOML or JSON file, DESIGN section 8) and refuses whatever it does not understand.
 * An empty document is a policy with nobody in it: only the principal `admin` has rights then. The sections `topics` and
 * `subscriptions` are in the result where they are in the document: an absent one leaves what is declared as it is.
 * `tests` are run here, on this policy, and kept nowhere: one that fails refuses the document.
 */
export function checkPolicy(value: unknown, limits: DeclarationLimits = defaultDeclarationLimits): CheckedPolicy {
  const problems = new PolicyProblems();
  const document = readTable(value, "", problems);
  for (const key of document.keys()) {
    if (!SECTIONS.some((known) => known === key)) problems.unknownKey("", key, SECTIONS);
  }
  const roles = readRoles(document.get("roles"), problems);
  const principals = readPrincipals(document.get("principals"), roles, problems);
  const topics = document.has("topics") ? readTopics(document.get("topics"), limits, problems) : undefined;
  const subscriptions = document.has("subscriptions")
    ? readSubscriptions(document.get("subscriptions"), limits, problems)
    : undefined;
  const tests = document.has("tests") ? readPolicyTests(document.get("tests"), problems) : [];
  if (problems.isEmpty && tests.length > 0) runPolicyTests({ roles, principals }, tests, problems);
  if (!problems.isEmpty) return { problems: problems.list };
  return {
    policy: {
      roles,
      principals,
      ...(topics !== undefined && { topics }),
      ...(subscriptions !== undefined && { subscriptions }),
    },
  };
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
  const names = new CertificateNamesCheck(problems);
  const known = new Set([...Object.keys(roles), ...builtInRoles.map((role) => role.name)]);
  for (const [name, entry] of table) {
    const path = problems.path("principals", name);
    const nameProblem = principalNameProblem(name);
    if (nameProblem !== undefined) problems.add(path, nameProblem);
    const principal = readPrincipal(entry, path, { known, names, problems });
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

interface PrincipalReading {
  readonly known: ReadonlySet<string>;
  readonly names: CertificateNamesCheck;
  readonly problems: PolicyProblems;
}

function readPrincipal(value: unknown, path: string, { known, names, problems }: PrincipalReading): PrincipalPolicy {
  const table = readTable(value, path, problems);
  for (const key of table.keys()) {
    if (key !== "roles" && key !== "certificates") problems.unknownKey(path, key, ["roles", "certificates"]);
  }
  const certificates = names.read(table.get("certificates"), problems.path(path, "certificates"));
  const named = certificates === undefined ? {} : { certificates };
  const rolesPath = problems.path(path, "roles");
  const list = table.get("roles");
  if (!Array.isArray(list)) {
    if (table.size > 0 || isTable(value)) problems.add(rolesPath, "is an array of role names", 'roles = ["viewer"]');
    return { roles: [], ...named };
  }
  if (exceeds(list.length, policyLimits.rolesPerPrincipalMax, `roles in ${path}`, problems)) return { roles: [] };
  const roles = new Set<string>();
  for (const [index, role] of list.entries()) {
    const itemPath = `${rolesPath}[${index}]`;
    if (typeof role !== "string") problems.add(itemPath, "is the name of a role, in quotes");
    else if (!known.has(role)) problems.unknownName(itemPath, "role", role, known);
    else roles.add(role);
  }
  return { roles: [...roles], ...named };
}
