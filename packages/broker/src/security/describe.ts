/** `docs/policy.md`, made from the built-in roles and the bounds that the check itself uses. */
import type { Grant } from "../model/policy.ts";
import { builtInRoles } from "./built-in-roles.ts";
import { policyLimits } from "./policy-check.ts";

/** The page, as Markdown. */
export function renderPolicyPage(): string {
  const roles = builtInRoles.map((role) => `| \`${role.name}\` | ${role.meaning} | ${grantsText(role.allow)} |`);
  return [
    INTRODUCTION,
    "| Role | What for | Grants |",
    "| --- | --- | --- |",
    ...roles,
    "",
    RULES,
    "| Bound | Most |",
    "| --- | --- |",
    `| roles | ${policyLimits.rolesMax} |`,
    `| grants of one role, denies included | ${policyLimits.grantsPerRoleMax} |`,
    `| grants of all roles | ${policyLimits.grantsMax} |`,
    `| principals | ${policyLimits.principalsMax} |`,
    `| roles of one principal | ${policyLimits.rolesPerPrincipalMax} |`,
    "",
  ].join("\n");
}

/** One filter with its actions: `publish, retain` on `#`. */
function grantsText(grants: readonly Grant[]): string {
  const filters = new Map<string, string[]>();
  for (const { action, filter } of grants) {
    const where = action.startsWith("admin.") ? "" : ` on \`${filter}\``;
    filters.set(where, [...(filters.get(where) ?? []), action]);
  }
  return [...filters].map(([where, actions]) => `\`${actions.join(" ")}\`${where}`).join("; ");
}

const INTRODUCTION = `# Policy

<!-- Made by tools/generate-docs.ts from packages/broker/src/security. Change that, not this page. -->

A policy says who may do what. It is a TOML file (\`mess policy apply FILE [--dry-run]\`) or the same as JSON
(\`PUT /v1/policy\`).

\`\`\`toml
[roles.device]
allow = [
  { publish = "plant/{principal}/#", will = "plant/{principal}/state" },
  { subscribe = ["commands/{principal}", "commands/all"] },
]

[roles.dashboard]
allow = [{ subscribe = "plant/#" }, { admin = "metrics" }]
deny = [{ subscribe = "plant/+/secret/#" }]

[principals.dev7]
roles = ["device"]
\`\`\`

## How it is decided

- Nothing is allowed that no grant allows. A deny beats every allow, in whatever role and order. There is no first match.
- \`{principal}\` stands for the name of the asking principal, as one literal level. Names with \`+ # / { }\` are refused,
  and even such a name would match no wildcard. No name is ever part of a regular expression.
- A subscription is granted when one allow covers its whole filter, and refused when one deny covers it. Several allows
  are not added up: \`a/+\` and \`a/+/#\` together do not grant \`a/#\`. A deny that covers a part of a granted filter hides
  that part: it is asked again for each message, at the moment of delivery.
- \`#\` and \`+\` at the start of a filter do not reach topics that begin with \`$\`: name \`$mess/…\` or \`$SYS/…\` to grant those.
- Actions on topics: \`publish\`, \`subscribe\`, \`retain\` (to publish a retained message, beside \`publish\`), \`will\` (to leave
  one, beside \`publish\`), \`share\` (a shared subscription, beside \`subscribe\`), \`consume\` (a declared subscription, by
  name), \`create\`, \`manage\`. Actions on the broker: \`admin = "keys"\`, \`"policy"\`, \`"sessions"\`, \`"metrics"\`, \`"audit"\`,
  \`"storage"\`, or \`"*"\` for all.

## Built-in roles

They cannot be redefined; principals of a policy may have them.
`;

const RULES = `
The principal \`admin\` owns the first key. It has exactly the role \`admin\`, listed or not, so that no policy can lock
everybody out; without a key it can do nothing. An empty policy is valid: only \`admin\` has rights then. None of the other roles
both grants rights and reads the audit trail, and no action erases it.

\`admin = "keys"\` alone does not make one an administrator: a key can be made for a principal only by someone who holds
each of its grants, or who may change the policy.

## What is refused

Unknown keys, actions, roles and \`$\` trees, filters that MQTT does not allow, braces other than \`{principal}\`, and the
sections \`topics\` and \`subscriptions\`, which this version does not enforce. A refused policy changes nothing. Names of
principals and roles have 1 to 128 bytes, no control characters, none of \`+ # / { }\`, and do not begin with \`$\`.
`;
