/** What a part of a schema becomes: a function that tests a value. No code is generated (LESSONS 38). */
import type { WorkBudget } from "./work-budget.ts";

/** Where a value lies in the payload: built only downwards, written out only when something is wrong. */
export interface Place {
  readonly above: Place | undefined;
  readonly key: string | number;
}

/** What is wrong with a payload. */
export interface ValueFault {
  readonly place: Place | undefined;
  readonly message: string;
}

export type ValueTest = (value: unknown, place: Place | undefined, run: Run) => ValueFault | undefined;

export interface Run {
  readonly budget: WorkBudget;
  /** What was looked at of the value at hand; only where some part of the schema asks for what was not (`unevaluated…`). */
  seen: Seen | undefined;
}

/** Properties and items that some part of the schema was about. */
export class Seen {
  readonly names: Set<string> = new Set();
  /** Items before this one. */
  items = 0;
  /** Further ones, found by `contains`. */
  readonly contained: Set<number> = new Set();

  add(other: Seen): void {
    for (const name of other.names) this.names.add(name);
    for (const index of other.contained) this.contained.add(index);
    this.items = Math.max(this.items, other.items);
  }
}

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function fault(place: Place | undefined, message: string): ValueFault {
  return { place, message };
}

/** Of the first test that finds one. */
export function firstFault(
  tests: readonly ValueTest[],
  value: unknown,
  place: Place | undefined,
  run: Run,
): ValueFault | undefined {
  for (const test of tests) {
    const found = test(value, place, run);
    if (found !== undefined) return found;
  }
  return undefined;
}

const pointerLengthMax = 200;

/** RFC 6901, shortened in the middle of nowhere when it is very long: it goes into a Reason String. */
export function pointerOf(place: Place | undefined): string {
  const parts: string[] = [];
  for (let at = place; at !== undefined; at = at.above) parts.push(escapePointer(String(at.key)));
  const text = parts
    .reverse()
    .map((part) => `/${part}`)
    .join("");
  return text.length <= pointerLengthMax ? text : `${[...text.slice(0, pointerLengthMax)].slice(0, -1).join("")}…`;
}

export function escapePointer(part: string): string {
  return part.replaceAll("~", "~0").replaceAll("/", "~1");
}
