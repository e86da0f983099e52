/** A world for commands under test: what they print is kept, what they read is given. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { Interruption, type Io } from "./io.ts";
import { run } from "./run.ts";

export interface TestRun {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface TestIoOptions {
  readonly stdin?: string | Uint8Array | Readable;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** Fires an interruption like SIGINT. */
  readonly interrupt?: AbortSignal;
}

export async function runMess(words: readonly string[], options: TestIoOptions): Promise<TestRun> {
  const { io, out, err } = testIo(options);
  const code = await run(words, io, "1.2.3");
  return { code, out: out().toString("utf8"), err: err().toString("utf8") };
}

export function testIo(options: TestIoOptions): { io: Io; out: () => Buffer; err: () => Buffer } {
  const stdout = collector();
  const stderr = collector();
  const controller = new AbortController();
  options.interrupt?.addEventListener("abort", () => controller.abort(new Interruption(130)));
  const { stdin = "" } = options;
  const io: Io = {
    stdin: stdin instanceof Readable ? stdin : Readable.from([Buffer.from(stdin)]),
    stdout: stdout.stream,
    stderr: stderr.stream,
    // Nothing of the machine's own settings may reach a test.
    env: { HOME: options.cwd, ...options.env },
    cwd: options.cwd,
    exitCode: 0,
    watchSignals: () => controller.signal,
  };
  return { io, out: stdout.text, err: stderr.text };
}

function collector(): { stream: PassThrough; text: () => Buffer } {
  const chunks: Buffer[] = [];
  const stream = new PassThrough();
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  return { stream, text: () => Buffer.concat(chunks) };
}

/** A directory that is gone after `use`. */
export async function withDirectory<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "mess-cli-"));
  try {
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
