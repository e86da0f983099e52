import { parseRfc3339 } from "../model/rfc3339.ts";
import { type DeclarationLimits, settingBounds } from "../model/setting-bounds.ts";
import { defaultSubscriptionSettings, type Position, type SubscriptionSettings } from "../model/settings.ts";
import type { PolicyProblems } from "./policy-problems.ts";
import { emptyRecord, exceeds, isTable, readTable } from "./policy-tables.ts";
import {
  propertyTextProblem,
  readChoice,
  readCount,
  readDeclaredFilter,
  readDuration,
  readFlag,
  readPrincipal,
  readSize,
  type SettingPlace,
} from "./setting-readers.ts";
import { subscriptionNameProblem } from "./subscription-name.ts";

const keys = [
  "owner",
  "filters",
  "ordering",
  "ackWait",
  "maxDeliveries",
  "backoff",
  "expired",
  "priorities",
  "start",
  "where",
  "maxMessages",
  "maxBytes",
  "overflow",
  "expiry",
] as const;

/** The section `subscriptions`: a name, then its settings. */
export function readSubscriptions(
  value: unknown,
  limits: DeclarationLimits,
  problems: PolicyProblems,
): Record<string, SubscriptionSettings> {
  const subscriptions = emptyRecord<SubscriptionSettings>();
  const table = readTable(value, "subscriptions", problems);
  if (exceeds(table.size, limits.declaredSubscriptionsMax, "subscriptions", problems)) return subscriptions;
  for (const [name, entry] of table) {
    const path = problems.path("subscriptions", name);
    const problem = subscriptionNameProblem(name);
    if (problem !== undefined) problems.add(path, problem);
    const settings = readSubscriptionSettings(entry, limits, { path, problems });
    if (problem === undefined && settings !== undefined) subscriptions[name] = settings;
  }
  return subscriptions;
}

/** With the defaults for what is left out; `undefined` without valid filters. */
export function readSubscriptionSettings(
  value: unknown,
  limits: DeclarationLimits,
  { path, problems }: SettingPlace,
): SubscriptionSettings | undefined {
  const table = readTable(value, path, problems);
  for (const name of table.keys()) {
    if (!keys.some((known) => known === name)) problems.unknownKey(path, name, keys);
  }
  const at = (name: (typeof keys)[number]): SettingPlace => ({ path: problems.path(path, name), problems });
  const standard = defaultSubscriptionSettings;
  const owner = readPrincipal(table.get("owner"), at("owner"));
  const filters = readFilters(table.get("filters"), limits, at("filters"));
  const ackWait = [settingBounds.ackWaitMin, limits.leaseMsMax] as const;
  const { maxDeliveries, maxMessages, maxBytes } = settingBounds;
  const settings: SubscriptionSettings = {
    ...(owner !== undefined && { owner }),
    filters: filters ?? [],
    ordering: readChoice(table.get("ordering"), ["shared", "exclusive", "key"], at("ordering")) ?? standard.ordering,
    ackWaitMs: readDuration(table.get("ackWait"), ackWait, at("ackWait")) ?? standard.ackWaitMs,
    maxDeliveries: readCount(table.get("maxDeliveries"), maxDeliveries, at("maxDeliveries")) ?? standard.maxDeliveries,
    backoffMs: readBackoff(table.get("backoff"), at("backoff")) ?? standard.backoffMs,
    expired: readChoice(table.get("expired"), ["drop", "dead-letter"], at("expired")) ?? standard.expired,
    priorities: readFlag(table.get("priorities"), at("priorities")) ?? standard.priorities,
    start: readPosition(table.get("start"), at("start")) ?? standard.start,
    where: readWhere(table.get("where"), limits, at("where")) ?? standard.where,
    maxMessages: readCount(table.get("maxMessages"), maxMessages, at("maxMessages")) ?? standard.maxMessages,
    maxBytes: readSize(table.get("maxBytes"), maxBytes, at("maxBytes")) ?? standard.maxBytes,
    overflow:
      readChoice(table.get("overflow"), ["reject", "drop-oldest", "dead-letter"], at("overflow")) ?? standard.overflow,
    expiryMs: readExpiry(table.get("expiry"), at("expiry")) ?? standard.expiryMs,
  };
  return filters === undefined ? undefined : settings;
}

