/** Settings of topics and subscriptions as JSON: the spelling of the policy file, in both directions. */
import { z } from "zod";
import type { Limits } from "../../../config/limits.ts";
import { formatDuration, formatSize } from "../../../config/quantity.ts";
import {
  defaultSubscriptionSettings,
  type JsonSchema,
  type Position,
  type Retention,
  type SubscriptionSettings,
  type TopicSettings,
} from "../../../model/settings.ts";
import { patternProblem } from "../../../model/topic-pattern.ts";
import { duration, Fault, field, flag, integer, name, position, size, text, textFault } from "./fields.ts";
import { timeText } from "./message-json.ts";

const YEAR_MS = 365 * 86_400_000;
const COUNT_MAX = 10_000_000_000;
const BYTES_MAX = 2 ** 50;
const DELIVERIES_MAX = 1_000;
/** User properties a subscription may ask for. */
const WHERE_MAX = 16;

/** A topic filter that can be declared: none of the broker's own. */
export function declarableFilter(limits: Limits): z.ZodType<string, unknown> {
  return field({ type: "string", minLength: 1, maxLength: limits.topicBytesMax }, (value) => {
    if (typeof value !== "string") return new Fault("must be a string");
    const problem = patternProblem(value, { bytesMax: limits.topicBytesMax, levelsMax: limits.topicLevelsMax });
    if (problem !== undefined) return new Fault(problem);
    return value.startsWith("$") ? new Fault("must not begin with `$`: those names are the broker's") : value;
  });
}

export interface SettingsForms {
  readonly topic: z.ZodType<TopicSettings>;
  readonly subscription: z.ZodType<SubscriptionSettings>;
}

export function settingsForms(limits: Limits): SettingsForms {
  return { topic: topicSettings(limits), subscription: subscriptionSettings(limits) };
}

function topicSettings(limits: Limits): z.ZodType<TopicSettings> {
  const both = z.strictObject({
    age: duration(1_000, 100 * YEAR_MS).optional(),
    bytes: size(1, BYTES_MAX).optional(),
  });
  const retention = field<Retention>(
    { anyOf: [{ type: "string" }, { type: "object", properties: { age: {}, bytes: {} } }], examples: ["7d"] },
    (value) => {
      const checked = both.safeParse(typeof value === "string" ? { age: value } : value);
      const age = checked.data?.age;
      const bytes = checked.data?.bytes;
      if (!checked.success || (age === undefined && bytes === undefined)) {
        return new Fault('must be a duration such as "7d", or { "age", "bytes" } with at least one of them');
      }
      return { ...(age !== undefined && { ageMs: age }), ...(bytes !== undefined && { bytes }) };
    },
  );
  return z
    .strictObject({
      owner: name.optional().describe("principal whose names these are; who declares it without one"),
      retention: retention
        .optional()
        .describe("kept for replay so long, or until there is more; `{age, bytes}` for both"),
      maxMessageSize: size(1, limits.packetBytesMax).optional().describe("payload and headers"),
      schema: schemaField(limits.schemaBytesMax).optional().describe("JSON Schema (draft 2020-12) of payloads"),
      key: text(limits.topicBytesMax).optional().describe("ordering key from a level, where the publisher gives none"),
    })
    .meta({ id: "TopicSettings" })
    .transform(
      ({ owner, retention: kept, maxMessageSize, schema, key }): TopicSettings => ({
        ...(owner !== undefined && { owner }),
        ...(kept !== undefined && { retention: kept }),
        ...(maxMessageSize !== undefined && { maxMessageBytes: maxMessageSize }),
        ...(schema !== undefined && { schema }),
        ...(key !== undefined && { key }),
      }),
    ) as unknown as z.ZodType<TopicSettings>;
}

function schemaField(bytesMax: number): z.ZodType<JsonSchema, unknown> {
  return field<JsonSchema>({ type: ["object", "boolean"] }, (value) => {
    if (typeof value !== "boolean" && (typeof value !== "object" || value === null || Array.isArray(value))) {
      return new Fault("must be an object or a boolean");
    }
    const bytes = Buffer.byteLength(JSON.stringify(value));
    return bytes <= bytesMax ? (value as JsonSchema) : new Fault(`must have at most ${bytesMax} bytes as JSON`);
  });
}

