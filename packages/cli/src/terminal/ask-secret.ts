import { Writable } from "node:stream";
import { usageError } from "../cli-error.ts";
import type { Io } from "../io.ts";
import { ask } from "./ask.ts";

/** Reads a secret: on a terminal one line without showing it, else all of stdin, up to `bytesMax`. */
export async function askSecret(io: Io, prompt: string, bytesMax: number): Promise<string> {
  if (io.stdin.isTTY !== true) return readAll(io, bytesMax);
  io.stderr.write(prompt);
  try {
    return await ask(io, "", new Writable({ write: (_chunk, _encoding, done) => done() }));
  } finally {
    io.stderr.write("\n");
  }
}

async function readAll(io: Io, bytesMax: number): Promise<string> {
  let text = "";
  for await (const chunk of io.stdin as AsyncIterable<Buffer | string>) {
    text += chunk.toString();
    if (text.length > bytesMax) throw usageError(`stdin holds more than ${bytesMax} bytes: it is not a key`);
  }
  return text;
}
