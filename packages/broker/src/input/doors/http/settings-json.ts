/** Settings of topics and subscriptions as JSON: the spelling of the policy file, in both directions. */
import { z } from "zod";
import type { Limits } from "../../../config/limits.ts";
import {
  type CheckedSettings,
  subscriptionSettingsFrom,
  topicSettingsFrom,
} from "../../../identity/settings-document.ts";
import { formatDuration, formatSize } from "../../../model/quantity.ts";
import { settingBounds } from "../../../model/setting-bounds.ts";
import {
  defaultSubscriptionSettings,
  type Position,
  type Retention,
  type SubscriptionSettings,
  signingModes,
  type TopicRate,
  type TopicSettings,
} from "../../../model/settings.ts";
import { patternProblem } from "../../../model/topic-pattern.ts";
import { sentenceOf } from "./faults.ts";
import { duration, Fault, field, flag, integer, name, positionForm, size, text } from "./fields.ts";
import { timeText } from "./message-json.ts";
import { HttpRefusal } from "./problem.ts";

/** A topic filter that can be declared: none of the broker's own. */
export function declarableFilter(limits: Limits): z.ZodType<string, unknown> {
  return field({ type: "string", minLength: 1, maxLength: limits.topicBytesMax }, (value) => {
    if (typeof value !== "string") return new Fault("must be a string");
    const problem = patternProblem(value, { bytesMax: limits.topicBytesMax, levelsMax: limits.topicLevelsMax });
    if (problem !== undefined) return new Fault(problem);
    return value.startsWith("$") ? new Fault("must not begin with `$`: those names are the broker's") : value;
  });
}

const preset = (value: unknown): string => `${JSON.stringify(value)} without it`;

/** Settings whose form has been checked; what they mean is for `readTopic` and `readSubscription` to say. */
export type SpelledSettings = Readonly<Record<string, unknown>>;

export function topicForm(limits: Limits): z.ZodType<SpelledSettings> {
  const retention = { anyOf: [{ type: "string" }, { type: "object" }], examples: ["7d", { age: "7d", bytes: "1GiB" }] };
  return z
    .strictObject({
      owner: name.optional().describe("principal whose names these are; who declares it without one"),
      retention: asItIs(retention)
        .optional()
        .describe("kept for replay so long, or until there is more; `{age, bytes}` for either or both"),
      maxMessageSize: size(1, limits.packetBytesMax).optional().describe("payload and headers"),
      signing: z.enum(signingModes).optional().describe(preset("optional")),
      schema: asItIs({ type: ["object", "boolean"] })
        .optional()
        .describe("JSON Schema (draft 2020-12) of payloads"),
      key: text(limits.topicBytesMax)
        .optional()
        .describe("ordering key from a level, where the publisher gives none: `orders/{id}/#`"),
      rate: asItIs({ type: "object", examples: [{ messages: "1000/s", bytes: "1MiB/s" }] })
        .optional()
        .describe("what all publishers together may send there in a second: `{messages, bytes}` or one of them"),
      erasure: z
        .enum(["topic", "key"])
        .optional()
        .describe("what can be erased together: the messages of a topic, or those of an ordering key"),
      proofs: z.enum(["message"]).optional().describe("each message can be proved by itself, without its neighbours"),
    })
    .meta({ id: "TopicSettings" }) as unknown as z.ZodType<SpelledSettings>;
}

export function subscriptionForm(limits: Limits): z.ZodType<SpelledSettings> {
  const { ackWaitMin, backoff, maxDeliveries, maxMessages, maxBytes, whereMax } = settingBounds;
  const standard = defaultSubscriptionSettings;
  const wait = duration(...backoff);
  return z
    .strictObject({
      owner: name.optional().describe("principal that may change it; who declares it without one"),
      filters: z.array(declarableFilter(limits)).min(1).max(limits.filtersPerSubscriptionMax),
      ordering: z.enum(["shared", "exclusive", "key"]).optional().describe(preset(standard.ordering)),
      ackWait: duration(ackWaitMin, limits.leaseMsMax).optional().describe(preset("30s")),
      maxDeliveries: integer(...maxDeliveries)
        .optional()
        .describe(preset(standard.maxDeliveries)),
      backoff: z
        .tuple([wait, wait])
        .optional()
        .describe(`first and longest wait; ${preset(["1s", "5m"])}`),
      expired: z.enum(["drop", "dead-letter"]).optional().describe(preset(standard.expired)),
      priorities: flag.optional().describe(preset(standard.priorities)),
      start: spelledPosition.optional().describe(preset(standard.start)),
      where: asItIs({ type: "object", additionalProperties: { type: "string" }, maxProperties: whereMax })
        .optional()
        .describe("user properties that a message must have, each with this value"),
      maxMessages: integer(...maxMessages)
        .optional()
        .describe(preset(standard.maxMessages)),
      maxBytes: size(...maxBytes)
        .optional()
        .describe(preset("16GiB")),
      overflow: z.enum(["reject", "drop-oldest", "dead-letter"]).optional().describe(preset(standard.overflow)),
      expiry: asItIs({ anyOf: [{ const: "never" }, { type: "string" }, { type: "integer" }], examples: ["30d"] })
        .optional()
        .describe(`deleted when nobody consumed for so long; ${preset("never")}`),
    })
    .meta({ id: "SubscriptionSettings" }) as unknown as z.ZodType<SpelledSettings>;
}

