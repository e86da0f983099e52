import type { WorkBudget } from "./work-budget.ts";

/** Equal values, and only those, have equal texts: keys of objects are sorted, numbers are as JavaScript writes them. */
export function canonicalText(value: unknown, budget: WorkBudget): string {
  budget.spend(1);
  if (typeof value === "string") {
    budget.spend(value.length >>> 3);
    return JSON.stringify(value);
  }
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  budget.enter();
  const text = Array.isArray(value)
    ? `[${value.map((item) => canonicalText(item, budget)).join(",")}]`
    : `{${Object.entries(value)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, item]) => `${JSON.stringify(key)}:${canonicalText(item, budget)}`)
        .join(",")}}`;
  budget.leave();
  return text;
}
