import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { CliError } from "../cli-error.ts";
import { ExitCode } from "../exit-code.ts";
import type { Io } from "../io.ts";
import { formatKey } from "../target/key-text.ts";
import { note, print, printJson } from "../terminal/print.ts";
import { formatTime } from "../units.ts";
import { type AnswerObject, textField } from "./answer.ts";

export interface HandOutOptions {
  readonly out?: string;
  readonly json?: boolean;
  readonly what: "key" | "token";
  /** The command that undoes it. */
  readonly revoke: string;
  /** More of the answer, for JSON. */
  readonly more?: Readonly<Record<string, unknown>>;
}

/** A key or token that the server has just made: to stdout or into a new file, once. */
export async function handOut(io: Io, answer: AnswerObject, options: HandOutOptions): Promise<void> {
  const { what, more } = options;
  const { expiresAt } = answer;
  const end = typeof expiresAt === "number" ? { expiresAt } : {};
  const id = textField(answer, "id");
  const principal = textField(answer, "principal");
  const key = { id, secret: textField(answer, "secret"), principal, ...end, ...more };
  const until = typeof expiresAt === "number" ? `, until ${formatTime(expiresAt)} UTC` : "";
  if (options.out !== undefined) {
    const path = resolve(io.cwd, options.out);
    await save(io, path, formatKey(key), options);
    if (options.json === true) return printJson(io, { id, principal, ...end, ...more, file: path });
    return note(io, `${what} ${id} of ${principal}${until} written to ${path}`);
  }
  if (options.json === true) return printJson(io, key);
  await print(io, `${formatKey(key)}\n`);
  note(io, `${what} ${id} of ${principal}${until}: shown once, stored as a hash`);
}

/** One that could not be written would be lost, and still valid: then it is shown how to be rid of it. */
async function save(io: Io, path: string, text: string, { what, revoke }: HandOutOptions): Promise<void> {
  const id = text.slice(0, text.indexOf("."));
  try {
    await writeFile(path, `${text}\n`, { mode: 0o600, flag: "wx", flush: true });
  } catch (error) {
    note(io, `the ${what} ${id} was made, but could not be saved: revoke it with ${revoke} ${id}`);
    const exists = error instanceof Error && "code" in error && error.code === "EEXIST";
    throw exists ? new CliError(ExitCode.inputOutput, `${path} exists: a ${what} does not overwrite a file`) : error;
  }
}
