import { CliError } from "../cli-error.ts";
import { ExitCode } from "../exit-code.ts";

/** The answers of the server are outside input: read field by field, never trusted to have a shape. */
export function objectFrom(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw unexpected("an object");
  return value as Record<string, unknown>;
}

export function textField(object: Readonly<Record<string, unknown>>, name: string): string {
  const value = object[name];
  if (typeof value !== "string") throw unexpected(`a text "${name}"`);
  return value;
}

function unexpected(what: string): CliError {
  return new CliError(
    ExitCode.unreachable,
    `the server's answer lacks ${what}`,
    "is it the HTTP port of mess, and as new as this command?",
  );
}
