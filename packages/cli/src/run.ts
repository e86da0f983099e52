import { type Command, CommanderError } from "commander";
import { describeError } from "./describe-error.ts";
import { ExitCode } from "./exit-code.ts";
import { Interruption, type Io } from "./io.ts";
import { painter } from "./terminal/colour.ts";
import { printable } from "./terminal/table.ts";

/**
 * Runs one command line.
 *
 * @param words what follows `mess`
 * @returns the exit code; everything worth saying has been said
 */
export async function run(words: readonly string[], io: Io, version: string): Promise<number> {
  const program = await programFor(words, io, version);
  try {
    if (words.length === 0) {
      program.outputHelp({ error: true });
      return ExitCode.usage;
    }
    await program.parseAsync(words, { from: "user" });
    return io.exitCode;
  } catch (error) {
    return report(error, io);
  }
}

/** A server lives for months: its process holds no command but its own. */
async function programFor(words: readonly string[], io: Io, version: string): Promise<Command> {
  if (words[0] !== "serve") return (await import("./program.ts")).createProgram(io, version);
  const { emptyProgram } = await import("./empty-program.ts");
  const { registerServe } = await import("./commands/serve.ts");
  const program = emptyProgram(io, version);
  registerServe(program, io);
  return program;
}

/** An error as lines on stderr, and its exit code. */
export function report(error: unknown, io: Io): number {
  if (error instanceof Interruption) return error.exitCode;
  // Commander has written its message; its code is 0 for help and version.
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
  const { exitCode, message, hint, stack } = describeError(error);
  const paint = painter({ env: io.env, isTTY: io.stderr.isTTY });
  if (stack !== undefined) io.stderr.write(`${stack}\n`);
  io.stderr.write(`${paint("red", "mess:")} ${printable(message)}\n`);
  if (hint !== undefined) io.stderr.write(`      ${printable(hint)}\n`);
  return exitCode;
}
