import type { Io } from "../io.ts";

/** Data for the user or the next program in a pipe. Resolves when the stream wants more. */
export function print(io: Io, text: string | Uint8Array): Promise<void> {
  return write(io.stdout, text);
}

/** One value as one line of JSON. */
export function printJson(io: Io, value: unknown): Promise<void> {
  return write(io.stdout, `${JSON.stringify(value)}\n`);
}

/** Everything that is not data. */
export function note(io: Io, line: string): void {
  io.stderr.write(`${line}\n`);
}

function write(stream: NodeJS.WritableStream, data: string | Uint8Array): Promise<void> {
  if (stream.write(data)) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      stream.removeListener("drain", done).removeListener("close", done).removeListener("error", done);
      resolve();
    };
    stream.once("drain", done).once("close", done).once("error", done);
  });
}
