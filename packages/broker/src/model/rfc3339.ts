/** RFC 3339 times, computed: no clock and no time zone of the machine is asked. Proleptic Gregorian calendar, UTC. */

const form = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;
const lengthMax = 40;
const dayMs = 86_400_000;
const minuteMs = 60_000;

/** Wall-clock milliseconds; what is finer is cut off. Undefined for anything else, days that do not exist included. */
export function parseRfc3339(text: string): number | undefined {
  const found = text.length > lengthMax ? null : form.exec(text);
  if (found === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = found.slice(1, 7).map(Number);
  const fraction = Number((found[7] ?? "").padEnd(3, "0").slice(0, 3));
  const zone = Number(found[9] ?? 0) * 60 + Number(found[10] ?? 0);
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return undefined;
  if (hour > 23 || minute > 59 || second > 59 || Number(found[9] ?? 0) > 23 || Number(found[10] ?? 0) > 59) {
    return undefined;
  }
  const local = daysFromEpoch(year, month, day) * dayMs + hour * 3_600_000 + minute * minuteMs + second * 1_000;
  return local + fraction - (found[8] === "-" ? -zone : zone) * minuteMs;
}

/** In UTC, with milliseconds when there are any. For the years 0 to 9999. */
export function formatRfc3339(milliseconds: number): string {
  const days = Math.floor(milliseconds / dayMs);
  const inDay = milliseconds - days * dayMs;
  const [year, month, day] = civil(days);
  const two = (value: number): string => String(value).padStart(2, "0");
  const rest = inDay % 1_000;
  const fraction = rest === 0 ? "" : `.${String(rest).padStart(3, "0")}`;
  const seconds = Math.floor(inDay / 1_000);
  const time = `${two(Math.floor(seconds / 3_600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return `${String(year).padStart(4, "0")}-${two(month)}-${two(day)}T${time}${fraction}Z`;
}

function isLeap(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

function daysIn(year: number, month: number): number {
  if (month === 2) return isLeap(year) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Days from 1970-01-01. Years begin in March here, so that the leap day is a year's last; 400 years have 146,097 days. */
function daysFromEpoch(year: number, month: number, day: number): number {
  const from = month <= 2 ? year - 1 : year;
  const era = Math.floor(from / 400);
  const ofEra = from - era * 400;
  const ofYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  return era * 146_097 + ofEra * 365 + Math.floor(ofEra / 4) - Math.floor(ofEra / 100) + ofYear - 719_468;
}

function civil(days: number): [year: number, month: number, day: number] {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const ofEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (ofEra - Math.floor(ofEra / 1_460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  );
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * ofYear + 2) / 153);
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  const day = ofYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  return [yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day];
}