function readFilters(value: unknown, limits: DeclarationLimits, place: SettingPlace): string[] | undefined {
  const { path, problems } = place;
  if (!Array.isArray(value) || value.length === 0) {
    problems.add(path, "is an array of one or more topic filters", 'filters = ["orders/+/created"]');
    return undefined;
  }
  if (value.length > limits.filtersPerSubscriptionMax) {
    problems.add(path, `has ${value.length} filters; at most ${limits.filtersPerSubscriptionMax} are allowed`);
    return undefined;
  }
  const filters = new Set<string>();
  for (const [index, item] of value.entries()) {
    const filter = readDeclaredFilter(item, limits, { path: `${path}[${index}]`, problems });
    if (filter === undefined) continue;
    if (filters.has(filter)) problems.add(`${path}[${index}]`, "stands there twice");
    filters.add(filter);
  }
  return [...filters];
}

function readBackoff(value: unknown, { path, problems }: SettingPlace): [first: number, longest: number] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || value.length !== 2) {
    problems.add(path, "is an array of two durations: the first wait and the longest", 'backoff = ["1s", "5m"]');
    return undefined;
  }
  const [first, longest] = value.map((item: unknown, index) => {
    const place = { path: `${path}[${index}]`, problems };
    // What is left out of the middle of an array is no default.
    return readDuration(item ?? null, settingBounds.backoff, place);
  });
  if (first === undefined || longest === undefined) return undefined;
  if (first <= longest) return [first, longest];
  problems.add(path, "begins with the first wait, which is not longer than the longest");
  return undefined;
}

/** `"earliest"`, `"latest"`, the offset of the first message, or an RFC 3339 time. */
function readPosition(value: unknown, { path, problems }: SettingPlace): Position | undefined {
  if (value === undefined || value === "earliest" || value === "latest") return value;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 1) return { offset: value };
  const at = typeof value === "string" ? parseRfc3339(value) : undefined;
  // A moment before 1970 is one before every message; it needs no negative numbers in the journal.
  if (at !== undefined && at >= 0) return { at };
  problems.add(
    path,
    'is "earliest", "latest", an offset from 1 on, or a time in quotes',
    'start = "2030-01-31T12:00:00Z"',
  );
  return undefined;
}

function readWhere(
  value: unknown,
  limits: DeclarationLimits,
  { path, problems }: SettingPlace,
): Record<string, string> | undefined {
  if (value === undefined) return undefined;
  if (!isTable(value)) {
    problems.add(path, "is a table of user properties and the value each must have", 'where = { region = "eu" }');
    return undefined;
  }
  const entries = Object.entries(value);
  if (entries.length > settingBounds.whereMax) {
    problems.add(path, `names ${entries.length} user properties; at most ${settingBounds.whereMax} are allowed`);
    return undefined;
  }
  const where = emptyRecord<string>();
  for (const [name, wanted] of entries) {
    const itemPath = problems.path(path, name);
    const problem = whereProblem(name, wanted, limits.userPropertyBytesMax);
    if (problem === undefined) where[name] = wanted as string;
    else problems.add(itemPath, problem);
  }
  return where;
}

function whereProblem(name: string, wanted: unknown, bytesMax: number): string | undefined {
  if (typeof wanted !== "string") return "is the value that the property must have, in quotes";
  if (name === "") return "a user property has a name";
  // An object key of this name changes the object's prototype in careless code elsewhere.
  if (name === "__proto__") return "this name is reserved";
  if (name.startsWith("mess-")) return "properties named `mess-` are for the broker and do not travel with a message";
  return propertyTextProblem(name, bytesMax) ?? propertyTextProblem(wanted, bytesMax);
}

function readExpiry(value: unknown, place: SettingPlace): number | undefined {
  return value === "never" || value === 0 ? 0 : readDuration(value, settingBounds.expiry, place);
}
