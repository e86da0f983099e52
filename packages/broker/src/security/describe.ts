/** `docs/policy.md`, made from the built-in roles and the bounds that the check itself uses. */
import type { Grant } from "../model/policy.ts";
import { formatDuration, formatSize } from "../model/quantity.ts";
import { defaultDeclarationLimits, settingBounds } from "../model/setting-bounds.ts";
import { defaultSubscriptionSettings } from "../model/settings.ts";
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
    DECLARED,
    ...settingTable(topicRows()),
    "",
    SUBSCRIPTIONS,
    ...settingTable(subscriptionRows()),
    "",
    RIGHTS,
    REFUSED,
    "| Bound | Most |",
    "| --- | --- |",
    `| roles | ${policyLimits.rolesMax} |`,
    `| grants of one role, denies included | ${policyLimits.grantsPerRoleMax} |`,
    `| grants of all roles | ${policyLimits.grantsMax} |`,
    `| principals | ${policyLimits.principalsMax} |`,
    `| roles of one principal | ${policyLimits.rolesPerPrincipalMax} |`,
    `| topics | \`declaredTopicsMax\`, ${defaultDeclarationLimits.declaredTopicsMax} unless configured |`,
    `| subscriptions | \`declaredSubscriptionsMax\`, ${defaultDeclarationLimits.declaredSubscriptionsMax} unless configured |`,
    `| filters of one subscription | \`filtersPerSubscriptionMax\`, ${defaultDeclarationLimits.filtersPerSubscriptionMax} unless configured |`,
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

