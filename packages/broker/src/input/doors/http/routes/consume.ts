/** Reading a declared subscription: pull, and what becomes of each message. */
import { z } from "zod";
import type { Limits } from "../../../../config/limits.ts";
import type { Refusal } from "../../../../model/engine.ts";
import type { ConsumerHandle, Settlement, SettleResult } from "../../../../model/queue.ts";
import { consumeRefusal, endRefusal } from "../engine-refusal.ts";
import { delay, duration, integer, nothing, size, text } from "../fields.ts";
import { leasedMessageSchema } from "../message-json.ts";
import { HttpRefusal, type ProblemCode } from "../problem.ts";
import { Pull, type PullOutcome } from "../pull.ts";
import { type Answer, type Route, type RouteRequest, route, type TypedRoute } from "../route.ts";

const GROUP = "Consuming";
const PULL_DEFAULT = 10;
/** A token has 22 characters; so many at most are taken for one. */
const TOKEN_LENGTH_MAX = 128;
const REASON_BYTES_MAX = 1_024;

interface PullBody {
  readonly max: number;
  readonly waitMs: number;
  readonly maxBytes: number;
}

export function consumeRoutes(limits: Limits): readonly Route[] {
  return [
    pullRoute(limits),
    settleRoute(limits, {
      verb: "ack",
      summary: "Says that messages are done.",
      item: {},
      settlement: () => ({ verb: "ack" }),
    }),
    settleRoute(limits, {
      verb: "nack",
      summary:
        "Says that processing failed: again after backoff, or after `delay`; a dead letter when attempts run out.",
      item: {
        delay: delay(limits.delayMsMax).optional().describe("instead of the subscription's backoff"),
        reason: text(REASON_BYTES_MAX).optional().describe("kept with the dead letter"),
      },
      settlement: ({ delay: delayMs, reason }) => ({
        verb: "nack",
        ...(delayMs !== undefined && { delayMs }),
        ...(reason !== undefined && { reason }),
      }),
    }),
    settleRoute(limits, {
      verb: "reject",
      summary: "Makes messages dead letters at once.",
      item: { reason: text(REASON_BYTES_MAX).optional().describe("kept with the dead letter") },
      settlement: ({ reason }) => ({ verb: "reject", ...(reason !== undefined && { reason }) }),
    }),
    settleRoute(limits, {
      verb: "release",
      summary: "Gives messages back unprocessed: again at once, counted as no attempt.",
      item: {},
      settlement: () => ({ verb: "release" }),
    }),
    settleRoute(limits, {
      verb: "extend",
      summary: "Keeps messages for longer: `for` from now, or the subscription's ack wait. The token stays good.",
      item: { for: duration(1, limits.leaseMsMax).optional() },
      settlement: ({ for: forMs }) => ({ verb: "extend", ...(forMs !== undefined && { forMs }) }),
    }),
  ];
}

function pullRoute(limits: Limits): Route {
  const most = Math.min(limits.httpPageItemsMax, limits.leasesPerConsumerMax);
  const bytesMax = Math.min(limits.httpAnswerBytesMax, limits.leaseBytesPerConsumerMax);
  return route({
    method: "POST",
    path: "/v1/subscriptions/:name/pull",
    group: GROUP,
    permission: "authenticated",
    right: "`consume` on the name, `subscribe` on its filters",
    summary: "Takes messages, waiting for the first for as long as `waitMs`. Each is leased to the caller.",
    query: nothing,
    body: z.strictObject({
      max: integer(1, most).default(Math.min(PULL_DEFAULT, most)).describe("messages"),
      waitMs: integer(0, limits.httpPollMsMax).default(0).describe("0 answers with what is there"),
      maxBytes: size(1, bytesMax).default(bytesMax).describe("of headers and payloads; one message may always come"),
    }) as unknown as z.ZodType<PullBody>,
    bodyOptional: true,
    longLived: true,
    answers: {
      200: {
        description: "What there is; none when the time is over.",
        schema: z.strictObject({ messages: z.array(leasedMessageSchema) }),
      },
    },
    problems: ["forbidden", "not-found", "conflict", "quota-exceeded", "unavailable", "too-many-requests"],
    handle: pull,
  });
}

