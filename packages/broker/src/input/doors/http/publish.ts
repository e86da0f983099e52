/** Publishes for a caller of the API, and turns what the core says into answers. */
import { z } from "zod";
import { Reason } from "../../../model/engine.ts";
import type { PublishResult } from "../../../model/queue.ts";
import { sentenceOf } from "./faults.ts";
import { draftOf, type OutgoingMessage } from "./outgoing-message.ts";
import { HttpRefusal, type ProblemCode, type ProblemError } from "./problem.ts";
import type { Services } from "./route.ts";

/** MQTT 5.0 2.4: names of reasons that `Reason` does not need. */
const PACKET_TOO_LARGE = 0x95;
const PAYLOAD_FORMAT_INVALID = 0x99;

export const publishedSchema: z.ZodObject = z
  .strictObject({
    offset: z.int().min(1).describe("place in the journal's total order; of the first one where `duplicate`"),
    duplicate: z.boolean().describe("its id was published before: nothing was stored"),
    topic: z.string(),
    matched: z.boolean().describe("false: nobody subscribes to it at present"),
  })
  .meta({ id: "Published" });

export type Published = Readonly<{ offset: number; duplicate: boolean; topic: string; matched: boolean }>;

/** What publishing may be refused with. */
export const publishProblems: readonly ProblemCode[] = [
  "forbidden",
  "too-large",
  "invalid",
  "schema-violation",
  "quota-exceeded",
  "unavailable",
];

export interface PublishContext {
  readonly services: Services;
  readonly principal: string;
}

/** Resolves when all are durable; all or nothing. Throws the problem of the first that is refused. */
export async function publishAll(
  context: PublishContext,
  messages: readonly (OutgoingMessage & { readonly line?: number })[],
): Promise<readonly Published[]> {
  const { services, principal } = context;
  await calm(services);
  const now = services.now();
  const drafts = messages.map((message) => draftOf(message, now));
  const results = await new Promise<readonly PublishResult[]>((resolve) => {
    services.queues.publishBatch({ principal, number: 0 }, drafts, resolve);
  });
  const refusal = refusalOf(
    results,
    messages.map(({ line }) => line),
  );
  if (refusal !== undefined) throw refusal;
  return results.map(({ offset, duplicate, reason }, index) => ({
    offset,
    duplicate,
    topic: (messages[index] as OutgoingMessage).topic,
    matched: reason !== Reason.noMatchingSubscribers,
  }));
}

/** Waits while more is on its way to the disk than should be. */
function calm({ engine, deadlines, limits }: Services): Promise<void> {
  if (!engine.congested) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const deadline = deadlines.start(limits.httpRequestDeadlineMs, {
      deadlineReached: () => reject(unavailable("the disk does not keep up; try again later")),
    });
    engine.whenCalm(() => {
      deadlines.cancel(deadline);
      resolve();
    });
  });
}

function refusalOf(results: readonly PublishResult[], lines: readonly (number | undefined)[]): HttpRefusal | undefined {
  const refused = results.flatMap((result, index) => (result.reason >= Reason.unspecified ? [{ result, index }] : []));
  // The others of a refused batch have this reason too: they are told as what they are only when nothing else is.
  const own = refused.filter(({ result }) => result.reason !== Reason.implementationSpecific);
  const [first] = own.length > 0 ? own : refused;
  if (first === undefined) return undefined;
  const code = codeOf(first.result.reason);
  if (code === "unavailable") return unavailable(first.result.text);
  const errors = own.slice(0, 20).map(({ result, index }): ProblemError => {
    const path = result.path ?? (result.reason === Reason.topicNameInvalid ? "topic" : "");
    const line = lines[index];
    return { ...(line !== undefined && { line }), path, message: result.text };
  });
  const isBatch = lines[0] !== undefined;
  const detail = isBatch ? sentenceOf(errors) : first.result.text;
  const headers = code === "quota-exceeded" ? { "retry-after": "5" } : {};
  return new HttpRefusal(code, detail, { errors, headers });
}

function codeOf(reason: number): ProblemCode {
  switch (reason) {
    case Reason.notAuthorized:
      return "forbidden";
    case Reason.topicNameInvalid:
    case Reason.malformed:
      return "invalid";
    case Reason.quotaExceeded:
      return "quota-exceeded";
    case PACKET_TOO_LARGE:
      return "too-large";
    case PAYLOAD_FORMAT_INVALID:
      return "schema-violation";
    default:
      return "unavailable";
  }
}

export function unavailable(text: string): HttpRefusal {
  const detail = text === "" ? "the server cannot do this now" : text;
  return new HttpRefusal("unavailable", detail, { headers: { "retry-after": "5" } });
}
