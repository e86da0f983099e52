import { createInterface } from "node:readline/promises";
import { usageError } from "../cli-error.ts";
import type { Io } from "../io.ts";

/**
 * Asks before something that cannot be undone. Without a terminal nobody can answer: then `--yes` is needed.
 *
 * @returns false when the user says no
 * @throws CliError (64) without a terminal and without `yes`
 */
export async function confirm(io: Io, question: string, yes: boolean): Promise<boolean> {
  if (yes) return true;
  if (io.stdin.isTTY !== true || io.stderr.isTTY !== true) {
    throw usageError(`${question} needs a confirmation, and there is no terminal to ask on`, "pass --yes");
  }
  const lines = createInterface({ input: io.stdin, output: io.stderr });
  try {
    const answer = await lines.question(`${question}? [y/N] `, { signal: io.watchSignals() });
    return /^y(es)?$/iu.test(answer.trim());
  } finally {
    lines.close();
  }
}
