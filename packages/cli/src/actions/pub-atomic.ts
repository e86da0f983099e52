import { usageError } from "../cli-error.ts";
import type { PubOptions } from "../commands/pub.ts";
import type { Io } from "../io.ts";
import { print, printJson } from "../terminal/print.ts";
import { formatCount } from "../units.ts";
import { administer } from "./administer.ts";
import { numberField, objectFrom } from "./answer.ts";
import { atLine, batchMessage } from "./batch-line.ts";
import { messageProperties } from "./message-properties.ts";
import { readLines } from "./read-stdin.ts";

const messagesMax = 1000;

/** All of stdin as one batch over HTTP: stored as a whole, or not at all. */
export async function publishAtomically(io: Io, topic: string | undefined, options: PubOptions): Promise<void> {
  const lines: string[] = [];
  let number = 0;
  for await (const bytes of readLines(io)) {
    number += 1;
    const line = options.batch === true ? batchLine(bytes, topic, number) : payloadLine(bytes, topic ?? "", options);
    if (line === "") continue;
    lines.push(options.id === undefined ? line : withId(line, `${options.id}:${number}`));
    if (lines.length > messagesMax) {
      throw usageError(
        `stdin holds more than ${formatCount(messagesMax)} messages: too many for one step`,
        "leave out --atomic",
      );
    }
  }
  if (lines.length === 0) throw usageError("stdin holds no message");
  const administration = await administer(io, options);
  const hints = { 413: "that is too much for one step: leave out --atomic" };
  const request = { method: "POST", path: "/v1/batch", body: `${lines.join("\n")}\n`, hints } as const;
  const results = (await administration.requestLines(request)).map(objectFrom);
  if (options.json === true) {
    for (const result of results) await printJson(io, result);
    return;
  }
  const offsets = results.map((result) => numberField(result, "offset"));
  const repeated = results.filter(({ duplicate }) => duplicate === true).length;
  const before = repeated === 0 ? "" : `, ${formatCount(repeated)} published before`;
  await print(io, `durable ${formatCount(results.length)} messages, all at once, from offset ${offsets[0]}${before}\n`);
}

/** The line as it is, so that its numbers stay as they are written, with the topic where it names none. */
function batchLine(bytes: Uint8Array, topic: string | undefined, number: number): string {
  const line = Buffer.from(bytes).toString("utf8").trim();
  if (line === "") return "";
  try {
    batchMessage(line, topic);
  } catch (error) {
    throw atLine(number, error);
  }
  return Object.hasOwn(JSON.parse(line) as object, "topic") ? line : withMember(line, "topic", topic ?? "");
}

function payloadLine(bytes: Uint8Array, topic: string, options: PubOptions): string {
  const { key, delay, at, priority, expiry, header, contentType, retain } = options;
  const headers: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  for (const [name, value] of header) headers[name] = [...(headers[name] ?? []), value];
  const said = { key, delay, at, priority, contentType, retain };
  return JSON.stringify({
    topic,
    payloadBase64: Buffer.from(bytes).toString("base64"),
    ...said,
    ...(expiry !== undefined && { expiry: Math.ceil(expiry / 1000) }),
    ...(messageProperties({ header }) !== undefined && { headers }),
  });
}

function withId(line: string, id: string): string {
  return Object.hasOwn(JSON.parse(line) as object, "id") ? line : withMember(line, "id", id);
}

function withMember(line: string, name: string, value: string): string {
  const rest = line.slice(1).trimStart();
  return `{${JSON.stringify(name)}:${JSON.stringify(value)}${rest === "}" ? "" : ","}${rest}`;
}
