import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PolicyDocument } from "../model/policy.ts";
import { settingBounds } from "../model/setting-bounds.ts";
import {
  defaultSubscriptionSettings,
  type JsonSchema,
  type Position,
  type SubscriptionSettings,
  type TopicSettings,
} from "../model/settings.ts";
import { policyFromToml, policyToToml } from "./policy-document.ts";

const between = ([least, most]: readonly [number, number]): fc.Arbitrary<number> =>
  fc.integer({ min: least, max: most });
const someOf = <T extends object>(shape: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<Partial<T>> =>
  fc.record(shape, { requiredKeys: [] }) as fc.Arbitrary<Partial<T>>;
const names = fc.constantFrom("r", "constructor", "a.b", 'q"x', "\\", "Zoë", "x y", "[r]", "toString", "r = 1");
const texts = fc.constantFrom("", "eu", 'q"', "\\", "a b", "Zoë", "#", "'''", "=]");

const topicSettings = someOf<Required<TopicSettings>>({
  owner: names,
  retention: fc.oneof(
    fc.record({ ageMs: between(settingBounds.retentionAge) }),
    fc.record({ bytes: between(settingBounds.retentionBytes) }),
    fc.record({ ageMs: between(settingBounds.retentionAge), bytes: between(settingBounds.retentionBytes) }),
  ),
  maxMessageBytes: fc.integer({ min: 1, max: 1024 * 1024 }),
  schema: fc.constantFrom<JsonSchema>(
    true,
    false,
    {},
    { const: null },
    { enum: ["\u0000", "\u007f", '"', "\\", "\ud800", 1e300, -0.5, [[null]]] },
    { properties: { constructor: { type: "string", pattern: '^"\\d' } } },
  ),
  key: fc.constantFrom("{id}/#", "+/{id}/#", "{a-b_9}/#"),
});

const subscriptionSettings = someOf<Required<SubscriptionSettings>>({
  owner: names,
  filters: fc.uniqueArray(fc.constantFrom("#", "a/#", "+/b", "Zoë/+", 'q"', "a b"), { minLength: 1 }),
  ordering: fc.constantFrom("shared", "exclusive", "key"),
  ackWaitMs: fc.integer({ min: 100, max: 12 * 3_600_000 }),
  maxDeliveries: between(settingBounds.maxDeliveries),
  backoffMs: fc
    .tuple(between(settingBounds.backoff), between(settingBounds.backoff))
    .map(([a, b]): [number, number] => [Math.min(a, b), Math.max(a, b)]),
  expired: fc.constantFrom("drop", "dead-letter"),
  priorities: fc.boolean(),
  start: fc.oneof(
    fc.constantFrom<Position>("earliest", "latest"),
    fc.record({ offset: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }) }),
    fc.record({ at: fc.integer({ min: 0, max: 253_402_300_799_999 }) }),
  ),
  where: fc.dictionary(fc.constantFrom("region", 'q"', "a b", "constructor", "#"), texts),
  maxMessages: between(settingBounds.maxMessages),
  maxBytes: between(settingBounds.maxBytes),
  overflow: fc.constantFrom("reject", "drop-oldest", "dead-letter"),
  expiryMs: fc.oneof(fc.constant(0), between(settingBounds.expiry)),
}).map((some): SubscriptionSettings => ({ ...defaultSubscriptionSettings, filters: ["f"], ...some }));

const documents: fc.Arbitrary<PolicyDocument> = someOf<Required<Pick<PolicyDocument, "topics" | "subscriptions">>>({
  topics: fc.dictionary(fc.constantFrom("a/#", "+/+", "#", 'q"/#', "a.b/#"), topicSettings, { maxKeys: 4 }),
  subscriptions: fc.dictionary(names, subscriptionSettings, { maxKeys: 4 }),
}).map((sections) => ({ roles: {}, principals: {}, ...sections }));

describe("policyToToml, of what is declared", () => {
  it("is read back to the same document", () => {
    fc.assert(
      fc.property(documents, (document) => {
        expect(policyFromToml(policyToToml(document))).toEqual({ policy: document });
      }),
      { numRuns: 300 },
    );
  });

  it("tells an empty section from none", () => {
    const document: PolicyDocument = { roles: {}, principals: {}, topics: {}, subscriptions: {} };
    expect(policyToToml(document)).toBe("[topics]\n\n[subscriptions]\n");
    expect(policyFromToml(policyToToml(document))).toEqual({ policy: document });
  });

  it("reads well", () => {
    const text = String.raw`[topics."orders/#"]
owner = "shop"
retention = "7d"
maxMessageSize = "256KiB"
schema = "{\"type\":\"object\"}"
key = "orders/{id}/#"

[topics.plain]

[topics."telemetry/+"]
retention = { age = "36h", bytes = "1GiB" }

[subscriptions.billing]
filters = ["orders/+/created"]
ordering = "key"
ackWait = "45s"
maxDeliveries = 8
backoff = ["2s", "10m"]
start = "2030-01-31T12:00:00Z"
where = { "a b" = "x", region = "eu" }
expiry = "30d"

[subscriptions.everything]
filters = ["#"]
start = 7
`;
    const read = policyFromToml(text);
    if ("problems" in read) throw new Error(JSON.stringify(read.problems));
    expect(policyToToml(read.policy)).toBe(text);
    expect(read.policy.topics?.["telemetry/+"]).toEqual({ retention: { ageMs: 129_600_000, bytes: 1024 ** 3 } });
    expect(read.policy.subscriptions?.["everything"]).toEqual({
      ...defaultSubscriptionSettings,
      filters: ["#"],
      start: { offset: 7 },
    });
  });
});
