import { usageError } from "../cli-error.ts";
import type { Io } from "../io.ts";

/** MQTT itself allows 256 MiB a packet; what is larger is a mistake. */
const payloadBytesMax = 256 * 1024 * 1024;

/** All of stdin. */
export async function readPayload(io: Io): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of io.stdin as AsyncIterable<Buffer | string>) {
    const bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
    length += bytes.length;
    if (length > payloadBytesMax) throw usageError("stdin holds more than 256 MiB: too much for one message");
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

/** Each line of stdin as bytes, without its end (LF or CRLF). A last line without an end counts; an empty one does too. */
export async function* readLines(io: Io): AsyncGenerator<Uint8Array, void, undefined> {
  let rest = Buffer.alloc(0);
  for await (const chunk of io.stdin as AsyncIterable<Buffer | string>) {
    const bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
    let data = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    for (let end = data.indexOf(0x0a); end !== -1; end = data.indexOf(0x0a)) {
      yield data.subarray(0, end > 0 && data[end - 1] === 0x0d ? end - 1 : end);
      data = data.subarray(end + 1);
    }
    if (data.length > payloadBytesMax) throw usageError("a line of stdin has more than 256 MiB");
    rest = Buffer.from(data);
  }
  if (rest.length > 0) yield rest;
}
