import { usageError } from "../cli-error.ts";
import type { Io } from "../io.ts";
import { ask } from "./ask.ts";

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
  return /^y(es)?$/iu.test((await ask(io, `${question}? [y/N] `, io.stderr)).trim());
}
