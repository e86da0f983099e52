/** Publishing one message, and looking at what the journal holds. */
import type { Properties } from "@mess/wire";
import { z } from "zod";
import type { Limits } from "../../../../config/limits.ts";
import { checkTopicName } from "../../../../topics/topic-name.ts";
import { binaryCloudEvent, structuredCloudEventErrors } from "../cloud-events.ts";
import { readCursor, writeCursor } from "../cursor.ts";
import { sentenceOf } from "../faults.ts";
import { integer, position, text, textFault } from "../fields.ts";
import { CLOUD_EVENT_MEDIA_TYPE } from "../media-types.ts";
import { messageSchema, storedJson } from "../message-json.ts";
import { messageFault, type OutgoingMessage } from "../outgoing-message.ts";
import { HttpRefusal, type ProblemError } from "../problem.ts";
import { publishAll, publishedSchema, publishProblems } from "../publish.ts";
import {
  checkTogether,
  type HeaderValues,
  headerText,
  type MessageOptions,
  type OptionReader,
  optionFields,
  optionNames,
  optionReader,
  topicName,
} from "../publish-options.ts";
import { mediaTypeOf } from "../read-body.ts";
import { type Answer, type Route, type RouteRequest, route } from "../route.ts";

const GROUP = "Messages";
const HEADER_PREFIX = "mess-header-";
/** W3C Trace Context: a consumer that reads them carries the trace on. */
const TRACE_HEADERS = ["traceparent", "tracestate"];
const MESSAGE_HEADERS: ReadonlySet<string> = new Set([
  ...optionNames.map((option) => `mess-${option}`),
  "mess-response-topic",
  "mess-correlation-data",
]);

type PublishQuery = MessageOptions & { readonly topic?: string };

export function messageRoutes(limits: Limits): readonly Route[] {
  const options = optionFields(limits);
  const readOptions = optionReader(limits);
  const publishing = {
    method: "POST",
    group: GROUP,
    permission: "authenticated",
    right: "`publish` on the topic; `retain` too with `retain`",
    body: "bytes",
    bodyDescription:
      "The payload, of any content type, which travels along. `application/cloudevents+json` must be a CloudEvent; " +
      "`ce-` headers make it one in binary mode.",
    requestHeaders: requestHeaders(limits),
    answers: { 201: { description: "It is stored durably.", schema: publishedSchema } },
    problems: publishProblems,
  } as const;
  return [
    route<PublishQuery & { topic: string }, Buffer>({
      ...publishing,
      path: "/v1/messages",
      summary: "Publishes one message to `topic`.",
      query: z.strictObject({ topic: topicName(limits), ...options }) as unknown as z.ZodType<
        PublishQuery & { topic: string }
      >,
      handle: (request) => publishOne(request, request.query.topic, readOptions),
    }),
    route<PublishQuery, Buffer>({
      ...publishing,
      path: "/v1/topics/:topic/messages",
      summary: "The same with the topic in the path, percent-encoded as one level: `orders%2F17`.",
      query: z.strictObject(options) as unknown as z.ZodType<PublishQuery>,
      handle: (request) => {
        const topic = request.params["topic"] ?? "";
        const problem = checkTopicName(topic, limits);
        if (problem !== undefined) throw wrong([{ path: "topic", message: problem.reason }]);
        return publishOne(request, topic, readOptions);
      },
    }),
    browseRoute(limits),
  ];
}

function browseRoute(limits: Limits): Route {
  return route({
    method: "GET",
    path: "/v1/messages",
    group: GROUP,
    permission: "authenticated",
    right: "`subscribe` on the filter",
    summary: "What the journal still holds of the topics a filter matches, oldest first.",
    query: z.strictObject({
      filter: text(limits.topicBytesMax),
      from: position.optional().describe("where the first page begins; `earliest` without it"),
      limit: integer(1, limits.httpPageItemsMax).optional().describe("100 without it; a page may hold less"),
      cursor: text(4_096).optional().describe("`next` of the page before; instead of `from`"),
    }),
    answers: {
      200: {
        description: "A page. `next` is absent at the end; a page before it may be empty.",
        schema: z.strictObject({ messages: z.array(messageSchema), next: z.string().optional() }),
      },
    },
    problems: ["forbidden", "invalid", "unavailable"],
    handle: async ({ services, caller, query }) => {
      const { filter, cursor, limit = 100 } = query;
      if (cursor !== undefined && query.from !== undefined) {
        throw wrong([{ path: "from", message: "is given together with cursor" }]);
      }
      const list = ["messages", filter];
      const from =
        cursor === undefined ? (query.from ?? "earliest") : { offset: readCursor(list, cursor, ["number"])[0] };
      const page = await services.queueAdministration.browse(caller.principal, {
        filter,
        from,
        limit,
        bytesMax: limits.httpAnswerBytesMax,
      });
      const next = page.next === undefined ? {} : { next: writeCursor(list, [page.next]) };
      return { status: 200, body: { messages: page.messages.map(storedJson), ...next } };
    },
  });
}

