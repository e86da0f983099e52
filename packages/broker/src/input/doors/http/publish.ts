/** Publishes for a caller of the API, and turns what the core says into answers. */
import { z } from "zod";
import { Reason } from "../../../model/engine.ts";
import type { PublishResult } from "../../../model/queue.ts";
import { isFault, type SignatureProblem, type SignedNonce } from "../../../model/signing.ts";
import { type Excess, excessText, topicExcess } from "../../rate-limiter.ts";
import { sentenceOf } from "./faults.ts";
import { draftOf, type OutgoingMessage } from "./outgoing-message.ts";
import { HttpRefusal, type ProblemCode, type ProblemError } from "./problem.ts";
import type { Services } from "./route.ts";

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
  "signature-refused",
  "signature-replayed",
  "too-large",
  "invalid",
  "schema-violation",
  "quota-exceeded",
  "too-many-requests",
  "unavailable",
];

export interface PublishContext {
  readonly services: Services;
  readonly principal: string;
  /** Textual address the request came from. */
  readonly address: string;
}

type Publishing = OutgoingMessage & {
  /** Of a batch: where faults are told. */
  readonly line?: number;
};

const ERRORS_MAX = 20;

/** Resolves when all are durable; all or nothing. Throws the problem of the first that is refused. */
export async function publishAll(
  context: PublishContext,
  messages: readonly Publishing[],
): Promise<readonly Published[]> {
  const { services, principal } = context;
  takeRate(context, messages);
  await calm(services);
  const nonces = await verifySignatures(context, messages);
  const now = services.now();
  const drafts = messages.map((message, index) => draftOf(message, now, nonces[index]));
  const results = await new Promise<readonly PublishResult[]>((resolve) => {
    services.queues.publishBatch({ principal, number: 0 }, drafts, resolve);
  });
  const refusal = refusalOf(results, messages);
  if (refusal !== undefined) throw refusal;
  return results.map(({ offset, duplicate, reason }, index) => ({
    offset,
    duplicate,
    topic: (messages[index] as OutgoingMessage).topic,
    matched: reason !== Reason.noMatchingSubscribers,
  }));
}

/** Throws 429 when it is too early for more messages; else counts these. A batch may come whole, and is paid for after. */
function takeRate({ services, principal, address }: PublishContext, messages: readonly Publishing[]): void {
  const { queues, rates, monotonic } = services;
  const now = monotonic();
  const declared = messages.map(({ topic }) => queues.rateOf(principal, topic));
  const allowance = rates.open({ principal, address });
  try {
    let excess = allowance?.excess(now);
    for (const rate of declared) {
      const waitMs = rate?.meter.waitMs(now) ?? 0;
      if (rate !== undefined && waitMs > (excess?.waitMs ?? 0)) excess = topicExcess(rate, waitMs);
    }
    if (excess !== undefined) {
      rates.hit(excess, { principal, peer: { address } });
      throw tooEarly(excess);
    }
    const sizes = messages.map(({ topic, payload }) => topic.length + payload.length);
    allowance?.take(
      messages.length,
      sizes.reduce((sum, size) => sum + size, 0),
      now,
    );
    for (const [index, rate] of declared.entries()) rate?.meter.take(1, sizes[index] ?? 0, now);
  } finally {
    allowance?.close();
  }
}

function tooEarly(excess: Excess): HttpRefusal {
  const seconds = String(Math.ceil(excess.waitMs / 1_000));
  return new HttpRefusal("too-many-requests", excessText(excess), { headers: { "retry-after": seconds } });
}

/** What each has to bear in the journal. Throws the problem of the first whose signature does not hold. */
async function verifySignatures(
  { services, principal }: PublishContext,
  messages: readonly Publishing[],
): Promise<readonly (SignedNonce | undefined)[]> {
  const nonces: (SignedNonce | undefined)[] = [];
  for (const { topic, payload, properties, options, line } of messages) {
    const { signature } = options;
    if (signature === undefined) {
      nonces.push(undefined);
      continue;
    }
    const verdict = await services.signatures.verify({ principal, topic, payload, properties, signature });
    if (isFault(verdict)) throw signatureRefusal(verdict.problem, verdict.text, line);
    nonces.push(verdict.nonce && { ...verdict.nonce, packetId: 0 });
  }
  return nonces;
}

const signatureCodes: Readonly<Record<SignatureProblem, ProblemCode>> = {
  "sig.bad": "signature-refused",
  "sig.required": "signature-refused",
  "sig.stale": "signature-refused",
  "sig.replay": "signature-replayed",
  "sig.busy": "unavailable",
};

function signatureRefusal(problem: SignatureProblem, text: string, line: number | undefined): HttpRefusal {
  const code = signatureCodes[problem];
  if (code === "unavailable") return unavailable(text);
  const errors = [{ ...(line !== undefined && { line }), path: "signature", message: text }];
  return new HttpRefusal(code, line === undefined ? text : sentenceOf(errors), { errors });
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

function refusalOf(results: readonly PublishResult[], messages: readonly Publishing[]): HttpRefusal | undefined {
  const refused = results.flatMap((result, index) => (result.reason >= Reason.unspecified ? [{ result, index }] : []));
  // The others of a refused batch have this reason too: they are told as what they are only when nothing else is.
  const own = refused.filter(({ result }) => result.reason !== Reason.implementationSpecific);
  const [first] = own.length > 0 ? own : refused;
  if (first === undefined) return undefined;
  const { signature, text } = first.result;
  if (signature !== undefined) return signatureRefusal(signature, text, (messages[first.index] as Publishing).line);
  const code = codeOf(first.result.reason);
  if (code === "unavailable") return unavailable(first.result.text);
  const errors = own.slice(0, ERRORS_MAX).map(({ result, index }) => errorOf(result, messages[index] as Publishing));
  const isBatch = errors[0]?.line !== undefined;
  const detail = isBatch ? sentenceOf(errors) : errors[0]?.message;
  const headers = code === "quota-exceeded" ? { "retry-after": "5" } : {};
  return new HttpRefusal(code, detail, { errors, headers });
}

function errorOf({ reason, text, path }: PublishResult, { line, topic, options }: Publishing): ProblemError {
  const right = options.retain === true ? "publish and retain" : "publish";
  const message = text === "" && reason === Reason.notAuthorized ? `${right} on "${topic}" is needed` : text;
  const place = path ?? (reason === Reason.topicNameInvalid ? "topic" : "");
  return { ...(line !== undefined && { line }), path: place, message };
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
    case Reason.packetTooLarge:
      return "too-large";
    case Reason.payloadFormatInvalid:
      return "schema-violation";
    default:
      return "unavailable";
  }
}

function unavailable(text: string): HttpRefusal {
  const detail = text === "" ? "the server cannot do this now" : text;
  return new HttpRefusal("unavailable", detail, { headers: { "retry-after": "5" } });
}
