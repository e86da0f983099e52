import { createHash } from "node:crypto";
import { HttpRefusal } from "./problem.ts";

type CursorValue = string | number;

const LENGTH_MAX = 4_096;
const CHECK_LENGTH = 6;

/**
 * Where a list goes on, as text that means nothing to clients. `list` names the list it belongs to, with what it was
 * asked for: a cursor of another list is refused. It is no secret and grants nothing: rights are asked on every page.
 */
export function writeCursor(list: readonly string[], values: readonly CursorValue[]): string {
  const body = Buffer.from(JSON.stringify(values)).toString("base64url");
  return `${body}${checkOf(list, body)}`;
}

/** Throws 400 for text that `writeCursor` did not make for this list. `form` tells the types of the values. */
export function readCursor<const Form extends readonly ("string" | "number")[]>(
  list: readonly string[],
  cursor: string,
  form: Form,
): { [Index in keyof Form]: Form[Index] extends "string" ? string : number } {
  const values = cursor.length > LENGTH_MAX ? undefined : valuesOf(list, cursor);
  const fits = values?.length === form.length && values.every((value, index) => isOf(value, form[index]));
  if (!fits) {
    throw new HttpRefusal(
      "wrong-parameters",
      "cursor: take it as it is from `next` of the page before, of the same list",
      {
        errors: [{ path: "cursor", message: "is no cursor of this list" }],
      },
    );
  }
  return values as never;
}

function valuesOf(list: readonly string[], cursor: string): unknown[] | undefined {
  const body = cursor.slice(0, -CHECK_LENGTH);
  if (cursor.slice(-CHECK_LENGTH) !== checkOf(list, body)) return undefined;
  try {
    const values: unknown = JSON.parse(Buffer.from(body, "base64url").toString("utf8"));
    return Array.isArray(values) ? values : undefined;
  } catch {
    return undefined;
  }
}

function isOf(value: unknown, type: "string" | "number" | undefined): boolean {
  return typeof value === type && (typeof value !== "number" || (Number.isSafeInteger(value) && value >= 0));
}

function checkOf(list: readonly string[], body: string): string {
  return createHash("sha256")
    .update(JSON.stringify([...list, body]))
    .digest("base64url")
    .slice(0, CHECK_LENGTH);
}
