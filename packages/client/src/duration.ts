import { MessError } from "./mess-error.ts";

/** Milliseconds, or text: `"250ms"`, `"2s"`, `"5m"`, `"1h"`, `"7d"`, and together `"1h30m"`. */
export type Duration = number | string;

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Milliseconds of a duration, none of them negative. `what` names it in the error.
 *
 * @throws MessError INVALID_ARGUMENT
 */
export function milliseconds(duration: Duration, what: string): number {
  const value = typeof duration === "number" ? duration : parse(duration);
  if (value >= 0) return value;
  throw new MessError("INVALID_ARGUMENT", `${what} is not a duration: ${JSON.stringify(duration)}`, {
    hint: 'milliseconds as a number, or text such as "1h30m"',
  });
}

/** Counts have at most 15 digits, so that no text takes longer than its length (THREATS E15). */
function parse(text: string): number {
  if (!/^(\d{1,15}(\.\d{1,15})?(ms|s|m|h|d))+$/u.test(text)) return Number.NaN;
  let sum = 0;
  for (const [, count, unit = ""] of text.matchAll(/(\d{1,15}(?:\.\d{1,15})?)(ms|s|m|h|d)/gu)) {
    sum += Number(count) * (unitMs[unit] ?? Number.NaN);
  }
  return sum;
}