async function pull(request: RouteRequest<object, PullBody>): Promise<Answer> {
  const { services, caller, params, body } = request;
  const { queues, deadlines } = services;
  let taking: Pull | undefined;
  const outcome = new Promise<PullOutcome>((resolve) => {
    taking = new Pull({ messages: body.max, bytes: body.maxBytes, waitMs: body.waitMs }, deadlines, resolve);
  });
  const consumer = taking as unknown as Pull;
  const handle = queues.consume(consumer, {
    ...caller,
    subscription: params["name"] ?? "",
    messages: body.max,
    bytes: body.maxBytes,
    tokens: true,
  });
  if (isRefusal(handle)) {
    consumer.finish();
    throw consumeRefusal(handle);
  }
  request.onGone(() => consumer.finish());
  const result = await outcome;
  if ("ended" in result) throw endRefusal(result.ended, result.text);
  return {
    status: 200,
    body: { messages: result.messages },
    // A client that did not get the answer knows no token: its leases go back at once.
    sent: (whole) => queues.leave(handle, whole),
  };
}

function isRefusal(result: ConsumerHandle | Refusal): result is Refusal {
  return "reason" in result;
}

type SettleVerb = Settlement["verb"];

interface SettleItem {
  readonly token: string;
  readonly delay?: number;
  readonly reason?: string;
  readonly for?: number;
}

interface SettleBody {
  readonly tokens?: readonly string[];
  readonly items?: readonly SettleItem[];
}

interface Settling {
  readonly verb: SettleVerb;
  readonly summary: string;
  readonly item: Readonly<Record<string, z.ZodType>>;
  readonly settlement: (item: Omit<SettleItem, "token">) => Settlement;
}

const results = ["done", "dead", "gone", "forbidden", "failed"] as const satisfies readonly SettleResult[];
const resultSchema = z.strictObject({
  token: z.string(),
  result: z.enum(results).describe("`dead`: done, and it is a dead letter now. `gone`: no such lease any more"),
});

function settleRoute(limits: Limits, settling: Settling): Route {
  const token = text(TOKEN_LENGTH_MAX);
  const most = limits.httpPageItemsMax;
  const common = settling.item as Readonly<Record<string, z.ZodType>>;
  const typed: TypedRoute<object, SettleBody> = {
    method: "POST",
    path: `/v1/subscriptions/:name/${settling.verb}`,
    group: GROUP,
    permission: "authenticated",
    right: "the lease is the caller's",
    summary: settling.summary,
    query: nothing,
    body: z
      .strictObject({
        tokens: z.array(token).min(1).max(most).optional(),
        items: z
          .array(z.strictObject({ token, ...common }))
          .min(1)
          .max(most)
          .optional()
          .describe("instead of `tokens`, to say more of each"),
        ...common,
      })
      .refine(({ tokens, items }) => (tokens === undefined) !== (items === undefined), "either tokens or items")
      .describe(
        "Either `tokens` or `items`. What stands beside them holds for all that do not say otherwise.",
      ) as unknown as z.ZodType<SettleBody>,
    answers: {
      200: {
        description: "At least one is settled, durably. A result for each, in their order.",
        schema: z.strictObject({ results: z.array(resultSchema) }),
      },
    },
    problems: ["forbidden", "lease-gone", "unavailable"],
    handle: (request) => settleAll(request, settling),
  };
  return route(typed);
}

async function settleAll(request: RouteRequest<object, SettleBody>, settling: Settling): Promise<Answer> {
  const { services, caller, body } = request;
  const { tokens, items, ...common } = body;
  const wanted: readonly SettleItem[] = items ?? (tokens ?? []).map((token) => ({ token }));
  const settled = await Promise.all(
    wanted.map(async ({ token, ...own }) => {
      const settlement = settling.settlement({ ...common, ...own });
      const result = await new Promise<SettleResult>((resolve) => {
        services.queues.settle(caller.principal, token, settlement, resolve);
      });
      return { token, result };
    }),
  );
  const done = settled.some(({ result }) => result === "done" || result === "dead");
  if (done) return { status: 200, body: { results: settled } };
  const [code, detail] = failures[settled[0]?.result ?? "gone"] ?? failures.gone;
  const headers: Readonly<Record<string, string>> = code === "unavailable" ? { "retry-after": "5" } : {};
  throw new HttpRefusal(code, detail, { results: settled, headers });
}

/** Where nothing was settled, so that a client of one message need not look into the answer. */
const failures: Readonly<Record<string, readonly [ProblemCode, string]>> & {
  readonly gone: readonly [ProblemCode, string];
} = {
  gone: ["lease-gone", "the lease is gone: it expired, was settled, or never was"],
  forbidden: ["forbidden", "the lease is another principal's"],
  failed: ["unavailable", "the journal failed; nothing was settled"],
};
