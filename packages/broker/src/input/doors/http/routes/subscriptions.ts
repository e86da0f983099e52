/** Declared subscriptions. */
import { z } from "zod";
import type { Limits } from "../../../../config/limits.ts";
import type { SubscriptionView } from "../../../../model/queue-administration.ts";
import type { Position } from "../../../../model/settings.ts";
import { readCursor, writeCursor } from "../cursor.ts";
import { flag, nothing, position } from "../fields.ts";
import { timeText } from "../message-json.ts";
import { pageQuery } from "../page-query.ts";
import { type Route, route } from "../route.ts";
import {
  readSubscription,
  type SpelledSettings,
  subscriptionForm,
  subscriptionSettingsJson,
  subscriptionSettingsSchema,
} from "../settings-json.ts";

const GROUP = "Subscriptions";
const PATH = "/v1/subscriptions/:name";

const subscriptionSchema = z
  .strictObject({
    name: z.string(),
    settings: subscriptionSettingsSchema,
    declaredBy: z.string(),
    declaredAt: z.iso.datetime(),
    consumers: z.int(),
    ready: z.int().describe("may be delivered now; an upper bound where `exact` is false"),
    leased: z.int(),
    retrying: z.int().describe("wait for their backoff to pass"),
    blocked: z.int().describe("wait behind an earlier message of their key"),
    dead: z.int(),
    exact: z.boolean(),
    oldestOffset: z.int().optional().describe("of the oldest message that is not done"),
  })
  .meta({ id: "Subscription" });

function json(view: SubscriptionView): Readonly<Record<string, unknown>> {
  const { settings, declaredAt, oldestOffset, ...same } = view;
  return {
    ...same,
    settings: subscriptionSettingsJson(settings),
    declaredAt: timeText(declaredAt),
    ...(oldestOffset > 0 && { oldestOffset }),
  };
}

export function subscriptionRoutes(limits: Limits): readonly Route[] {
  const one = { description: "The subscription.", schema: subscriptionSchema };
  return [
    listRoute(limits),
    route({
      method: "GET",
      path: PATH,
      group: GROUP,
      permission: "authenticated",
      right: "`consume` on the name, or `manage` on `$mess/queue/NAME`",
      summary: "A subscription: its settings, and how many messages are where.",
      query: nothing,
      answers: { 200: one },
      problems: ["forbidden", "not-found", "unavailable"],
      handle: ({ services, caller, params }) => {
        const view = services.queueAdministration.subscription(caller.principal, params["name"] ?? "");
        return { status: 200, body: json(view) };
      },
    }),
    route<object, SpelledSettings>({
      method: "PUT",
      path: PATH,
      group: GROUP,
      permission: "authenticated",
      right: "`manage` on its filters, and a right on the name",
      summary: "Declares a subscription, or replaces its settings as a whole; what waits in it stays.",
      query: nothing,
      body: subscriptionForm(limits),
      answers: { 200: { ...one, description: "It was there; its settings are replaced." }, 201: one },
      problems: ["forbidden", "conflict", "unavailable"],
      handle: async ({ services, caller, params, body }) => {
        const { queueAdministration } = services;
        const name = params["name"] ?? "";
        const isNew = await queueAdministration.declareSubscription(
          caller.principal,
          name,
          readSubscription(body, limits),
        );
        const view = queueAdministration.subscription(caller.principal, name);
        return { status: isNew ? 201 : 200, body: json(view) };
      },
    }),
    route({
      method: "DELETE",
      path: PATH,
      group: GROUP,
      permission: "authenticated",
      right: "`manage` on its filters, and a right on the name",
      summary: "Deletes a subscription. Refused while messages or dead letters wait in it, unless `force`.",
      query: z.strictObject({ force: flag.optional() }),
      answers: { 204: { description: "It is gone." } },
      problems: ["forbidden", "not-found", "conflict", "unavailable"],
      handle: async ({ services, caller, params, query }) => {
        const name = params["name"] ?? "";
        await services.queueAdministration.deleteSubscription(caller.principal, name, query.force === true);
        return { status: 204 };
      },
    }),
    route<object, { to: Position }>({
      method: "POST",
      path: `${PATH}/reset`,
      group: GROUP,
      permission: "authenticated",
      right: "`manage` on its filters, and a right on the name",
      summary: "Sets the position: what lies behind it is read (again), what lies before counts as done.",
      query: nothing,
      body: z.strictObject({ to: position }),
      answers: { 200: one },
      problems: ["forbidden", "not-found", "conflict", "unavailable"],
      handle: async ({ services, caller, params, body }) => {
        const name = params["name"] ?? "";
        const view = await services.queueAdministration.resetSubscription(caller.principal, name, body.to);
        return { status: 200, body: json(view) };
      },
    }),
  ];
}

function listRoute(limits: Limits): Route {
  return route({
    method: "GET",
    path: "/v1/subscriptions",
    group: GROUP,
    permission: "authenticated",
    right: "each is shown to who may look into it",
    summary: "Subscriptions in the order of their names.",
    query: pageQuery(limits),
    answers: {
      200: {
        description: "A page; `next` is absent at the end.",
        schema: z.strictObject({ subscriptions: z.array(subscriptionSchema), next: z.string().optional() }),
      },
    },
    problems: ["unavailable"],
    handle: ({ services, caller, query }) => {
      const { cursor, limit = 100 } = query;
      const list = ["subscriptions"];
      const after = cursor === undefined ? "" : readCursor(list, cursor, ["string"])[0];
      const views = services.queueAdministration.subscriptions(caller.principal, { after, limit });
      const last = views.length === limit ? views.at(-1) : undefined;
      const next = last === undefined ? {} : { next: writeCursor(list, [last.name]) };
      return { status: 200, body: { subscriptions: views.map(json), ...next } };
    },
  });
}