A policy says who may do what, and which topics and subscriptions are declared. It is a TOML file
(\`mess policy apply FILE [--dry-run]\`) or the same as JSON (\`PUT /v1/policy\`).

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
certificates = ["dns:dev7.example"] # client certificates of your own authority that stand for it
\`\`\`

## How it is decided

- Nothing is allowed that no grant allows. A deny beats every allow, in whatever role and order. There is no first match.
- \`{principal}\` stands for the name of the asking principal, as one literal level. Names with \`+ # / { } ~\` are refused,
  and even such a name would match no wildcard. No name is ever part of a regular expression.
- A subscription is granted when one allow covers its whole filter, and refused when one deny covers it. Several allows
  are not added up: \`a/+\` and \`a/+/#\` together do not grant \`a/#\`. A deny that covers a part of a granted filter hides
  that part: it is asked again for each message, at the moment of delivery.
- \`#\` and \`+\` at the start of a filter do not reach topics that begin with \`$\`: name \`$mess/…\` or \`$SYS/…\` to grant those.
- Actions on topics: \`publish\`, \`subscribe\`, \`retain\` (to publish a retained message, beside \`publish\`), \`will\` (to leave
  one, beside \`publish\`), \`share\` (a shared subscription, beside \`subscribe\`), \`consume\` (a declared subscription, by
  name), \`create\` and \`manage\` (to declare: see below). Actions on the broker: \`admin = "keys"\`, \`"policy"\`, \`"sessions"\`, \`"metrics"\`, \`"audit"\`,
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

## Trying a policy

A policy may say what it is for. Its tests are run wherever it is read, before anything changes: a policy of which one
fails is refused, and the refusal names the test and the grant that decided. They are kept nowhere else.

\`\`\`toml
[[tests]]
principal = "dev7"
may = [{ publish = "plant/dev7/temp" }, { subscribe = "commands/all" }]
mayNot = [{ publish = ["plant/dev8/temp", "plant"] }, { admin = "policy" }]
\`\`\`

\`mess policy apply FILE --dry-run\` also tries it on what really happened: the broker remembers the newest 10,000 different
questions it was asked (who, which action, which topic; in memory), and prints those that the new policy would answer
differently: \`- shop publish "orders/2"\` was allowed and would not be. \`mess why PRINCIPAL ACTION TOPIC\` explains one
answer, \`mess who-can ACTION TOPIC\` lists everybody who gets a yes.
`;

interface SettingRow {
  readonly name: string;
  readonly values: string;
  readonly standard: string;
  readonly meaning: string;
}

function settingTable(rows: readonly SettingRow[]): string[] {
  return [
    "| Setting | Values | Without it | What it does |",
    "| --- | --- | --- | --- |",
    ...rows.map(({ name, values, standard, meaning }) => `| \`${name}\` | ${values} | ${standard} | ${meaning} |`),
  ];
}

function topicRows(): SettingRow[] {
  const { retentionAge, retentionBytes } = settingBounds;
  return [
    { name: "owner", values: "a principal", standard: "nobody", meaning: "whose names these are: see below" },
    {
      name: "retention",
      values: `a time (${times(retentionAge)}), or \`{ age, bytes }\` (${sizes(retentionBytes)}) with either or both`,
      standard: "until every subscription has consumed it",
      meaning: "messages stay for replay so long, and not more of them than that",
    },
    {
      name: "maxMessageSize",
      values: "1 B to `packetBytesMax`",
      standard: "`packetBytesMax`",
      meaning: "payload and headers; a larger publish is refused",
    },
    {
      name: "schema",
      values: "JSON Schema, as a table or as JSON text, up to `schemaBytesMax`",
      standard: "any payload",
      meaning: "payloads are JSON that satisfies it; others are refused with the place and the reason",
    },
    {
      name: "key",
      values: 'a filter with one level in braces: `"orders/{id}/#"`',
      standard: "none",
      meaning: "ordering key of messages whose publisher gives none",
    },
    {
      name: "rate",
      values: '`{ messages = "1000/s", bytes = "1MiB/s" }` with either or both',
      standard: "the limits of clients, principals and addresses",
      meaning:
        "what all publishers together may send there; past it 5.0 hears 0x97, HTTP 429, and who cannot be refused waits",
    },
    {
      name: "erasure",
      values: '`"topic"`, `"key"`',
      standard: "nothing can be erased by itself",
      meaning:
        "headers and payload of each topic, or of each ordering key, are encrypted under a key of their own, which `mess erase` destroys",
    },
    {
      name: "signing",
      values: '`"required"`, `"optional"`, `"none"`',
      standard: '`"optional"`',
      meaning:
        "required: messages must be [signed](signing.md); optional: a signature is verified where there is one; none: it is passed on as it is",
    },
    {
      name: "proofs",
      values: '`"message"`',
      standard: "a frame is proved as a whole",
      meaning: "each message can be proved by itself, without its neighbours ([proofs](proofs.md))",
    },
  ];
}

function subscriptionRows(): SettingRow[] {
  const standard = defaultSubscriptionSettings;
  const { ackWaitMin, maxDeliveries, backoff, whereMax, maxMessages, maxBytes, expiry } = settingBounds;
  const [first, longest] = standard.backoffMs;
  return [
    { name: "filters", values: "topic filters, none in `$`", standard: "required", meaning: "what it reads" },
    { name: "owner", values: "a principal", standard: "nobody", meaning: "whose it is: see below" },
    {
      name: "ordering",
      values: '`"shared"`, `"exclusive"`, `"key"`',
      standard: `\`"${standard.ordering}"\``,
      meaning: "consumers compete; one reads and the rest stand by; one message of a key at a time, in order",
    },
    {
      name: "ackWait",
      values: `${formatDuration(ackWaitMin)} to \`leaseMsMax\``,
      standard: formatDuration(standard.ackWaitMs),
      meaning: "how long a consumer has for a message",
    },
    {
      name: "maxDeliveries",
      values: counts(maxDeliveries),
      standard: String(standard.maxDeliveries),
      meaning: "failed attempts after which a message is a dead letter",
    },
    {
      name: "backoff",
      values: `two times, ${times(backoff)}`,
      standard: `\`["${tight(formatDuration(first))}", "${tight(formatDuration(longest))}"]\``,
      meaning: "first and longest wait after a failed attempt: doubled each time, with jitter",
    },
    {
      name: "expired",
      values: '`"drop"`, `"dead-letter"`',
      standard: `\`"${standard.expired}"\``,
      meaning: "what becomes of messages whose own expiry passes",
    },
    {
      name: "priorities",
      values: "`true`, `false`",
      standard: `\`${standard.priorities}\``,
      meaning: "messages of a higher priority go first",
    },
    {
      name: "start",
      values: '`"earliest"`, `"latest"`, an offset, a time such as `"2030-01-31T12:00:00Z"`',
      standard: '`"latest"`',
      meaning: "where a new one begins to read; of one that exists it changes nothing",
    },
    {
      name: "where",
      values: `a table of up to ${whereMax} user properties`,
      standard: "all messages",
      meaning: "only messages that have each of these properties with exactly this value",
    },
    {
      name: "maxMessages",
      values: counts(maxMessages),
      standard: String(standard.maxMessages),
      meaning: "messages that may wait or be under way",
    },
    { name: "maxBytes", values: sizes(maxBytes), standard: formatSize(standard.maxBytes), meaning: "their bytes" },
    {
      name: "overflow",
      values: '`"reject"`, `"drop-oldest"`, `"dead-letter"`',
      standard: `\`"${standard.overflow}"\``,
      meaning: "what happens to a publish that a full subscription matches",
    },
    {
      name: "expiry",
      values: `\`"never"\`, or ${times(expiry)}`,
      standard: '`"never"`',
      meaning: "it is deleted when nobody consumed from it for so long",
    },
  ];
}

type Range = readonly [least: number, most: number];

function times([least, most]: Range): string {
  return `${formatDuration(least)} to ${formatDuration(most)}`;
}

function sizes([least, most]: Range): string {
  return `${formatSize(least)} to ${formatSize(most)}`;
}

function counts([least, most]: Range): string {
  return `${least} to ${most}`;
}

function tight(quantity: string): string {
  return quantity.replace(" ", "");
}

const DECLARED = `
## Topics and subscriptions

\`\`\`toml
[topics."orders/#"]
owner = "shop"
retention = "7d"
maxMessageSize = "256KiB"

[subscriptions.billing]
owner = "shop"
filters = ["orders/+/created"]
ordering = "key"
maxDeliveries = 8
backoff = ["1s", "5m"]
\`\`\`

A section that is there is the whole truth: what it does not list is deleted. One that is not there leaves everything as
it is; \`[topics]\` alone, with nothing in it, deletes all. A subscription in which messages or dead letters wait is not
deleted by leaving it out: the policy is refused and names it. \`mess policy apply --dry-run\` says what would happen. A
policy is applied as a whole or not at all. Times are written like \`"500ms"\`, \`"30s"\`, \`"7d"\`, sizes like \`"256KiB"\`;
a plain number is milliseconds or bytes.

Of several topic filters that match a name the most specific one counts, alone and as a whole: from the left, a name
comes before \`+\`, and that before \`#\`.
`;

const SUBSCRIPTIONS = `
A schema is one of draft 2020-12. It is interpreted, within bounds of work, and never fetched from anywhere: \`$ref\` may
point into the schema only. Keywords that would not be enforced are refused, \`format\` is enforced, and patterns may not
look ahead or behind or refer back, so that none can take long. Notes of one's own begin with \`x-\`.
`;

const RIGHTS = `
## Who may declare

- Topics: \`manage\` on the whole filter. A deny that cuts into it refuses. \`create\` is enough for what is not declared
  yet, and for what one owns.
- Subscriptions: the same on every filter, and a right on the name: \`consume\` on it, or \`manage\` on
  \`$mess/queue/NAME\`. So nobody takes a name that was meant for others, and a grant such as
  \`{ manage = "$mess/queue/{principal}" }\` gives each principal a name of its own. A name that exists belongs to its
  owner.
- What somebody owns is closed to everybody else: nobody may declare below it, above it so that it is covered, or across
  it. Inside it the most specific owner counts: an administrator can give a part of a tree to another principal.
- Whoever declares something new owns it. What a policy file or an administrator declares without \`owner\` belongs to
  nobody: there \`manage\` decides alone, and nobody can claim it. A later change that names no owner changes none.
- \`admin = "policy"\` may declare and delete everything, and alone may name another owner.

| To | one needs |
| --- | --- |
| see that a subscription is there, and its numbers | \`consume\` on the name, \`manage\` on \`$mess/queue/NAME\`, or \`admin = "policy"\` |
| take messages from it | \`consume\` on the name, and \`subscribe\` covering every filter; denies of a part hide that part |
| read its dead letters | \`consume\` on the name; each is shown to those who may \`subscribe\` to the topic it came from |
| redrive or purge them | the same as to see it |
| change, delete or reset it | to be allowed to declare it, and to be its owner if it has one |
| see what is declared for topics | any right on one of the topics, or to be the owner |
| see delayed messages | \`publish\`, \`subscribe\` or \`manage\` on the topic |
| cancel one | to be its publisher and still allowed to publish, or \`manage\` on the topic |
| browse | \`subscribe\`, asked for each message |

Each act is in the audit trail: \`topic.declared\`, \`topic.deleted\`, \`subscription.declared\`, \`subscription.deleted\`,
\`subscription.reset\`, \`dead.redriven\`, \`dead.purged\`, \`delayed.cancelled\`; and \`admin.refused\` for what was refused.
`;

const REFUSED = `## What is refused

Unknown keys, actions, roles and \`$\` trees, filters that MQTT does not allow, braces other than \`{principal}\`, settings
that this version does not enforce. A refused policy changes nothing. Names of principals, roles and subscriptions have 1
to 128 bytes, no control characters, none of \`+ # / { } ~\`, and do not begin with \`$\`.
`;
