import { CliError, usageError } from "../cli-error.ts";
import type { Header, MessageOptions } from "../commands/message-options.ts";
import { parseDuration, parseTime } from "../units.ts";

/** One message of a batch. */
export interface BatchMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly retain: boolean;
  readonly options: MessageOptions;
}

type Fields = Readonly<Record<string, unknown>>;

const payloadForms: readonly string[] = ["payload", "payloadBase64", "json"];
const known: ReadonlySet<string> = new Set([
  "topic",
  ...payloadForms,
  "key",
  "id",
  "delay",
  "at",
  "priority",
  "expiry",
  "retain",
  "contentType",
  "headers",
]);

/**
 * The message that a line of NDJSON describes: the same form as `POST /v1/batch` takes. Throws (64) what is wrong with it,
 * without the number of the line.
 */
export function batchMessage(line: string, topic: string | undefined): BatchMessage {
  const fields = fieldsOf(line);
  const unknown = Object.keys(fields).find((name) => !known.has(name));
  if (unknown !== undefined) throw usageError(`"${unknown}" is not known`, `a line may hold ${[...known].join(", ")}`);
  const named = text(fields, "topic") ?? topic;
  if (named === undefined)
    throw usageError("the topic is missing", "name it in each line, or once: mess pub TOPIC --batch");
  const delay = duration(fields, "delay");
  const at = text(fields, "at");
  if (delay !== undefined && at !== undefined) throw usageError("delay and at exclude each other");
  const { json } = fields;
  const contentType = text(fields, "contentType") ?? (json === undefined ? undefined : "application/json");
  const key = text(fields, "key");
  const id = text(fields, "id");
  const priority = wholeNumber(fields, "priority", 9);
  const expiry = seconds(fields);
  return {
    topic: named,
    payload: payloadOf(fields, line),
    retain: fields["retain"] === true,
    options: {
      header: headersOf(fields),
      ...(key !== undefined && { key }),
      ...(id !== undefined && { id }),
      ...(delay !== undefined && { delay }),
      ...(at !== undefined && { at: parseTime(at) }),
      ...(priority !== undefined && { priority }),
      ...(expiry !== undefined && { expiry }),
      ...(contentType !== undefined && { contentType }),
    },
  };
}

/** The error with the number of its line in front. */
export function atLine(number: number, error: unknown): unknown {
  if (!(error instanceof CliError)) return error;
  return new CliError(error.exitCode, `line ${number}: ${error.message}`, error.hint, error);
}

function fieldsOf(line: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw usageError("it is not JSON", "with --lines each line is a payload, whatever it holds");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw usageError("it is not a JSON object");
  const { retain } = value as Fields;
  if (retain !== undefined && typeof retain !== "boolean") throw usageError("retain must be true or false");
  return value as Fields;
}

function payloadOf(fields: Fields, line: string): Uint8Array {
  const given = payloadForms.filter((name) => fields[name] !== undefined);
  if (given.length > 1) throw usageError(`${given.join(" and ")} exclude each other`);
  const base64 = text(fields, "payloadBase64");
  if (base64 !== undefined) {
    const bytes = Buffer.from(base64, "base64");
    if (
      bytes.toString("base64url") ===
      base64
        .replace(/={1,2}$/u, "")
        .replaceAll("+", "-")
        .replaceAll("/", "_")
    )
      return bytes;
    throw usageError("payloadBase64 is not base64");
  }
  if (fields["json"] === undefined) return Buffer.from(text(fields, "payload") ?? "");
  // It is written anew, and JavaScript's numbers have 15 digits: what they cannot hold must not change on the way.
  if (/\d{16}/u.test(line.replace(/"(?:[^"\\]|\\.)*"/gu, ""))) {
    throw usageError("json holds a number of more than 15 digits", "give it as text: payload instead of json");
  }
  return Buffer.from(JSON.stringify(fields["json"]));
}

function headersOf(fields: Fields): readonly Header[] {
  const { headers } = fields;
  if (headers === undefined) return [];
  if (typeof headers !== "object" || headers === null || Array.isArray(headers)) {
    throw usageError("headers must be an object of texts");
  }
  return Object.entries(headers).flatMap(([name, value]): Header[] => {
    const values: unknown[] = Array.isArray(value) ? value : [value];
    if (/^mess-/iu.test(name)) throw usageError(`headers: "${name}": names that begin with mess- are the broker's`);
    return values.map((one) => {
      if (typeof one !== "string") throw usageError(`headers: "${name}" must be a text, or an array of them`);
      return [name, one];
    });
  });
}

function text(fields: Fields, name: string): string | undefined {
  const value = fields[name];
  if (value === undefined || typeof value === "string") return value;
  throw usageError(`${name} must be a text`);
}

function wholeNumber(fields: Fields, name: string, most: number): number | undefined {
  const value = fields[name];
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= most) return value;
  throw usageError(`${name} must be a whole number from 0 to ${most}`);
}

/** Milliseconds: a number of them, or ISO 8601 as on HTTP, or as on the command line. */
function duration(fields: Fields, name: string): number | undefined {
  const value = fields[name];
  if (typeof value !== "string") return wholeNumber(fields, name, Number.MAX_SAFE_INTEGER);
  return isoDuration(value) ?? parseDuration(value);
}

/** Milliseconds of an expiry, which as a number is in seconds. */
function seconds(fields: Fields): number | undefined {
  const value = fields["expiry"];
  const milliseconds =
    typeof value === "string"
      ? (isoDuration(value) ?? parseDuration(value))
      : scaled(wholeNumber(fields, "expiry", 4_294_967_294));
  if (milliseconds !== undefined && milliseconds < 1000) throw usageError("expiry must be a second or more");
  return milliseconds;
}

function scaled(value: number | undefined): number | undefined {
  return value === undefined ? undefined : value * 1000;
}

const isoPattern = /^P(?:(\d{1,5})D)?(?:T(?:(\d{1,7})H)?(?:(\d{1,9})M)?(?:(\d{1,12}(?:\.\d{1,3})?)S)?)?$/u;

function isoDuration(value: string): number | undefined {
  const found = isoPattern.exec(value);
  if (found === null || /[PT]$/u.test(value)) return undefined;
  const [days = 0, hours = 0, minutes = 0, rest = 0] = found.slice(1).map((part) => Number(part ?? 0));
  return Math.round((((days * 24 + hours) * 60 + minutes) * 60 + rest) * 1000);
}
