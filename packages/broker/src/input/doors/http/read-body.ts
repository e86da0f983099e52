import type { IncomingMessage } from "node:http";
import { HttpRefusal } from "./problem.ts";

/**
 * The JSON text of a request's body. Throws 415 when it is not announced as JSON, 413 when it is announced or turns out
 * to be larger than `bytesMax` (nothing more is read then), 400 when it is not UTF-8.
 */
export async function readJsonText(incoming: IncomingMessage, bytesMax: number): Promise<string> {
  const type = incoming.headers["content-type"] ?? "";
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw new HttpRefusal("unsupported-media-type", "send Content-Type: application/json");
  }
  if ((incoming.headers["content-encoding"] ?? "identity") !== "identity") {
    throw new HttpRefusal("unsupported-media-type", "send the body without Content-Encoding");
  }
  if (Number(incoming.headers["content-length"] ?? 0) > bytesMax) throw tooLarge(bytesMax);
  const bytes = await readBytes(incoming, bytesMax);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new HttpRefusal("not-json", "the body is not valid UTF-8");
  }
}

function readBytes(incoming: IncomingMessage, bytesMax: number): Promise<Buffer> {
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
    // After `end` this changes nothing.
    incoming.on("close", () => reject(new HttpRefusal("bad-request", "the body broke off")));
  });
}

/** The rest of the body is on its way: only closing gets rid of it. */
function tooLarge(bytesMax: number): HttpRefusal {
  return new HttpRefusal("body-too-large", `at most ${bytesMax} bytes are taken`, { headers: { connection: "close" } });
}
