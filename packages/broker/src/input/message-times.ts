/** Times as publishers write them, on every protocol: how long to wait, and when. */

/** As RFC 3339 has them. */
export { parseRfc3339 as parseTime } from "../model/rfc3339.ts";

const durationPattern =
  /^P(?:(\d{1,9})W|(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,12})(?:[.,](\d{1,9}))?S)?)?)$/;

const secondMs = 1_000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/**
 * Milliseconds of an ISO 8601 duration (`PT5S`, `P1DT12H`; weeks, days, hours, minutes, seconds) or of a plain number of
 * them. Undefined for anything else: years and months have no fixed length.
 */
export function parseDelay(text: string): number | undefined {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const found = text.length > 64 ? null : durationPattern.exec(text);
  if (found === null || text.endsWith("P") || text.endsWith("T")) return undefined;
  const [, weeks = "0", days = "0", hours = "0", minutes = "0", seconds = "0", fraction = ""] = found;
  const whole =
    Number(weeks) * 7 * dayMs +
    Number(days) * dayMs +
    Number(hours) * hourMs +
    Number(minutes) * minuteMs +
    Number(seconds) * secondMs;
  const milliseconds = whole + Number(fraction.padEnd(3, "0").slice(0, 3));
  return Number.isSafeInteger(milliseconds) ? milliseconds : undefined;
}
