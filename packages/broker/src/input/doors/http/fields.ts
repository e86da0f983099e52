/** Building blocks of what requests may hold: each validates, and says what it is in the API's own description. */
import { z } from "zod";
import { parseDuration, parseSize } from "../../../model/quantity.ts";
import type { Position } from "../../../model/settings.ts";
import { parseDelay, parseTime } from "../../message-times.ts";

// The process runs with --disallow-code-generation-from-strings (LESSONS 38): zod must not compile its schemas.
z.config({ jitless: true });

export type JsonForm = Readonly<Record<string, unknown>>;

/** How a field with a reading of its own stands in the description. */
const forms: WeakMap<object, JsonForm> = new WeakMap();

/** What is wrong with a value, for people: `must be …`. */
export class Fault {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

/** A field that reads its value itself. `form` is its JSON Schema. */
export function field<T>(form: JsonForm, read: (value: unknown) => T | Fault): z.ZodType<T, unknown> {
  const schema = z.unknown().transform((value, context): T => {
    const result = read(value);
    if (!(result instanceof Fault)) return result;
    context.addIssue({ code: "custom", message: value === undefined ? "is missing" : result.message });
    return z.NEVER;
  });
  forms.set(schema, form);
  return schema;
}

/** JSON Schema (draft 2020-12) of a schema, for what goes in. */
export function jsonSchemaOf(schema: z.ZodType, io: "input" | "output" = "input"): JsonForm {
  const { $schema: _, ...form } = z.toJSONSchema(schema, {
    io,
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => {
      const own = forms.get(zodSchema);
      if (own !== undefined) replaceForm(jsonSchema, own);
      // Bounds that only say what fits into a number.
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  });
  return form;
}

function replaceForm(target: Record<string, unknown>, form: JsonForm): void {
  const { description } = target;
  for (const key of Object.keys(target)) delete target[key];
  Object.assign(target, form, description !== undefined && { description });
}

/** Query of a route that takes none. */
export const nothing: z.ZodType<object> = z.strictObject({});

/** A switch in a query: `?verbose`, `?verbose=true`, `?verbose=false`. */
export const flag: z.ZodType<boolean, unknown> = field({ type: "boolean" }, (value) => {
  if (value === "" || value === "true" || value === true) return true;
  if (value === "false" || value === false) return false;
  return new Fault("must be true or false");
});

/** A whole number, in a query or in JSON. */
export function integer(min: number, max: number): z.ZodType<number, unknown> {
  const wanted = `must be a whole number from ${min} to ${max}`;
  return field({ type: "integer", minimum: min, maximum: max }, (value) => {
    const number = typeof value === "string" && /^\d{1,16}$/.test(value) ? Number(value) : value;
    if (typeof number !== "number" || !Number.isSafeInteger(number)) return new Fault(wanted);
    return number >= min && number <= max ? number : new Fault(wanted);
  });
}

/** Well-formed text without U+0000, at most `bytesMax` in UTF-8: what MQTT can carry too (MQTT 5.0 1.5.4). */
export function text(bytesMax: number, bytesMin: number = 1): z.ZodType<string, unknown> {
  return field({ type: "string", minLength: bytesMin, maxLength: bytesMax }, (value) => {
    if (typeof value !== "string") return new Fault("must be a string");
    const fault = textFault(value, bytesMax);
    if (fault !== undefined) return fault;
    return value.length >= bytesMin ? value : new Fault("must not be empty");
  });
}

export function textFault(value: string, bytesMax: number): Fault | undefined {
  if (value.length > bytesMax || Buffer.byteLength(value) > bytesMax) {
    return new Fault(`must have at most ${bytesMax} bytes of UTF-8`);
  }
  if (!isWellFormed(value) || value.includes("\0")) return new Fault("must be well-formed Unicode without U+0000");
  return undefined;
}

/** False for lone surrogates, which JSON can bring and UTF-8 cannot carry. */
export function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

/** Milliseconds, written like `30s` or `500ms`, or as their number. */
export function duration(minMs: number, maxMs: number): z.ZodType<number, unknown> {
  const form = { anyOf: [{ type: "string" }, { type: "integer", minimum: minMs, maximum: maxMs }], examples: ["30s"] };
  return field(form, (value) => {
    const milliseconds = typeof value === "string" ? parseDuration(value) : value;
    if (typeof milliseconds !== "number" || !Number.isSafeInteger(milliseconds)) {
      return new Fault('must be a duration such as "30s" or "5m", or a number of milliseconds');
    }
    if (milliseconds >= minMs && milliseconds <= maxMs) return milliseconds;
    return new Fault(`must be from ${minMs} to ${maxMs} ms`);
  });
}

/** Bytes, written like `256KiB`, or as their number. */
export function size(min: number, max: number): z.ZodType<number, unknown> {
  const form = { anyOf: [{ type: "string" }, { type: "integer", minimum: min, maximum: max }], examples: ["256KiB"] };
  return field(form, (value) => {
    const bytes = typeof value === "string" ? parseSize(value) : value;
    if (typeof bytes !== "number" || !Number.isSafeInteger(bytes)) {
      return new Fault('must be a size such as "256KiB", or a number of bytes');
    }
    return bytes >= min && bytes <= max ? bytes : new Fault(`must be from ${min} to ${max} bytes`);
  });
}

/** How long to wait: an ISO 8601 duration (`PT5S`) or milliseconds, as `mess-delay` on MQTT. */
export function delay(maxMs: number): z.ZodType<number, unknown> {
  const form = { anyOf: [{ type: "string" }, { type: "integer", minimum: 0, maximum: maxMs }], examples: ["PT5S"] };
  return field(form, (value) => {
    const milliseconds = typeof value === "string" ? parseDelay(value) : value;
    if (typeof milliseconds !== "number" || !Number.isSafeInteger(milliseconds) || milliseconds < 0) {
      return new Fault("must be an ISO 8601 duration such as PT5S, or a number of milliseconds");
    }
    return milliseconds <= maxMs ? milliseconds : new Fault(`must be at most ${maxMs} ms`);
  });
}

/** Wall-clock milliseconds of an RFC 3339 time. */
export const time: z.ZodType<number, unknown> = field({ type: "string", format: "date-time" }, (value) => {
  const milliseconds = typeof value === "string" ? parseTime(value) : undefined;
  return milliseconds ?? new Fault("must be an RFC 3339 time such as 2030-01-31T12:00:00Z");
});

export const positionForm: JsonForm = {
  anyOf: [
    { enum: ["earliest", "latest"] },
    { type: "integer", minimum: 1, description: "offset of the first message" },
    { type: "string", format: "date-time" },
  ],
};

/** `earliest`, `latest`, the offset of the first message to read, or an RFC 3339 time. */
export const position: z.ZodType<Position, unknown> = field<Position>(positionForm, (value) => {
  if (value === "earliest" || value === "latest") return value;
  const offset = typeof value === "string" && /^\d{1,16}$/.test(value) ? Number(value) : value;
  if (typeof offset === "number" && Number.isSafeInteger(offset) && offset >= 1) return { offset };
  const at = typeof value === "string" ? parseTime(value) : undefined;
  if (at !== undefined) return { at };
  return new Fault("must be earliest, latest, an offset, or an RFC 3339 time such as 2030-01-31T12:00:00Z");
});

/** Name of a principal, role or declared subscription, as far as its length. */
export const name: z.ZodType<string, unknown> = text(128);
