import { Writable } from "node:stream";
import { createInterface } from "node:readline/promises";
import { usageError } from "../cli-error.ts";
import type { Io } from "../io.ts";

/** Reads a secret: on a terminal one line without showing it, else all of stdin, up to `bytesMax`. */
export async function askSecret(io: Io, prompt: string, bytesMax: number): Promise<string> {
  if (io.stdin.isTTY !== true) return readAll(io, bytesMax);
  io.stderr.write(prompt);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  // `terminal` makes readline switch the terminal's own echo off.
  const lines = createInterface({ input: io.stdin, output: silent, terminal: true });
  try {
    return await lines.question("", { signal: io.watchSignals() });
  } finally {
    lines.close();
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
