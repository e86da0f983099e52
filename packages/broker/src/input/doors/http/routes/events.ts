/** Event streams: of plain topics, and of declared subscriptions. */
import { z } from "zod";
import type { Limits } from "../../../../config/limits.ts";
import { deadLetterPrefix, type Position } from "../../../../model/settings.ts";
import { consumeRefusal, engineRefusal } from "../engine-refusal.ts";
import { flag, integer, position, size, text } from "../fields.ts";
import { LeaseStream } from "../lease-stream.ts";
import { EVENT_STREAM_MEDIA_TYPE } from "../media-types.ts";
import { leasedMessageSchema, messageSchema } from "../message-json.ts";
import { HttpRefusal } from "../problem.ts";
import { type Answer, type Route, type RouteRequest, route } from "../route.ts";
import { TopicStream } from "../topic-stream.ts";

const GROUP = "Event streams";
const CREDIT_DEFAULT = 32;

interface TopicQuery {
  readonly filter: string;
  readonly from?: Position | undefined;
  readonly retained?: boolean | undefined;
}

interface LeaseQuery {
  readonly credit?: number | undefined;
  readonly creditBytes?: number | undefined;
}

export function eventRoutes(limits: Limits): readonly Route[] {
  const creditMax = limits.leasesPerConsumerMax;
  const bytesMax = limits.leaseBytesPerConsumerMax;
  const common = { method: "GET", group: GROUP, permission: "authenticated", longLived: true } as const;
  return [
    route<TopicQuery, undefined>({
      ...common,
      path: "/v1/events",
      right: "`subscribe` on the filter",
      summary: "Messages of the topics a filter matches, as they come, or from an earlier place on.",
      query: z.strictObject({
        filter: text(limits.topicBytesMax),
        from: position.optional().describe("where to begin; without it with what comes now"),
        retained: flag.optional().describe("begin with the last values; not together with `from`"),
      }),
      requestHeaders: z.object({
        "Last-Event-ID": z.string().optional().describe("go on behind this offset; outweighs `from`"),
      }),
      answers: {
        200: {
          description:
            "Server-sent events. `data` is a message, `id` its offset (none for last values and QoS 0). The event `end` " +
            "says why the broker ended the stream.",
          schema: messageSchema,
          mediaType: EVENT_STREAM_MEDIA_TYPE,
        },
      },
      problems: ["forbidden", "invalid", "conflict", "quota-exceeded", "unavailable", "too-many-requests"],
      handle: streamTopics,
    }),
    route<LeaseQuery, undefined>({
      ...common,
      path: "/v1/subscriptions/:name/events",
      right: "`consume` on the name, `subscribe` on its filters",
      summary: "Messages of a declared subscription, each leased to the caller and settled by POST with its token.",
      query: z.strictObject({
        credit: integer(1, creditMax)
          .optional()
          .describe(`messages it may hold at a time; ${CREDIT_DEFAULT} without it`),
        creditBytes: size(1, bytesMax).optional().describe("their bytes"),
      }),
      answers: {
        200: {
          description:
            "Server-sent events. `data` is a message with its token. When the stream ends, what is not settled goes back " +
            "and its tokens are void.",
          schema: leasedMessageSchema,
          mediaType: EVENT_STREAM_MEDIA_TYPE,
        },
      },
      problems: ["forbidden", "not-found", "quota-exceeded", "unavailable", "too-many-requests"],
      handle: ({ services, caller, params, query }) => {
        const stream = LeaseStream.open(services, {
          ...caller,
          subscription: params["name"] ?? "",
          messages: query.credit ?? Math.min(CREDIT_DEFAULT, creditMax),
          bytes: query.creditBytes ?? bytesMax,
          tokens: true,
        });
        if (!(stream instanceof LeaseStream)) throw consumeRefusal(stream);
        return eventStream((outgoing) => stream.write(outgoing));
      },
    }),
  ];
}

async function streamTopics(request: RouteRequest<TopicQuery, undefined>): Promise<Answer> {
  const { services, caller, query, headers } = request;
  if (query.filter.startsWith("$") && !query.filter.startsWith(deadLetterPrefix)) {
    const message = `begins with "$": of those names only ${deadLetterPrefix}NAME can be read here`;
    throw new HttpRefusal("wrong-parameters", `filter: ${message}`, { errors: [{ path: "filter", message }] });
  }
  const resumed = lastEventId(headers["last-event-id"]);
  const from = resumed ?? query.from;
  if (query.retained === true && query.from !== undefined) {
    throw new HttpRefusal("wrong-parameters", "retained: last values and a replay cannot both come first", {
      errors: [{ path: "retained", message: "is given together with from" }],
    });
  }
  const retained = query.retained === true && from === undefined;
  const stream = await TopicStream.open(services, { caller, filter: query.filter, from, retained });
  if (!(stream instanceof TopicStream)) throw engineRefusal(stream);
  return eventStream((outgoing) => stream.write(outgoing));
}

function eventStream(stream: NonNullable<Answer["stream"]>): Answer {
  // Buffering proxies would hold events back.
  return { status: 200, mediaType: EVENT_STREAM_MEDIA_TYPE, headers: { "x-accel-buffering": "no" }, stream };
}

/** Behind the last one that the client has. An empty one stands for none, as the standard has it. */
function lastEventId(values: readonly string[] | undefined): Position | undefined {
  const [value = ""] = values ?? [];
  if (value === "") return undefined;
  const offset = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (Number.isSafeInteger(offset) && offset < Number.MAX_SAFE_INTEGER && values?.length === 1) {
    return { offset: offset + 1 };
  }
  throw new HttpRefusal("wrong-parameters", "Last-Event-ID: must be the id of an event of this stream", {
    errors: [{ path: "last-event-id", message: "must be the id of an event" }],
  });
}
