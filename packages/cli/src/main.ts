import { ExitCode } from "./exit-code.ts";
import { Interruption, type Io } from "./io.ts";
import { version } from "./version.ts";

/** What makes the command line a process: streams, signals, exit codes. */
async function main(words: readonly string[]): Promise<void> {
  // Asked by every script that wants to know what it has: it must not wait for the command tree.
  if (words.length === 1 && (words[0] === "--version" || words[0] === "-V")) {
    process.stdout.write(`${version}\n`);
    return;
  }
  // The server looks after its own output: it goes on when nobody reads it.
  if (words[0] !== "serve") endQuietlyWithoutReader();
  const io = processIo();
  const { report, run } = await import("./run.ts");
  const defect = (error: unknown): never => process.exit(report(error, io) || ExitCode.internal);
  process.on("uncaughtException", defect).on("unhandledRejection", defect);
  const exitCode = await run(words, io, version);
  await flushed();
  // Not left to the event loop: a socket that will not close must not keep the shell waiting.
  process.exit(exitCode);
}

function processIo(): Io {
  let interrupted: AbortController | undefined;
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
    exitCode: ExitCode.ok,
    watchSignals: () => {
      interrupted ??= watchSignals();
      return interrupted.signal;
    },
  };
}

function watchSignals(): AbortController {
  const controller = new AbortController();
  const onSignal = (exitCode: number) => (): void => {
    // The first asks to end in order, the second does not ask.
    if (controller.signal.aborted) process.exit(exitCode);
    controller.abort(new Interruption(exitCode));
  };
  process.on("SIGINT", onSignal(ExitCode.interrupted)).on("SIGTERM", onSignal(ExitCode.terminated));
  return controller;
}

/** `mess sub … | head -1`: the reader had enough, which is no failure of ours. */
function endQuietlyWithoutReader(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    process.exit(error.code === "EPIPE" ? ExitCode.ok : ExitCode.inputOutput);
  });
  // Nowhere is left to complain to.
  process.stderr.on("error", () => undefined);
}

/** Pipes are written asynchronously: what was printed must be out before the process is gone. */
function flushed(): Promise<void> {
  return new Promise((resolve) => process.stdout.write("", () => process.stderr.write("", () => resolve())));
}

await main(process.argv.slice(2));
