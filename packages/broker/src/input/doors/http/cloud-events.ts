/** CloudEvents 1.0 over HTTP, turned into what the MQTT 5.0 binding says, so that consumers on any protocol see one thing. */
import { isUtf8 } from "node:buffer";
import type { ProblemError } from "./problem.ts";
import { type HeaderValues, headerText } from "./publish-options.ts";

const PREFIX = "ce-";
const REQUIRED = ["id", "source", "specversion", "type"] as const;
/** Attribute names (CloudEvents 1.0, "Naming Conventions"). */
const NAME = /^[a-z0-9]{1,64}$/;

interface CloudEventHeaders {
  /** User properties: the attributes without prefix (MQTT binding 1.0.2, 3.1.3.1). Empty when it is no CloudEvent. */
  readonly pairs: readonly (readonly [string, string])[];
  readonly errors: readonly ProblemError[];
}

/** Binary mode: attributes in `ce-` headers, the data as body (HTTP binding 1.0.2, 3.1). */
export function binaryCloudEvent(headers: HeaderValues): CloudEventHeaders {
  const pairs: [string, string][] = [];
  const errors: ProblemError[] = [];
  for (const [header, values = []] of Object.entries(headers)) {
    if (!header.startsWith(PREFIX)) continue;
    const name = header.slice(PREFIX.length);
    const value = values.length === 1 ? attributeValue(values[0] ?? "") : undefined;
    if (!NAME.test(name)) errors.push({ path: header, message: "is no attribute name: a-z and 0-9 alone" });
    else if (name === "datacontenttype") errors.push({ path: header, message: "is said by Content-Type" });
    else if (value === undefined) errors.push({ path: header, message: "must be one value, percent-encoded UTF-8" });
    else pairs.push([name, value]);
  }
  if (pairs.length > 0) errors.push(...missing(Object.fromEntries(pairs), PREFIX));
  return { pairs, errors };
}

/** Structured mode: the whole event is the payload. It is passed on as it is, once it is seen to be one. */
export function structuredCloudEventErrors(body: Buffer): readonly ProblemError[] {
  let event: unknown;
  try {
    if (!isUtf8(body)) throw new Error("no text");
    event = JSON.parse(body.toString("utf8"));
  } catch {
    return [{ path: "", message: "is not JSON" }];
  }
  if (typeof event !== "object" || event === null || Array.isArray(event))
    return [{ path: "", message: "is no object" }];
  return missing(event as Record<string, unknown>, "");
}

function missing(event: Readonly<Record<string, unknown>>, prefix: string): ProblemError[] {
  const errors: ProblemError[] = [];
  for (const name of REQUIRED) {
    const value = Object.hasOwn(event, name) ? event[name] : undefined;
    if (typeof value !== "string" || value === "") errors.push({ path: `${prefix}${name}`, message: "is missing" });
    else if (name === "specversion" && value !== "1.0")
      errors.push({ path: `${prefix}${name}`, message: 'must be "1.0"' });
  }
  return errors;
}

/** Quoted strings stand for what they hold, then percent-encoding is undone (HTTP binding 3.1.3.2). */
function attributeValue(header: string): string | undefined {
  const text = headerText(header);
  if (text === undefined) return undefined;
  const plain = /^".*"$/.test(text) ? text.slice(1, -1).replace(/\\(.)/g, "$1") : text;
  try {
    const value = decodeURIComponent(plain);
    return value.includes("\0") ? undefined : value;
  } catch {
    return undefined;
  }
}
