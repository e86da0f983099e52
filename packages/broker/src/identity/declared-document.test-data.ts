/** Policies that declare whatever can be declared. */
import fc from "fast-check";
import type { PolicyDocument } from "../model/policy.ts";
import { settingBounds } from "../model/setting-bounds.ts";
import {
  defaultSubscriptionSettings,
  type JsonSchema,
  type Position,
  type SubscriptionSettings,
  signingModes,
  type TopicSettings,
} from "../model/settings.ts";

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
  proofs: fc.constant("message" as const),
  maxMessageBytes: fc.integer({ min: 1, max: 1024 * 1024 }),
  signing: fc.constantFrom(...signingModes),
  schema: fc.constantFrom<JsonSchema>(
    true,
    false,
    {},
    { const: null },
    { enum: ["\u0000", "\u007f", '"', "\\", "\ud800", 1e300, -0.5, [[null]]] },
    { properties: { constructor: { type: "string", pattern: '^"\\d' } } },
  ),
  key: fc.constantFrom("{id}/#", "+/{id}/#", "{a-b_9}/#"),
  rate: fc.oneof(
    fc.record({ messagesPerSecond: between(settingBounds.messagesPerSecond) }),
    fc.record({ bytesPerSecond: between(settingBounds.bytesPerSecond) }),
    fc.record({
      messagesPerSecond: between(settingBounds.messagesPerSecond),
      bytesPerSecond: between(settingBounds.bytesPerSecond),
    }),
  ),
  erasure: fc.constantFrom("topic", "key"),
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

export const declaredDocuments: fc.Arbitrary<PolicyDocument> = someOf<
  Required<Pick<PolicyDocument, "topics" | "subscriptions">>
>({
  topics: fc.dictionary(fc.constantFrom("a/#", "+/+", "#", 'q"/#', "a.b/#"), topicSettings, { maxKeys: 4 }),
  subscriptions: fc.dictionary(names, subscriptionSettings, { maxKeys: 4 }),
}).map((sections) => ({ roles: {}, principals: {}, ...sections }));

/** Of any number of principals: no two have the same. */
export const certificateNames: fc.Arbitrary<readonly string[]> = fc.uniqueArray(
  fc.constantFrom("dns:a.example", "dns:A.example", 'uri:q"x', "uri:\\", "uri:spiffe://a/b", "dns:x", "uri:*"),
);
