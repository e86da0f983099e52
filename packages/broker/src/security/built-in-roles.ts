import type { Grant, RolePolicy } from "../model/policy.ts";

/** A role every broker has. A policy may give it to principals and may not redefine it. */
export interface BuiltInRole extends RolePolicy {
  readonly name: string;
  /** For the documentation: what it is for, one sentence. */
  readonly meaning: string;
}

/** The principal of the first key. It has exactly the role `admin`, whatever a policy says: no policy can lock out. */
export const ADMIN_PRINCIPAL = "admin";

function on(filter: string, ...actions: Grant["action"][]): Grant[] {
  return actions.map((action) => ({ action, filter }));
}

function role(name: string, meaning: string, ...allow: Grant[]): BuiltInRole {
  return { name, meaning, allow, deny: [] };
}

const TOPIC_ACTIONS: Grant["action"][] = [
  "publish",
  "subscribe",
  "retain",
  "will",
  "share",
  "consume",
  "create",
  "manage",
];

/** THREATS D11. `#` matches no topic that begins with `$`, so the broker's own trees are named one by one. */
export const builtInRoles: readonly BuiltInRole[] = [
  role(
    "admin",
    "Everything, on every topic and on the broker.",
    ...on("#", ...TOPIC_ACTIONS),
    ...on("$mess/#", ...TOPIC_ACTIONS),
    ...on("$SYS/#", "subscribe", "share"),
    ...on("#", "admin.*"),
  ),
  role(
    "viewer",
    "Watches health and numbers; reads no message.",
    ...on("$SYS/#", "subscribe"),
    ...on("#", "admin.metrics"),
  ),
  role(
    "operator",
    "Runs the broker: numbers, sessions, storage; reads no message and grants nothing.",
    ...on("$SYS/#", "subscribe"),
    ...on("#", "admin.metrics", "admin.sessions", "admin.storage"),
  ),
  role(
    "publisher-admin",
    "Sets up topics, what is retained on them, and subscriptions; reads no message and grants nothing.",
    ...on("#", "publish", "retain", "will", "create", "manage"),
    ...on("$mess/queue/#", "manage"),
  ),
  role(
    "security-admin",
    "Keys and policy; sees neither messages nor the audit trail.",
    ...on("#", "admin.keys", "admin.policy"),
  ),
  role(
    "auditor",
    "Reads the audit trail and the numbers; changes nothing.",
    ...on("#", "admin.audit", "admin.metrics"),
  ),
];