function requestHeaders(limits: Limits): z.ZodObject {
  const fields = Object.entries(optionFields(limits)).map(
    ([name, schema]) => [`Mess-${capital(name)}`, schema] as const,
  );
  return z.object({
    ...Object.fromEntries(fields),
    "Idempotency-Key": text(limits.messageIdBytesMax).optional().describe("the same as Mess-Id"),
    "Mess-Response-Topic": topicName(limits).optional(),
    "Mess-Correlation-Data": z.string().optional().describe("base64"),
    "Mess-Header-NAME": z.string().optional().describe("user property NAME (in lower case) of MQTT 5.0"),
    "ce-NAME": z
      .string()
      .optional()
      .describe("attribute of a CloudEvent in binary mode; becomes the user property NAME"),
    traceparent: z.string().optional().describe("W3C Trace Context; travels on as user property, as does tracestate"),
  });
}

function capital(name: string): string {
  return `${name[0]?.toUpperCase()}${name.slice(1)}`;
}

async function publishOne(
  request: RouteRequest<PublishQuery, Buffer>,
  topic: string,
  readOptions: OptionReader,
): Promise<Answer> {
  const { services, caller, address, headers, body } = request;
  const { limits } = services;
  const { topic: _, ...query } = request.query;
  const options = readOptions(headers, query);
  const together = checkTogether(options, services.now(), limits);
  if (together !== undefined) throw wrong([together]);
  const properties = propertiesOf(headers, limits, body);
  const message: OutgoingMessage = { topic, payload: body, options, properties };
  const fault = messageFault(message, limits);
  if (fault !== undefined) throw new HttpRefusal(fault.code, sentenceOf([fault.error]), { errors: [fault.error] });
  const context = { services, principal: caller.principal, address };
  const [published] = await publishAll(context, [message]);
  return { status: 201, body: published };
}

function wrong(errors: readonly ProblemError[]): HttpRefusal {
  return new HttpRefusal("wrong-parameters", sentenceOf(errors), { errors });
}

/** Content type, user properties, response topic and correlation data of the request's headers. */
function propertiesOf(headers: HeaderValues, limits: Limits, body: Buffer): Properties {
  const errors: ProblemError[] = [];
  const event = binaryCloudEvent(headers);
  errors.push(...event.errors);
  const own = ownHeaders(headers, errors);
  const contentType = one(headers, "content-type", errors);
  if (contentType !== undefined) errors.push(...contentFaults(contentType, limits, body, event.pairs.length > 0));
  const responseTopic = one(headers, "mess-response-topic", errors);
  const problem = responseTopic === undefined ? undefined : checkTopicName(responseTopic, limits);
  if (problem !== undefined) errors.push({ path: "mess-response-topic", message: problem.reason });
  const correlation = one(headers, "mess-correlation-data", errors);
  if (correlation !== undefined && !/^[A-Za-z0-9+/_-]*={0,2}$/.test(correlation)) {
    errors.push({ path: "mess-correlation-data", message: "must be base64" });
  }
  if (errors.length > 0) throw wrong(errors);
  const userProperties = [...event.pairs, ...own].map(([name, value]): [string, string] => [name, value]);
  return {
    ...(contentType !== undefined && { contentType }),
    ...(responseTopic !== undefined && { responseTopic }),
    ...(correlation !== undefined && { correlationData: Buffer.from(correlation, "base64") }),
    ...(userProperties.length > 0 && { userProperties }),
  };
}

function contentFaults(contentType: string, limits: Limits, body: Buffer, isEvent: boolean): readonly ProblemError[] {
  const fault = textFault(contentType, limits.userPropertyBytesMax);
  if (fault !== undefined) return [{ path: "content-type", message: fault.message }];
  const mediaType = mediaTypeOf(contentType);
  if (mediaType === "application/cloudevents-batch+json") {
    throw new HttpRefusal("unsupported-media-type", "send each event by itself, or as a line of POST /v1/batch");
  }
  if (mediaType !== CLOUD_EVENT_MEDIA_TYPE) return [];
  if (isEvent) return [{ path: "content-type", message: "says structured mode, and ce- headers say binary mode" }];
  return structuredCloudEventErrors(body);
}

function ownHeaders(headers: HeaderValues, errors: ProblemError[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (const [name, values = []] of Object.entries(headers)) {
    const property = name.startsWith(HEADER_PREFIX) ? name.slice(HEADER_PREFIX.length) : name;
    const isOwn = name !== property || TRACE_HEADERS.includes(name);
    if (!isOwn) {
      if (name.startsWith("mess-") && !MESSAGE_HEADERS.has(name))
        errors.push({ path: name, message: "is not known here" });
      continue;
    }
    if (property === "" || property.startsWith("mess-")) errors.push({ path: name, message: "is the broker's to set" });
    for (const value of values) {
      const text = headerText(value);
      if (text === undefined) errors.push({ path: name, message: "must be UTF-8" });
      else pairs.push([property, text]);
    }
  }
  return pairs;
}

function one(headers: HeaderValues, name: string, errors: ProblemError[]): string | undefined {
  const values = headers[name];
  if (values === undefined) return undefined;
  const text = headerText(values[0] ?? "");
  if (values.length > 1) errors.push({ path: name, message: "is given more than once" });
  if (text === undefined) errors.push({ path: name, message: "must be UTF-8" });
  return text;
}
