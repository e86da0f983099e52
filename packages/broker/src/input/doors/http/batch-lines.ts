/** The lines of `POST /v1/batch`. */
import { z } from "zod";
import type { Limits } from "../../../config/limits.ts";
import { problemErrorsOf, sentenceOf } from "./faults.ts";
import { Fault, field, isWellFormed, text, textFault } from "./fields.ts";
import { messageFault, type OutgoingMessage } from "./outgoing-message.ts";
import { HttpRefusal, type ProblemError } from "./problem.ts";
import { checkTogether, optionFields, topicName } from "./publish-options.ts";
import { rawMember } from "./raw-member.ts";

const ERRORS_MAX = 20;
/** MQTT 5.0 1.5.4. */
const STRING_BYTES_MAX = 65_535;

/** One line. At most one of `payload`, `payloadBase64` and `json`; none is an empty payload. */
export function batchLineSchema(limits: Limits): z.ZodObject {
  return z
    .strictObject({
      topic: topicName(limits),
      payload: field({ type: "string", description: "text" }, (value) => {
        if (typeof value !== "string") return new Fault("must be a string");
        return isWellFormed(value) ? value : new Fault("must be well-formed Unicode");
      }).optional(),
      payloadBase64: base64.optional(),
      json: z.unknown().optional().describe("any value; the payload is its text as it stands in the line"),
      ...optionFields(limits),
      contentType: text(limits.userPropertyBytesMax).optional().describe("application/json where `json` is given"),
      responseTopic: topicName(limits).optional(),
      correlationDataBase64: base64.optional(),
      headers: headersField.optional().describe("user properties of MQTT 5.0; an array gives a name more than once"),
    })
    .meta({ id: "BatchLine" });
}

const base64 = field({ type: "string", contentEncoding: "base64" }, (value) => {
  const fault = new Fault("must be base64");
  if (typeof value !== "string" || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(value)) return fault;
  const bytes = Buffer.from(value, "base64");
  // What the decoder passes over would be lost.
  return bytes.toString("base64url") ===
    value
      .replace(/={1,2}$/, "")
      .replaceAll("+", "-")
      .replaceAll("/", "_")
    ? bytes
    : fault;
});

const headersForm = {
  type: "object",
  additionalProperties: { anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }] },
};

const headersField = field<readonly (readonly [string, string])[]>(headersForm, (value) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return new Fault("must be an object");
  const pairs: [string, string][] = [];
  for (const [name, given] of Object.entries(value)) {
    for (const one of Array.isArray(given) ? given : [given]) {
      if (typeof one !== "string") return new Fault("must hold strings, or arrays of them");
      const fault = textFault(name, STRING_BYTES_MAX) ?? textFault(one, STRING_BYTES_MAX);
      if (fault !== undefined) return fault;
      if (/^mess-/i.test(name)) return new Fault('must hold no name that begins with "mess-": those are the broker\'s');
      pairs.push([name, one]);
    }
  }
  return pairs;
});

interface Line {
  readonly topic: string;
  readonly payload?: string;
  readonly payloadBase64?: Buffer;
  readonly contentType?: string;
  readonly responseTopic?: string;
  readonly correlationDataBase64?: Buffer;
  readonly headers?: readonly (readonly [string, string])[];
}

export interface BatchContext {
  /** As `batchLineSchema` makes it. */
  readonly schema: z.ZodObject;
  readonly limits: Limits;
  readonly now: number;
  /** Gives each line without an id the id `KEY:LINE`. */
  readonly idempotencyKey: string | undefined;
}

export interface LineMessage extends OutgoingMessage {
  /** From 1. */
  readonly line: number;
}

/** The messages of an NDJSON text, line by line; empty lines are passed over. Throws with every faulty line. */
export function readBatch(body: string, context: BatchContext): readonly LineMessage[] {
  const { limits } = context;
  const lines = body.split("\n").map((line) => line.trim());
  const messages: LineMessage[] = [];
  const errors: ProblemError[] = [];
  let tooLarge = false;
  for (const [index, line] of lines.entries()) {
    if (line === "") continue;
    if (messages.length >= limits.batchMessagesMax) {
      errors.push({ line: index + 1, path: "", message: `a batch has at most ${limits.batchMessagesMax} messages` });
      break;
    }
    const result = readLine(line, { ...context, number: index + 1 });
    if (Array.isArray(result)) errors.push(...result.map((error) => ({ line: index + 1, ...error })));
    else {
      const message = result as OutgoingMessage;
      const fault = messageFault(message, limits);
      if (fault !== undefined) errors.push({ line: index + 1, ...fault.error });
      tooLarge ||= fault?.code === "too-large";
      messages.push({ ...message, line: index + 1 });
    }
    if (errors.length >= ERRORS_MAX) break;
  }
  if (messages.length === 0 && errors.length === 0) errors.push({ path: "", message: "holds no message" });
  if (errors.length > 0) throw new HttpRefusal(tooLarge ? "too-large" : "invalid", sentenceOf(errors), { errors });
  return messages;
}

function readLine(line: string, context: BatchContext & { readonly number: number }): OutgoingMessage | ProblemError[] {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return [{ path: "", message: "is not JSON" }];
  }
  const checked = context.schema.safeParse(value);
  if (!checked.success) return problemErrorsOf(checked.error);
  const read = checked.data as unknown as Line & OutgoingMessage["options"];
  const forms = ["payload", "payloadBase64", "json"].filter((name) => Object.hasOwn(value as object, name));
  if (forms.length > 1) return [{ path: forms[1] as string, message: `is given together with ${forms[0]}` }];
  const together = checkTogether(read, context.now, context.limits);
  if (together !== undefined) return [together];
  const { idempotencyKey, number } = context;
  const id = read.id ?? (idempotencyKey === undefined ? undefined : `${idempotencyKey}:${number}`);
  if (id !== undefined && Buffer.byteLength(id) > context.limits.messageIdBytesMax) {
    return [{ path: "id", message: "is too long: Idempotency-Key and the number of the line make it" }];
  }
  return {
    topic: read.topic,
    payload: payloadOf(read, line),
    options: { ...read, id },
    properties: propertiesOf(read, forms),
  };
}

/** The text of `json` as it was sent: parsing and writing it again would round large numbers. */
function payloadOf(read: Line, line: string): Uint8Array {
  if (read.payloadBase64 !== undefined) return read.payloadBase64;
  return Buffer.from(read.payload ?? rawMember(line, "json") ?? "", "utf8");
}

function propertiesOf(read: Line, forms: readonly string[]): OutgoingMessage["properties"] {
  const contentType = read.contentType ?? (forms[0] === "json" ? "application/json" : undefined);
  const { responseTopic, correlationDataBase64, headers } = read;
  return {
    ...(contentType !== undefined && { contentType }),
    ...(responseTopic !== undefined && { responseTopic }),
    ...(correlationDataBase64 !== undefined && { correlationData: correlationDataBase64 }),
    ...(headers !== undefined && headers.length > 0 && { userProperties: headers.map(([n, v]) => [n, v]) }),
  };
}