function subscriptionSettings(limits: Limits): z.ZodType<SubscriptionSettings> {
  const standard = defaultSubscriptionSettings;
  const wait = duration(1, YEAR_MS);
  return z
    .strictObject({
      owner: name.optional(),
      filters: z.array(declarableFilter(limits)).min(1).max(limits.filtersPerSubscriptionMax),
      ordering: z.enum(["shared", "exclusive", "key"]).default(standard.ordering),
      ackWait: duration(100, limits.leaseMsMax).default(standard.ackWaitMs),
      maxDeliveries: integer(1, DELIVERIES_MAX).default(standard.maxDeliveries),
      backoff: z
        .tuple([wait, wait])
        .refine(([first, longest]) => first <= longest, "the first wait must not be longer than the longest")
        .default([...standard.backoffMs]),
      expired: z.enum(["drop", "dead-letter"]).default(standard.expired),
      priorities: flag.default(standard.priorities),
      start: position.default(standard.start),
      where: whereField(limits).default(standard.where),
      maxMessages: integer(1, COUNT_MAX).default(standard.maxMessages),
      maxBytes: size(1, BYTES_MAX).default(standard.maxBytes),
      overflow: z.enum(["reject", "drop-oldest", "dead-letter"]).default(standard.overflow),
      expiry: field<number>({ anyOf: [{ const: "never" }, { type: "string" }, { type: "integer" }] }, (value) => {
        if (value === "never" || value === 0) return 0;
        const checked = duration(1_000, 100 * YEAR_MS).safeParse(value);
        return checked.success ? checked.data : new Fault('must be "never" or a duration of at least "1s"');
      }).default(standard.expiryMs),
    })
    .meta({ id: "SubscriptionSettings" })
    .transform(
      ({ owner, ackWait, backoff, expiry, ...same }): SubscriptionSettings => ({
        ...same,
        ...(owner !== undefined && { owner }),
        ackWaitMs: ackWait,
        backoffMs: backoff,
        expiryMs: expiry,
      }),
    ) as unknown as z.ZodType<SubscriptionSettings>;
}

function whereField(limits: Limits): z.ZodType<Readonly<Record<string, string>>, unknown> {
  const form = { type: "object", additionalProperties: { type: "string" }, maxProperties: WHERE_MAX };
  return field<Readonly<Record<string, string>>>(form, (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return new Fault("must be an object");
    const pairs = Object.entries(value);
    if (pairs.length > WHERE_MAX) return new Fault(`must name at most ${WHERE_MAX} user properties`);
    for (const [property, wanted] of pairs) {
      if (typeof wanted !== "string") return new Fault("must hold strings");
      const fault = textFault(property, limits.userPropertyBytesMax) ?? textFault(wanted, limits.userPropertyBytesMax);
      if (fault !== undefined) return fault;
    }
    return Object.fromEntries(pairs) as Record<string, string>;
  });
}

/** What `PUT` takes: what is read can be written back. */
export function topicSettingsJson(settings: TopicSettings): Readonly<Record<string, unknown>> {
  const { owner, retention, maxMessageBytes, schema, key } = settings;
  return {
    ...(owner !== undefined && { owner }),
    ...(retention !== undefined && { retention: retentionJson(retention) }),
    ...(maxMessageBytes !== undefined && { maxMessageSize: tight(formatSize(maxMessageBytes)) }),
    ...(schema !== undefined && { schema }),
    ...(key !== undefined && { key }),
  };
}

function retentionJson({ ageMs, bytes }: Retention): unknown {
  const age = ageMs === undefined ? undefined : tight(formatDuration(ageMs));
  if (bytes === undefined) return age;
  return { ...(age !== undefined && { age }), bytes: tight(formatSize(bytes)) };
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
  schema: z.union([z.boolean(), z.record(z.string(), z.unknown())]).optional(),
  key: z.string().optional(),
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
