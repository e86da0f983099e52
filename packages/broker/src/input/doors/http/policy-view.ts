import type { Grant, Policy } from "../../../model/policy.ts";

type GrantDocument = Readonly<Record<string, string>>;

/** The policy as the document that policy files hold and `PUT /v1/policy` takes: what is read can be written back. */
export interface PolicyDocument {
  readonly roles: Readonly<Record<string, { allow: readonly GrantDocument[]; deny: readonly GrantDocument[] }>>;
  readonly principals: Readonly<Record<string, { roles: readonly string[] }>>;
}

export function policyDocument(policy: Policy): PolicyDocument {
  const roles = Object.entries(policy.roles).map(([name, role]) => {
    return [name, { allow: role.allow.map(grantDocument), deny: role.deny.map(grantDocument) }] as const;
  });
  const principals = Object.entries(policy.principals).map(
    ([name, { roles: held }]) => [name, { roles: held }] as const,
  );
  return { roles: Object.fromEntries(roles), principals: Object.fromEntries(principals) };
}

/** `{ publish = "orders/#" }`, and `{ admin = "keys" }` for what is done to the broker itself. */
function grantDocument({ action, filter }: Grant): GrantDocument {
  return action.startsWith("admin.") ? { admin: action.slice("admin.".length) } : { [action]: filter };
}
