import { CliError } from "../cli-error.ts";
import { ExitCode } from "../exit-code.ts";

export type AnswerObject = Readonly<Record<string, unknown>>;

/** The answers of the server are outside input: read field by field, never trusted to have a shape. */
export function objectFrom(value: unknown): AnswerObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw unexpected("an object");
  return value as AnswerObject;
}

export function textField(object: AnswerObject, name: string): string {
  const value = object[name];
  if (typeof value !== "string") throw unexpected(`a text "${name}"`);
  return value;
}

export function numberField(object: AnswerObject, name: string): number {
  const value = object[name];
  if (typeof value !== "number") throw unexpected(`a number "${name}"`);
  return value;
}

export function objectsField(object: AnswerObject, name: string): readonly AnswerObject[] {
  const value = object[name];
  if (!Array.isArray(value)) throw unexpected(`a list "${name}"`);
  return value.map(objectFrom);
}

/** For what may be left out: the text of a text, number or list, else nothing. */
export function shownField(object: AnswerObject, name: string): string {
  const value = object[name];
  if (Array.isArray(value)) return value.map(String).join(" ");
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? String(value) : "";
}

function unexpected(what: string): CliError {
  return new CliError(
    ExitCode.unreachable,
    `the server's answer lacks ${what}`,
    "is it the HTTP port of mess, and as new as this command?",
  );
}
