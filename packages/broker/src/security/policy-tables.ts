import type { PolicyProblems } from "./policy-problems.ts";

/** The table's own entries, also those named like a method; empty, with a problem, for anything that is no table. */
export function readTable(value: unknown, path: string, problems: PolicyProblems): ReadonlyMap<string, unknown> {
  if (isTable(value)) return new Map(Object.entries(value));
  problems.add(path, path === "" ? "a policy is a table with `roles` and `principals`" : "is a table");
  return new Map();
}

export function isTable(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

export function exceeds(count: number, max: number, what: string, problems: PolicyProblems): boolean {
  if (count <= max) return false;
  problems.add("", `${count} ${what}; at most ${max} are allowed`);
  return true;
}

/** No prototype: a role named `constructor` or `toString` is found only if the policy has it. */
export function emptyRecord<T>(): Record<string, T> {
  return Object.create(null) as Record<string, T>;
}
