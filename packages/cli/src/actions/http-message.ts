import { printable } from "../terminal/table.ts";
import { type AnswerObject, objectFrom, shownField } from "./answer.ts";
import { payloadJson } from "./format-message.ts";

/** The payload of a message as HTTP gives it: text where it is UTF-8, else base64. */
export function payloadOf(message: AnswerObject): Buffer {
  const { payload, payloadBase64 } = message;
  if (typeof payloadBase64 === "string") return Buffer.from(payloadBase64, "base64");
  return Buffer.from(typeof payload === "string" ? payload : "", "utf8");
}

/** As `mess sub --json` gives messages: the payload as JSON where it is an object or array. */
export function httpMessageJson(message: AnswerObject): AnswerObject {
  const { payload: _text, payloadBase64: _base64, ...rest } = message;
  return { ...rest, ...payloadJson(payloadOf(message)) };
}

/** As `mess sub` prints messages. */
export function httpMessageText(message: AnswerObject, withTopic: boolean, terminal: boolean): Uint8Array | string {
  const topic = withTopic ? `${shownField(message, "topic")} ` : "";
  const payload = payloadOf(message);
  if (terminal) return `${printable(topic + payload.toString("utf8"))}\n`;
  return Buffer.concat([Buffer.from(topic), payload, Buffer.from("\n")]);
}

/** What is said of a dead letter besides the message: reason, attempts, where it came from. */
export function deathOf(message: AnswerObject): AnswerObject {
  const { dead } = message;
  return dead === undefined ? {} : objectFrom(dead);
}

const shownNames: readonly string[] = ["time", "publisher", "key", "id", "priority", "contentType", "responseTopic"];

/** Everything about a message but its payload, by names. */
export function messageFields(message: AnswerObject): readonly (readonly [name: string, value: string])[] {
  const death = deathOf(message);
  const { headers } = message;
  const pairs = Object.entries(typeof headers === "object" && headers !== null ? headers : {});
  return [
    ["offset", shownField(message, "offset")],
    ["reason", shownField(death, "reason")],
    ["attempts", shownField(death, "attempts")],
    ["topic", shownField(death, "topic") || shownField(message, "topic")],
    ["published at", shownField(death, "offset") === "" ? "" : `offset ${shownField(death, "offset")}`],
    ...shownNames.map((name) => [name, shownField(message, name)] as const),
    ...pairs.map(
      ([name, value]) =>
        [`header ${printable(name)}`, Array.isArray(value) ? value.join(", ") : String(value)] as const,
    ),
  ].filter(([, value]) => value !== "") as (readonly [string, string])[];
}
