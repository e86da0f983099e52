import type { ConfirmedOptions, JsonOptions, ListOptions } from "../commands/list-options.ts";
import type {
  SubscriptionCreateOptions,
  SubscriptionDeleteOptions,
  SubscriptionResetOptions,
} from "../commands/subscription.ts";
import type { Io } from "../io.ts";
import { confirm } from "../terminal/confirm.ts";
import { note, print, printJson } from "../terminal/print.ts";
import { formatFields } from "../terminal/table.ts";
import { formatCount, formatDuration, parsePosition } from "../units.ts";
import { administer } from "./administer.ts";
import { type AnswerObject, numberField, objectFrom, shownField } from "./answer.ts";
import { allPages, printList } from "./pages.ts";
import { declaredFields, mustBeNew, settingsOf, shownSetting } from "./topic.ts";

export const subscriptionPath = (name: string): string => `/v1/subscriptions/${encodeURIComponent(name)}`;
export const subscriptionHints: Readonly<Record<number, string>> = {
  404: "mess subscription ls lists those that you may see",
};

export async function listSubscriptions(io: Io, options: ListOptions): Promise<void> {
  const administration = await administer(io, options);
  const counts = ["CONSUMERS", "READY", "LEASED", "RETRYING", "DEAD", "OLDEST"];
  await printList(io, options, {
    items: allPages(administration, { path: "/v1/subscriptions", items: "subscriptions" }),
    columns: [
      { title: "NAME" },
      { title: "FILTERS" },
      { title: "ORDERING" },
      ...counts.map((title) => ({ title, align: "right" as const })),
    ],
    row: (view) => {
      const settings = settingsOf(view);
      return [
        shownField(view, "name"),
        shownField(settings, "filters"),
        shownField(settings, "ordering"),
        count(view, "consumers"),
        readyText(view),
        count(view, "leased"),
        count(view, "retrying"),
        count(view, "dead"),
        oldestText(view),
      ];
    },
    none: "no subscriptions are declared",
  });
}

export async function describeSubscription(io: Io, name: string, options: JsonOptions): Promise<void> {
  const administration = await administer(io, options);
  const view = objectFrom(
    await administration.request({ method: "GET", path: subscriptionPath(name), hints: subscriptionHints }),
  );
  if (options.json === true) return printJson(io, view);
  await print(io, viewText(view));
}

const stateNames: readonly string[] = ["leased", "retrying", "blocked", "dead"];
function viewText(view: AnswerObject): string {
  const settings = Object.entries(settingsOf(view)).filter(([, value]) => {
    const isEmpty = typeof value === "object" && value !== null && Object.keys(value).length === 0;
    return !isEmpty;
  });
  return formatFields([
    ["name", shownField(view, "name")],
    ...declaredFields(view),
    ...settings.map(([name, value]) => [name, shownSetting(value)] as const),
    ["consumers", count(view, "consumers")],
    ["ready", readyText(view)],
    ...stateNames.map((name) => [name, count(view, name)] as const),
    ["oldest", oldestText(view) === "" ? "nothing waits" : `offset ${oldestText(view)}`],
  ]);
}

export async function createSubscription(io: Io, name: string, options: SubscriptionCreateOptions): Promise<void> {
  const settings = subscriptionSettings(options);
  const administration = await administer(io, options);
  const path = subscriptionPath(name);
  if (options.replace !== true) await mustBeNew(administration.exists(path), `the subscription ${name} exists`);
  const answer = await administration.request({ method: "PUT", path, body: settings });
  if (options.json === true) return printJson(io, answer ?? { name });
  note(io, `the subscription ${name} is declared`);
}

/** In the words of the policy file. */
function subscriptionSettings(options: SubscriptionCreateOptions): AnswerObject {
  const { filter: filters, ackWait, backoff, expiry, start } = options;
  const { ordering, maxDeliveries, expired, priorities, where, maxMessages, maxBytes, overflow, owner } = options;
  const asTheyAre = { ordering, maxDeliveries, expired, priorities, where, maxMessages, maxBytes, overflow, owner };
  const given = Object.entries(asTheyAre).filter(([, value]) => value !== undefined);
  return {
    filters,
    ...Object.fromEntries(given),
    ...(ackWait !== undefined && { ackWait: formatDuration(ackWait) }),
    ...(backoff !== undefined && { backoff: backoff.map(formatDuration) }),
    ...(expiry !== undefined && { expiry: formatDuration(expiry) }),
    ...(start !== undefined && { start: position(start) }),
  };
}

export async function deleteSubscription(io: Io, name: string, options: SubscriptionDeleteOptions): Promise<void> {
  const what = options.force === true ? " with all that waits in it" : "";
  if (!(await confirm(io, `delete the subscription ${name}${what}`, options.yes ?? false))) {
    return note(io, "nothing was changed");
  }
  const administration = await administer(io, options);
  await administration.request({
    method: "DELETE",
    path: `${subscriptionPath(name)}${options.force === true ? "?force=true" : ""}`,
    hints: { ...subscriptionHints, 409: "pass --force to delete what waits in it too" },
  });
  if (options.json === true) return printJson(io, { name, deleted: true });
  note(io, `the subscription ${name} is deleted`);
}

export async function resetSubscription(io: Io, name: string, options: SubscriptionResetOptions): Promise<void> {
  const to = position(options.to);
  const question = `set the position of ${name} to ${to}, so that what lies before counts as done`;
  if (!(await confirm(io, question, options.yes ?? false))) return note(io, "nothing was changed");
  const administration = await administer(io, options);
  const view = objectFrom(
    await administration.request({
      method: "POST",
      path: `${subscriptionPath(name)}/reset`,
      body: { to },
      hints: subscriptionHints,
    }),
  );
  if (options.json === true) return printJson(io, view);
  note(io, `${name} reads on from ${to}: ${readyText(view)} ready`);
}

/** The number of dead letters of a subscription. */
export async function deadCount(io: Io, name: string, options: ConfirmedOptions): Promise<number> {
  const administration = await administer(io, options);
  const view = await administration.request({ method: "GET", path: subscriptionPath(name), hints: subscriptionHints });
  return numberField(objectFrom(view), "dead");
}

/** As JSON takes it: an offset is a number there. */
function position(text: string): string | number {
  const place = parsePosition(text, Date.now());
  return /^\d+$/u.test(place) ? Number(place) : place;
}

function count(view: AnswerObject, name: string): string {
  const value = view[name];
  return typeof value === "number" ? formatCount(value) : "";
}

/** An upper bound where the server has not looked at each message. */
function readyText(view: AnswerObject): string {
  return `${view["exact"] === false ? "≤" : ""}${count(view, "ready")}`;
}

function oldestText(view: AnswerObject): string {
  const oldest = view["oldestOffset"];
  return typeof oldest === "number" && oldest > 0 ? String(oldest) : "";
}
