/** Times as publishers write them, on every protocol: how long to wait, and when. */

const durationPattern =
  /^P(?:(\d{1,9})W|(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,12})(?:[.,](\d{1,9}))?S)?)?)$/;
const timePattern = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?:[Zz]|[+-](\d\d):(\d\d))$/;

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

/** Wall-clock milliseconds of an RFC 3339 time; undefined for anything else, days that do not exist included. */
export function parseTime(text: string): number | undefined {
  const found = text.length > 40 ? null : timePattern.exec(text);
  if (found === null) return undefined;
  const [, year, month, day, hour, minute, second, zoneHour = "0", zoneMinute = "0"] = found.map(Number);
  const fields = [year, month, day, hour, minute, second] as [number, number, number, number, number, number];
  if (fields[3] > 23 || fields[4] > 59 || fields[5] > 59 || Number(zoneHour) > 23 || Number(zoneMinute) > 59) {
    return undefined;
  }
  const date = new Date(0);
  date.setUTCFullYear(fields[0], fields[1] - 1, fields[2]);
  // 31 February would silently be 3 March.
  if (date.getUTCMonth() !== fields[1] - 1 || date.getUTCDate() !== fields[2]) return undefined;
  const milliseconds = Date.parse(text.replace(" ", "T").toUpperCase());
  return Number.isNaN(milliseconds) ? undefined : milliseconds;
}
