/** What a publisher may say about a message, besides topic and payload: one meaning in headers, query and batch lines. */
import { z } from "zod";
import type { Limits } from "../../../config/limits.ts";
import { signatureLengthMax } from "../../../identity/message-signature.ts";
import { priorityMax } from "../../../model/settings.ts";
import { checkTopicName } from "../../../topics/topic-name.ts";
import { parseDelay } from "../../message-times.ts";
import { problemErrorsOf, sentenceOf } from "./faults.ts";
import { delay, Fault, field, flag, integer, text, time } from "./fields.ts";
import { HttpRefusal, type ProblemError } from "./problem.ts";

/** Seconds of Message Expiry Interval (MQTT 5.0 3.3.2.3.3); the value after it means none. */
const EXPIRY_SECONDS_MAX = 0xffff_fffe;

export interface MessageOptions {
  readonly key?: string | undefined;
  readonly id?: string | undefined;
  readonly delay?: number | undefined;
  readonly at?: number | undefined;
  readonly priority?: number | undefined;
  readonly expiry?: number | undefined;
  readonly retain?: boolean | undefined;
  readonly signature?: string | undefined;
}

/** The names, the same everywhere: `key`, `?key=`, `Mess-Key`. */
export const optionNames: readonly (keyof MessageOptions)[] = [
  "key",
  "id",
  "delay",
  "at",
  "priority",
  "expiry",
  "retain",
  "signature",
];

type OptionFields = { readonly [Name in keyof MessageOptions]-?: z.ZodType<MessageOptions[Name], unknown> };

export function optionFields(limits: Limits): OptionFields {
  return {
    key: text(limits.messageKeyBytesMax).optional().describe("ordering key"),
    id: text(limits.messageIdBytesMax)
      .optional()
      .describe(
        "a repeat of it by the same principal within the window is not stored, and answered with the first offset",
      ),
    delay: delay(limits.delayMsMax).optional().describe("deliver so much later; not together with `at`"),
    at: time.optional().describe("deliver then; a time in the past is now"),
    priority: integer(0, priorityMax)
      .optional()
      .describe("9 first, 0 last, 4 without one; for subscriptions with priorities"),
    expiry: expiry.optional().describe("seconds, or an ISO 8601 duration, after which nobody wants it any more"),
    retain: flag.optional().describe("keep it as the last value of its topic"),
    signature: text(signatureLengthMax).optional().describe("JWS with detached payload, verified before it is taken"),
  };
}

const expiry = field(
  { anyOf: [{ type: "integer", minimum: 1, maximum: EXPIRY_SECONDS_MAX }, { type: "string" }], examples: [60, "PT1M"] },
  (value) => {
    const wanted = `must be a whole number of seconds from 1 to ${EXPIRY_SECONDS_MAX}, or an ISO 8601 duration such as PT1M`;
    const isText = typeof value === "string" && !/^\d+$/.test(value);
    const milliseconds = isText ? parseDelay(value) : undefined;
    const seconds = isText
      ? (milliseconds ?? Number.NaN) / 1_000
      : Number(typeof value === "boolean" ? Number.NaN : value);
    const fits = Number.isSafeInteger(seconds) && seconds >= 1 && seconds <= EXPIRY_SECONDS_MAX;
    return fits && (typeof value === "string" || typeof value === "number") ? seconds : new Fault(wanted);
  },
);

/** A topic name that can be published to. */
export function topicName(limits: Limits): z.ZodType<string, unknown> {
  return field({ type: "string", minLength: 1, maxLength: limits.topicBytesMax }, (value) => {
    if (typeof value !== "string") return new Fault("must be a string");
    const problem = checkTopicName(value, limits);
    return problem === undefined ? value : new Fault(problem.reason);
  });
}

/** Both say when; only one can be meant. */
export function checkTogether(options: MessageOptions, now: number, limits: Limits): ProblemError | undefined {
  const { delay: delayMs, at } = options;
  if (delayMs !== undefined && at !== undefined) return { path: "at", message: "is given together with delay" };
  if (at !== undefined && at - now > limits.delayMsMax) {
    return { path: "at", message: `is more than ${limits.delayMsMax} ms ahead` };
  }
  return undefined;
}

/** Of a request's header fields, each with all its values. */
export type HeaderValues = NodeJS.Dict<string[]>;

/** Reads the options of a request: from its headers `mess-…` and `idempotency-key`, and what its query held. */
export type OptionReader = (headers: HeaderValues, query: MessageOptions) => MessageOptions;

/** Made once: schemas cost more to make than to use. Each option may be given one way only. */
export function optionReader(limits: Limits): OptionReader {
  const schema = z.strictObject(optionFields(limits));
  return (headers, query) => {
    const errors: ProblemError[] = [];
    const given = givenIn(headers, query, errors);
    const checked = given === undefined ? undefined : schema.safeParse(given);
    if (checked?.success === false) {
      errors.push(...problemErrorsOf(checked.error).map((error) => ({ ...error, path: `mess-${error.path}` })));
    }
    if (errors.length > 0) throw new HttpRefusal("wrong-parameters", sentenceOf(errors), { errors });
    return checked === undefined ? query : { ...query, ...checked.data };
  };
}

/** The options among the headers, as text; undefined when there are none. */
function givenIn(
  headers: HeaderValues,
  query: MessageOptions,
  errors: ProblemError[],
): Record<string, unknown> | undefined {
  let given: Record<string, unknown> | undefined;
  for (const [name, values = []] of Object.entries(headers)) {
    const option = optionOfHeader(name);
    if (option === undefined) continue;
    given ??= {};
    if (given[option] !== undefined || query[option] !== undefined || values.length > 1) {
      errors.push({ path: name, message: "is given more than once" });
    } else {
      const text = headerText(values[0] ?? "");
      if (text === undefined) errors.push({ path: name, message: "must be UTF-8" });
      else given[option] = name === "idempotency-key" ? unquoted(text) : text;
    }
  }
  return given;
}

function optionOfHeader(name: string): keyof MessageOptions | undefined {
  if (name === "idempotency-key") return "id";
  const option = name.startsWith("mess-") ? name.slice("mess-".length) : "";
  return optionNames.find((known) => known === option);
}

/** Node gives the bytes of a header as Latin-1; they are taken as UTF-8. Undefined when they are not. */
export function headerText(value: string): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.from(value, "latin1"));
  } catch {
    return undefined;
  }
}

/** Idempotency-Key is a quoted string (RFC 9651); most clients leave the quotes out. */
function unquoted(text: string): string {
  return /^"(?:[^"\\]|\\["\\])*"$/.test(text) ? text.slice(1, -1).replace(/\\(["\\])/g, "$1") : text;
}
