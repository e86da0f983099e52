import type { MqttMessage } from "@mess/client";
import { printable } from "../terminal/table.ts";
import { metaOf } from "./message-properties.ts";

/**
 * A message as a line. To a terminal, control characters are shown, not obeyed; to a file or pipe, the payload's bytes go
 * out as they are.
 */
export function messageText(message: MqttMessage, withTopic: boolean, terminal: boolean): Uint8Array | string {
  const topic = withTopic ? `${message.topic} ` : "";
  if (terminal) return `${printable(topic + Buffer.from(message.payload).toString("utf8"))}\n`;
  return Buffer.concat([Buffer.from(topic), message.payload, Buffer.from("\n")]);
}

export interface MessageJson {
  readonly topic: string;
  /** A JSON value, a string, or base64: see `encoding`. */
  readonly payload: unknown;
  readonly encoding: "json" | "utf8" | "base64";
  readonly qos: number;
  readonly retain: boolean;
  readonly duplicate: boolean;
  /** What the server says of it: offset, time, publisher, key, attempt, subscription, why it is a dead letter. */
  readonly [meta: string]: unknown;
  readonly properties?: Readonly<Record<string, unknown>>;
}

/** A message as `mess sub --json` prints it. Payloads that are JSON objects or arrays are given as such, for jq. */
export function messageJson(message: MqttMessage): MessageJson {
  const { topic, qos, retain, duplicate } = message;
  const properties = propertiesJson(message);
  const said = { topic, ...payloadJson(message.payload), qos, retain, duplicate };
  return { ...metaOf(message.properties), ...said, ...(properties && { properties }) };
}

/** Payloads that are JSON objects or arrays as such, other text as text, the rest as base64. */
export function payloadJson(payload: Uint8Array): Pick<MessageJson, "payload" | "encoding"> {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(payload);
  } catch {
    return { payload: Buffer.from(payload).toString("base64"), encoding: "base64" };
  }
  // Only objects and arrays: a payload of 007 or "yes" stays the text it is.
  if (/^\s*[[{]/u.test(text)) {
    try {
      return { payload: JSON.parse(text) as unknown, encoding: "json" };
    } catch {
      // Not JSON after all: it is text.
    }
  }
  return { payload: text, encoding: "utf8" };
}

/** Those that are not the server's own. */
function propertiesJson({ properties }: MqttMessage): Record<string, unknown> | undefined {
  const { userProperties = [], ...others } = properties;
  const own = userProperties.filter(([name]) => !name.startsWith("mess-"));
  const kept = { ...others, ...(own.length > 0 && { userProperties: own }) };
  const entries = Object.entries(kept).map(([name, value]): [string, unknown] => {
    return [name, value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value];
  });
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
