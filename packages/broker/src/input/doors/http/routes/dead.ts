/** Dead letters: looking at them, sending them back, throwing them away. */
import { z } from "zod";
import type { Limits } from "../../../../config/limits.ts";
import { AdministrationError } from "../../../../model/administration.ts";
import type { DeadResult, DeadSelection } from "../../../../model/queue-administration.ts";
import { readCursor, writeCursor } from "../cursor.ts";
import { integer, nothing, text } from "../fields.ts";
import { messageSchema, storedJson } from "../message-json.ts";
import { pageQuery } from "../page-query.ts";
import { HttpRefusal } from "../problem.ts";
import { type Route, type RouteRequest, route } from "../route.ts";

const PATH = "/v1/subscriptions/:name/dead";
const REASON_BYTES_MAX = 1_024;

const common = {
  group: "Dead letters",
  permission: "authenticated",
  problems: ["forbidden", "not-found", "conflict", "unavailable"],
} as const;

interface Selecting {
  readonly all?: true;
  readonly offsets?: readonly number[];
  readonly reason?: string;
}

export function deadRoutes(limits: Limits): readonly Route[] {
  const selection = z
    .strictObject({
      all: z.literal(true).optional(),
      offsets: z.array(integer(1, Number.MAX_SAFE_INTEGER)).min(1).max(limits.httpPageItemsMax).optional(),
      reason: text(REASON_BYTES_MAX).optional().describe("a part of the reason"),
    })
    .refine((value) => Object.keys(value).length === 1, "exactly one of all, offsets, reason")
    .describe("Exactly one of `all`, `offsets` and `reason`.") as unknown as z.ZodType<Selecting>;
  const result = {
    200: {
      description: "How many were dealt with. Where some remain, ask again.",
      schema: z.strictObject({ done: z.int(), remaining: z.int() }).meta({ id: "DeadResult" }),
    },
  };
  return [
    listRoute(limits),
    route({
      ...common,
      method: "GET",
      path: `${PATH}/:offset`,
      right: "`consume` on the name",
      summary: "One dead letter by its offset.",
      query: nothing,
      answers: { 200: { description: "The dead letter.", schema: messageSchema } },
      handle: async ({ services, caller, params }) => {
        const offset = offsetOf(params);
        const page = { from: offset, limit: 1 };
        const { messages } = await services.queueAdministration.dead(caller.principal, params["name"] ?? "", page);
        const [message] = messages;
        if (message?.offset !== offset) throw new AdministrationError("not-found", `there is no dead letter ${offset}`);
        return { status: 200, body: storedJson(message) };
      },
    }),
    route<object, Selecting>({
      ...common,
      method: "POST",
      path: `${PATH}/redrive`,
      right: "`consume` on the name",
      summary: "Sends dead letters back to the subscription they failed in; their attempts begin anew.",
      query: nothing,
      body: selection,
      answers: result,
      handle: async (request) => ({ status: 200, body: await selected(request, "redrive") }),
    }),
    route<object, Selecting>({
      ...common,
      method: "POST",
      path: `${PATH}/purge`,
      right: "`consume` on the name",
      summary: "Throws dead letters away.",
      query: nothing,
      body: selection,
      answers: result,
      handle: async (request) => ({ status: 200, body: await selected(request, "purge") }),
    }),
  ];
}

function listRoute(limits: Limits): Route {
  return route({
    ...common,
    method: "GET",
    path: PATH,
    right: "`consume` on the name",
    summary: "Dead letters, oldest first: each with its reason, its attempts and where it came from.",
    query: pageQuery(limits),
    answers: {
      200: {
        description: "A page; `next` is absent at the end.",
        schema: z.strictObject({ messages: z.array(messageSchema), next: z.string().optional() }),
      },
    },
    handle: async ({ services, caller, params, query }) => {
      const name = params["name"] ?? "";
      const { cursor, limit = 100 } = query;
      const list = ["dead", name];
      const from = cursor === undefined ? 0 : readCursor(list, cursor, ["number"])[0];
      const page = await services.queueAdministration.dead(caller.principal, name, { from, limit });
      const next = page.next === undefined ? {} : { next: writeCursor(list, [page.next]) };
      return { status: 200, body: { messages: page.messages.map(storedJson), ...next } };
    },
  });
}

/** "All" must be said: an empty selection is likelier a mistake than a wish. */
function selected(request: RouteRequest<object, Selecting>, verb: "redrive" | "purge"): Promise<DeadResult> {
  const { services, caller, params, body } = request;
  const { all: _, ...selection } = body;
  return services.queueAdministration[verb](caller.principal, params["name"] ?? "", selection as DeadSelection);
}

const offsetField = integer(1, Number.MAX_SAFE_INTEGER);

/** The offset in a path. */
export function offsetOf(params: Readonly<Record<string, string>>): number {
  const checked = offsetField.safeParse(params["offset"]);
  if (checked.success) return checked.data;
  throw new HttpRefusal("wrong-parameters", "offset: must be a whole number", {
    errors: [{ path: "offset", message: "must be a whole number" }],
  });
}
