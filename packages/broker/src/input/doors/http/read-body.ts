import type { IncomingMessage } from "node:http";
import { HttpRefusal } from "./problem.ts";

/** Deeper JSON is refused before it is parsed: nothing we take nests so far, and what walks it would run out of stack. */
const DEPTH_MAX = 64;

/**
 * The JSON text of a request's body. Throws 415 when it is not announced as JSON, 413 when it is announced or turns out
 * to be larger than `bytesMax` (nothing more is read then), 400 when it is not UTF-8 or nested too deeply.
 */
export async function readJsonText(incoming: IncomingMessage, bytesMax: number): Promise<string> {
  const text = await readText(incoming, bytesMax, "application/json");
  if (depthOf(text) > DEPTH_MAX)
    throw new HttpRefusal("not-json", `the body is nested deeper than ${DEPTH_MAX} levels`);
  return text;
}

/** The text of a body of this media type. Throws as `readJsonText` does. */
export async function readText(incoming: IncomingMessage, bytesMax: number, mediaType: string): Promise<string> {
  const type = mediaTypeOf(incoming.headers["content-type"] ?? "");
  if (type !== mediaType) throw new HttpRefusal("unsupported-media-type", `send Content-Type: ${mediaType}`);
  const bytes = await readBytes(incoming, bytesMax);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new HttpRefusal("not-json", "the body is not valid UTF-8");
  }
}

/** `text/plain` of `Text/Plain; charset=utf-8`. */
export function mediaTypeOf(contentType: string): string {
  return (contentType.split(";", 1)[0] as string).trim().toLowerCase();
}

/** True when the request announces no body at all. */
export function hasNoBody(incoming: IncomingMessage): boolean {
  const { "content-length": length = "0", "transfer-encoding": encoding } = incoming.headers;
  return encoding === undefined && Number(length) === 0;
}

/** The bytes of a body. Throws 413 as `readJsonText` does, 415 when they are compressed. */
export async function readBytes(incoming: IncomingMessage, bytesMax: number): Promise<Buffer> {
  if ((incoming.headers["content-encoding"] ?? "identity") !== "identity") {
    throw new HttpRefusal("unsupported-media-type", "send the body without Content-Encoding");
  }
  if (Number(incoming.headers["content-length"] ?? 0) > bytesMax) throw tooLarge(bytesMax);
  return await gather(incoming, bytesMax);
}

function gather(incoming: IncomingMessage, bytesMax: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    incoming.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length > bytesMax) {
        incoming.pause();
        reject(tooLarge(bytesMax));
      } else {
        chunks.push(chunk);
      }
    });
    incoming.on("end", () => resolve(Buffer.concat(chunks)));
    incoming.on("error", reject);
    incoming.on("close", () => {
      if (!incoming.readableEnded) reject(new HttpRefusal("bad-request", "the body broke off"));
    });
  });
}

/** Most brackets that are open at a time, outside strings. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (inString) {
      if (unit === BACKSLASH) at++;
      else if (unit === QUOTE) inString = false;
    } else if (unit === QUOTE) inString = true;
    else if (unit === OPEN_BRACKET || unit === OPEN_BRACE) {
      depth++;
      if (depth > deepest) deepest = depth;
    } else if (unit === CLOSE_BRACKET || unit === CLOSE_BRACE) depth--;
  }
  return deepest;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** The rest of the body is on its way: only closing gets rid of it. */
function tooLarge(bytesMax: number): HttpRefusal {
  return new HttpRefusal("body-too-large", `at most ${bytesMax} bytes are taken`, { headers: { connection: "close" } });
}
