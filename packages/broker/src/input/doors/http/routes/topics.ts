/** Declared topics: settings of the topics a filter matches. */
import { z } from "zod";
import type { Limits } from "../../../../config/limits.ts";
import { AdministrationError } from "../../../../model/administration.ts";
import type { QueueAdministration, TopicView } from "../../../../model/queue-administration.ts";
import { readCursor, writeCursor } from "../cursor.ts";
import { nothing } from "../fields.ts";
import { timeText } from "../message-json.ts";
import { pageQuery } from "../page-query.ts";
import { HttpRefusal } from "../problem.ts";
import { type Route, route } from "../route.ts";
import {
  declarableFilter,
  readTopic,
  type SpelledSettings,
  topicForm,
  topicSettingsJson,
  topicSettingsSchema,
} from "../settings-json.ts";

const GROUP = "Topics";
const PATH = "/v1/topics/:filter";

const topicSchema = z
  .strictObject({
    filter: z.string(),
    settings: topicSettingsSchema,
    declaredBy: z.string(),
    declaredAt: z.iso.datetime(),
  })
  .meta({ id: "Topic" });

function json({ filter, settings, declaredBy, declaredAt }: TopicView): Readonly<Record<string, unknown>> {
  return { filter, settings: topicSettingsJson(settings), declaredBy, declaredAt: timeText(declaredAt) };
}

export function topicRoutes(limits: Limits): readonly Route[] {
  const filterOf = (params: Readonly<Record<string, string>>): string => {
    const checked = declarableFilter(limits).safeParse(params["filter"]);
    if (checked.success) return checked.data;
    const message = checked.error.issues[0]?.message ?? "is no topic filter";
    throw new HttpRefusal("wrong-parameters", `filter: ${message}`, { errors: [{ path: "filter", message }] });
  };
  const one = { description: "The declaration.", schema: topicSchema };
  const manage = { group: GROUP, permission: "authenticated", right: "`manage` on the filter" } as const;
  return [
    listRoute(limits),
    route({
      ...manage,
      method: "GET",
      path: PATH,
      right: "whoever may see it",
      summary: "One declaration. The filter is percent-encoded as one level: `orders%2F%23`.",
      query: nothing,
      answers: { 200: one },
      problems: ["forbidden", "not-found", "unavailable"],
      handle: ({ services, caller, params }) => {
        return { status: 200, body: json(find(services.queueAdministration, caller.principal, filterOf(params))) };
      },
    }),
    route<object, SpelledSettings>({
      ...manage,
      method: "PUT",
      path: PATH,
      summary: "Declares the topics that a filter matches, or replaces their settings as a whole.",
      query: nothing,
      body: topicForm(limits),
      answers: { 200: { ...one, description: "It was there; its settings are replaced." }, 201: one },
      problems: ["forbidden", "conflict", "unavailable"],
      handle: async ({ services, caller, params, body }) => {
        const { queueAdministration } = services;
        const filter = filterOf(params);
        const isNew = await queueAdministration.declareTopic(caller.principal, filter, readTopic(body, filter, limits));
        const view = find(queueAdministration, caller.principal, filter);
        return { status: isNew ? 201 : 200, body: json(view) };
      },
    }),
    route({
      ...manage,
      method: "DELETE",
      path: PATH,
      summary: "Takes a declaration back. Messages stay.",
      query: nothing,
      answers: { 204: { description: "It is gone." } },
      problems: ["forbidden", "not-found", "conflict", "unavailable"],
      handle: async ({ services, caller, params }) => {
        await services.queueAdministration.deleteTopic(caller.principal, filterOf(params));
        return { status: 204 };
      },
    }),
    route<object, { key?: string | undefined }>({
      ...manage,
      method: "POST",
      path: `${PATH}/erase`,
      summary:
        "Destroys the keys of the messages on these topics, or of one ordering key under a declaration; nobody can read them after.",
      query: nothing,
      body: z.strictObject({ key: z.string().max(limits.messageKeyBytesMax).optional() }),
      bodyOptional: true,
      answers: {
        200: {
          description: "How many topics or keys it were.",
          schema: z.strictObject({ domains: z.int().min(1) }),
        },
      },
      problems: ["forbidden", "not-found", "unavailable"],
      handle: async ({ services, caller, params, body }) => {
        const domains = await services.queueAdministration.eraseTopic(caller.principal, filterOf(params), body.key);
        return { status: 200, body: { domains } };
      },
    }),
  ];
}

function listRoute(limits: Limits): Route {
  return route({
    method: "GET",
    path: "/v1/topics",
    group: GROUP,
    permission: "authenticated",
    right: "each is shown to who may see it",
    summary: "Declared topics in the order of their filters.",
    query: pageQuery(limits),
    answers: {
      200: {
        description: "A page; `next` is absent at the end.",
        schema: z.strictObject({ topics: z.array(topicSchema), next: z.string().optional() }),
      },
    },
    problems: ["unavailable"],
    handle: ({ services, caller, query }) => {
      const { cursor, limit = 100 } = query;
      const list = ["topics"];
      const after = cursor === undefined ? "" : readCursor(list, cursor, ["string"])[0];
      const all = services.queueAdministration.topics(caller.principal);
      const rest = all.filter(({ filter }) => filter > after).sort((a, b) => (a.filter < b.filter ? -1 : 1));
      const page = rest.slice(0, limit);
      const last = rest.length > limit ? page.at(-1) : undefined;
      const next = last === undefined ? {} : { next: writeCursor(list, [last.filter]) };
      return { status: 200, body: { topics: page.map(json), ...next } };
    },
  });
}

function find(administration: QueueAdministration, by: string, filter: string): TopicView {
  const view = administration.topics(by).find((topic) => topic.filter === filter);
  if (view === undefined) throw new AdministrationError("not-found", "nothing is declared for this filter");
  return view;
}
