/** Messages that are to be delivered later. */
import { z } from "zod";
import type { Limits } from "../../../../config/limits.ts";
import { readCursor, writeCursor } from "../cursor.ts";
import { nothing } from "../fields.ts";
import { timeText } from "../message-json.ts";
import { pageQuery } from "../page-query.ts";
import { type Route, route } from "../route.ts";
import { offsetOf } from "./dead.ts";

const GROUP = "Delayed messages";

const delayedSchema = z
  .strictObject({
    offset: z.int().describe("under which it was accepted, and by which it is cancelled"),
    topic: z.string(),
    publisher: z.string(),
    dueAt: z.iso.datetime(),
    bytes: z.int(),
  })
  .meta({ id: "Delayed" });

export function delayedRoutes(limits: Limits): readonly Route[] {
  return [
    route({
      method: "GET",
      path: "/v1/delayed",
      group: GROUP,
      permission: "authenticated",
      right: "those of topics the caller may publish or subscribe to",
      summary: "Delayed messages, the next first.",
      query: pageQuery(limits),
      answers: {
        200: {
          description: "A page; `next` is absent at the end.",
          schema: z.strictObject({ messages: z.array(delayedSchema), next: z.string().optional() }),
        },
      },
      problems: ["unavailable"],
      handle: async ({ services, caller, query }) => {
        const { cursor, limit = 100 } = query;
        const list = ["delayed"];
        const [dueAt, offset] = cursor === undefined ? [] : readCursor(list, cursor, ["number", "number"]);
        const after = dueAt === undefined || offset === undefined ? undefined : { dueAt, offset };
        const page = await services.queueAdministration.delayed(caller.principal, after, limit);
        const messages = page.messages.map((message) => ({ ...message, dueAt: timeText(message.dueAt) }));
        const next = page.next === undefined ? {} : { next: writeCursor(list, [page.next.dueAt, page.next.offset]) };
        return { status: 200, body: { messages, ...next } };
      },
    }),
    route({
      method: "DELETE",
      path: "/v1/delayed/:offset",
      group: GROUP,
      permission: "authenticated",
      right: "`publish` on its topic as its publisher, or `manage` on the topic",
      summary: "Cancels a delayed message.",
      query: nothing,
      answers: { 204: { description: "It will not be delivered." } },
      problems: ["forbidden", "not-found", "unavailable"],
      handle: async ({ services, caller, params }) => {
        await services.queueAdministration.cancelDelayed(caller.principal, offsetOf(params));
        return { status: 204 };
      },
    }),
  ];
}
