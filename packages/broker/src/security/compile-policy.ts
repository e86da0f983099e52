import type { Action, Grant, Policy, RolePolicy } from "../model/policy.ts";
import { patternProblem } from "../model/topic-pattern.ts";
import { ADMIN_PRINCIPAL, builtInRoles } from "./built-in-roles.ts";
import { addFilter, type GrantTree, newGrantTree } from "./grant-tree.ts";

/** A role ready for decisions. No tree for an action means no grant for it. */
export interface CompiledRole {
  readonly name: string;
  readonly allow: ReadonlyMap<Action, GrantTree>;
  readonly deny: ReadonlyMap<Action, GrantTree>;
}

/** What `authorize` and its kin ask. Immutable; a changed policy is compiled anew. */
export interface CompiledPolicy {
  readonly roles: ReadonlyMap<string, CompiledRole>;
  /** Only principals with at least one role; nobody else has a right. */
  readonly principals: ReadonlyMap<string, readonly CompiledRole[]>;
  /** Scoped tokens by their derived names. Comes and goes with them; the rest stays as it was compiled. */
  readonly scoped: ReadonlyMap<string, ScopedPrincipal>;
  /** Principals by the names of client certificates that stand for them. */
  readonly certificates: ReadonlyMap<string, string>;
}

/** May what its owner may and its scope allows. */
export interface ScopedPrincipal {
  /** A principal of the policy, never a derived name. `{principal}` of the scope stands for it. */
  readonly owner: string;
  readonly scope: CompiledRole;
}

const NOBODY: ReadonlyMap<string, ScopedPrincipal> = new Map();

const ADMIN_ACTIONS: readonly Action[] = [
  "admin.keys",
  "admin.policy",
  "admin.sessions",
  "admin.metrics",
  "admin.audit",
  "admin.storage",
];

/** Wider than what `checkPolicy` takes: here it only guards against a policy that never went through it. */
const BOUNDS = { bytesMax: 65_535, levelsMax: 128 } as const;

/**
 * Compiles a policy that `checkPolicy` accepted. Throws on one that it would not have: an unknown role or a broken
 * filter here is a fault of the program, and going on could open what a deny was to close.
 */
export function compilePolicy(policy: Policy, scoped: ReadonlyMap<string, ScopedPrincipal> = NOBODY): CompiledPolicy {
  const roles = new Map<string, CompiledRole>();
  for (const [name, role] of Object.entries(policy.roles)) roles.set(name, compileRole(name, role));
  // After the policy's own: a built-in role cannot be replaced.
  for (const role of builtInRoles) roles.set(role.name, compileRole(role.name, role));
  const principals = new Map<string, readonly CompiledRole[]>();
  const certificates = new Map<string, string>();
  for (const [name, principal] of Object.entries(policy.principals)) {
    for (const certificate of principal.certificates ?? []) {
      if (certificates.has(certificate)) throw new Error(`unchecked policy: two principals have "${certificate}"`);
      certificates.set(certificate, name);
    }
    if (principal.roles.length > 0) principals.set(name, rolesOf(name, principal.roles, roles));
  }
  principals.set(ADMIN_PRINCIPAL, rolesOf(ADMIN_PRINCIPAL, ["admin"], roles));
  return { roles, principals, scoped, certificates };
}

/** The rights of a scoped token of `owner`. Throws as `compilePolicy` does. */
export function compileScope(owner: string, scope: readonly Grant[]): ScopedPrincipal {
  return { owner, scope: compileRole("(scope)", { allow: scope, deny: [] }) };
}

function rolesOf(principal: string, names: readonly string[], roles: Map<string, CompiledRole>): CompiledRole[] {
  return names.map((name) => {
    const role = roles.get(name);
    if (role === undefined)
      throw new Error(`unchecked policy: principal "${principal}" has the unknown role "${name}"`);
    return role;
  });
}

function compileRole(name: string, role: RolePolicy): CompiledRole {
  return { name, allow: compileGrants(name, role.allow), deny: compileGrants(name, role.deny) };
}

function compileGrants(role: string, grants: readonly Grant[]): Map<Action, GrantTree> {
  const trees = new Map<Action, GrantTree>();
  for (const grant of grants) {
    const problem = patternProblem(grant.filter, BOUNDS);
    if (problem !== undefined) throw new Error(`unchecked policy: role "${role}": ${problem}`);
    for (const action of grant.action === "admin.*" ? ADMIN_ACTIONS : [grant.action]) {
      const tree = trees.get(action) ?? newGrantTree();
      trees.set(action, tree);
      addFilter(tree, grant.filter);
    }
  }
  return trees;
}
