import type { SubscriptionSettings, TopicSettings } from "../model/settings.ts";
import { type SpelledSubscription, type SpelledTopic, spellSubscription, spellTopic } from "./settings-spelling.ts";

/** Longer values (schemas, mostly) are told of without being shown. */
const shownLengthMax = 60;

export function describeTopic(settings: TopicSettings): string {
  const parts = shown(spellTopic(settings));
  return parts.length === 0 ? "no settings" : parts.join(", ");
}

export function describeSubscription(settings: SubscriptionSettings): string {
  return shown(spellSubscription(settings)).join(", ");
}

/** Empty when the two mean the same. */
export function compareTopics(before: TopicSettings, after: TopicSettings): string {
  return isSame(before, after) ? "" : changes(spellTopic(before), spellTopic(after));
}

/** Empty when the two mean the same: the order of filters means nothing. */
export function compareSubscriptions(before: SubscriptionSettings, after: SubscriptionSettings): string {
  return isSame(before, after) ? "" : changes(sorted(before), sorted(after));
}

/** Nearly all are, of many thousands: told without spelling them. */
function isSame(before: object, after: object): boolean {
  const was = new Map<string, unknown>(Object.entries(before));
  const is = Object.entries(after) as [string, unknown][];
  return (
    was.size === is.length &&
    is.every(([name, value]) => was.get(name) === value || JSON.stringify(was.get(name)) === JSON.stringify(value))
  );
}

function sorted(settings: SubscriptionSettings): SpelledSubscription {
  return spellSubscription({ ...settings, filters: [...settings.filters].sort() });
}

type Spelled = SpelledTopic | SpelledSubscription;

function shown(spelled: Spelled): string[] {
  return Object.entries(spelled).map(([name, value]) => (isShort(value) ? `${name} ${text(value)}` : name));
}

function changes(before: Spelled, after: Spelled): string {
  const was = new Map<string, unknown>(Object.entries(before));
  const is = new Map<string, unknown>(Object.entries(after));
  const names = [...new Set([...was.keys(), ...is.keys()])];
  return names
    .filter((name) => text(was.get(name)) !== text(is.get(name)))
    .map((name) => change(name, was.get(name), is.get(name)))
    .join(", ");
}

function change(name: string, was: unknown, is: unknown): string {
  if (is === undefined) return `-${name}`;
  if (was === undefined) return isShort(is) ? `+${name} ${text(is)}` : `+${name}`;
  return isShort(was) && isShort(is) ? `${name} ${text(was)} -> ${text(is)}` : name;
}

function isShort(value: unknown): boolean {
  return text(value).length <= shownLengthMax;
}

/** Tables have their keys sorted: their order means nothing. */
function text(value: unknown): string {
  if (typeof value === "string") return value;
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value.join(" ");
  return JSON.stringify(value, sortKeys) ?? "";
}

function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