function asItIs(form: Readonly<Record<string, unknown>>): z.ZodType<unknown> {
  return field(form, (value) => value ?? new Fault("must not be null"));
}

const spelledPosition = asItIs(positionForm);

/** One authority with the policy file. Throws 422 with the place of each fault. */
export function readTopic(spelled: SpelledSettings, filter: string, limits: Limits): TopicSettings {
  return settled(topicSettingsFrom(spelled, filter, limits));
}

export function readSubscription(spelled: SpelledSettings, limits: Limits): SubscriptionSettings {
  return settled(subscriptionSettingsFrom(spelled, limits));
}

function settled<T>(checked: CheckedSettings<T>): T {
  if ("settings" in checked) return checked.settings;
  const errors = checked.problems.map(({ path, message, hint }) => ({
    path: path.replace(/\[(\d+)\]/g, ".$1"),
    message: hint === undefined ? message : `${message} (${hint})`,
  }));
  throw new HttpRefusal("invalid", sentenceOf(errors), { errors });
}

/** What `PUT` takes: what is read can be written back. */
export function topicSettingsJson(settings: TopicSettings): Readonly<Record<string, unknown>> {
  const { owner, retention, maxMessageBytes, signing, schema, key, rate, erasure, proofs } = settings;
  return {
    ...(owner !== undefined && { owner }),
    ...(retention !== undefined && { retention: retentionJson(retention) }),
    ...(maxMessageBytes !== undefined && { maxMessageSize: tight(formatSize(maxMessageBytes)) }),
    ...(signing !== undefined && { signing }),
    ...(schema !== undefined && { schema }),
    ...(key !== undefined && { key }),
    ...(rate !== undefined && { rate: rateJson(rate) }),
    ...(erasure !== undefined && { erasure }),
    ...(proofs !== undefined && { proofs }),
  };
}

function retentionJson({ ageMs, bytes }: Retention): unknown {
  const age = ageMs === undefined ? undefined : tight(formatDuration(ageMs));
  if (bytes === undefined) return age;
  return { ...(age !== undefined && { age }), bytes: tight(formatSize(bytes)) };
}

function rateJson({ messagesPerSecond, bytesPerSecond }: TopicRate): unknown {
  return {
    ...(messagesPerSecond !== undefined && { messages: `${messagesPerSecond}/s` }),
    ...(bytesPerSecond !== undefined && { bytes: `${tight(formatSize(bytesPerSecond))}/s` }),
  };
}

export function subscriptionSettingsJson(settings: SubscriptionSettings): Readonly<Record<string, unknown>> {
  const { ackWaitMs, backoffMs, expiryMs, start, maxBytes, ...same } = settings;
  return {
    ...same,
    ackWait: tight(formatDuration(ackWaitMs)),
    backoff: backoffMs.map((wait) => tight(formatDuration(wait))),
    start: positionJson(start),
    maxBytes: tight(formatSize(maxBytes)),
    expiry: expiryMs === 0 ? "never" : tight(formatDuration(expiryMs)),
  };
}

function positionJson(start: Position): string | number {
  if (typeof start === "string") return start;
  return "offset" in start ? start.offset : timeText(start.at);
}

/** `30 s` as policy files write it: `30s`. */
function tight(quantity: string): string {
  return quantity.replace(" ", "");
}

/** The forms as answers hold them: every member of a subscription is there. */
export const topicSettingsSchema: z.ZodObject = z.strictObject({
  owner: z.string().optional(),
  retention: z.union([z.string(), z.strictObject({ age: z.string().optional(), bytes: z.string() })]).optional(),
  maxMessageSize: z.string().optional(),
  signing: z.enum(signingModes).optional(),
  schema: z.union([z.boolean(), z.record(z.string(), z.unknown())]).optional(),
  key: z.string().optional(),
  rate: z.strictObject({ messages: z.string().optional(), bytes: z.string().optional() }).optional(),
  erasure: z.enum(["topic", "key"]).optional(),
  proofs: z.enum(["message"]).optional(),
});

export const subscriptionSettingsSchema: z.ZodObject = z.strictObject({
  owner: z.string().optional(),
  filters: z.array(z.string()),
  ordering: z.enum(["shared", "exclusive", "key"]),
  ackWait: z.string(),
  maxDeliveries: z.int(),
  backoff: z.tuple([z.string(), z.string()]),
  expired: z.enum(["drop", "dead-letter"]),
  priorities: z.boolean(),
  start: z.union([z.string(), z.int()]),
  where: z.record(z.string(), z.string()),
  maxMessages: z.int(),
  maxBytes: z.string(),
  overflow: z.enum(["reject", "drop-oldest", "dead-letter"]),
  expiry: z.string(),
});
