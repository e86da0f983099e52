import type { Grant, PolicyDocument as Policy } from "../../../model/policy.ts";
import { subscriptionSettingsJson, topicSettingsJson } from "./settings-json.ts";

type GrantDocument = Readonly<Record<string, string>>;

/** The policy as the document that policy files hold and `PUT /v1/policy` takes: what is read can be written back. */
export interface PolicyDocument {
  readonly roles: Readonly<Record<string, { allow: readonly GrantDocument[]; deny: readonly GrantDocument[] }>>;
  readonly principals: Readonly<Record<string, { roles: readonly string[]; certificates?: readonly string[] }>>;
  readonly topics?: Readonly<Record<string, unknown>>;
  readonly subscriptions?: Readonly<Record<string, unknown>>;
}

export function policyDocument(policy: Policy): PolicyDocument {
  const roles = Object.entries(policy.roles).map(([name, role]) => {
    return [name, { allow: role.allow.map(grantDocument), deny: role.deny.map(grantDocument) }] as const;
  });
  const principals = Object.entries(policy.principals).map(([name, { roles: held, certificates }]) => {
    return [name, { roles: held, ...(certificates !== undefined && { certificates }) }] as const;
  });
  return {
    roles: Object.fromEntries(roles),
    principals: Object.fromEntries(principals),
    ...(policy.topics !== undefined && { topics: spelled(policy.topics, topicSettingsJson) }),
    ...(policy.subscriptions !== undefined && {
      subscriptions: spelled(policy.subscriptions, subscriptionSettingsJson),
    }),
  };
}

function spelled<T, S>(section: Readonly<Record<string, T>>, spell: (settings: T) => S): Record<string, S> {
  return Object.fromEntries(Object.entries(section).map(([name, settings]) => [name, spell(settings)]));
}

/** `{ publish = "orders/#" }`, and `{ admin = "keys" }` for what is done to the broker itself. */
function grantDocument({ action, filter }: Grant): GrantDocument {
  return action.startsWith("admin.") ? { admin: action.slice("admin.".length) } : { [action]: filter };
}
