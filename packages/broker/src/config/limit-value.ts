import { formatDuration, formatSize, parseDuration, parseSize } from "../model/quantity.ts";
import type { LimitRow, LimitUnit } from "./limit-table.ts";

/** The value of a limit as a source has it (a plain number, or text with a unit), or what is wrong with it. */
export function readLimit(value: unknown, row: LimitRow): { readonly value: number } | { readonly problem: string } {
  const number = numberOf(value, row.unit);
  const range = `it goes from ${formatLimit(row.min, row.unit)} to ${formatLimit(row.max, row.unit)}`;
  if (number === undefined) return { problem: `is no ${nouns[row.unit]}; ${range}` };
  if (number < row.min || number > row.max) return { problem: `is out of range; ${range}` };
  return { value: number };
}

/** For people: `1 MiB`, `30 d`, `64`. */
export function formatLimit(value: number, unit: LimitUnit): string {
  if (unit === "count") return String(value);
  if (unit === "milliseconds") return formatDuration(value);
  if (unit === "seconds") return formatDuration(value * 1_000);
  return unit === "bytes" ? formatSize(value) : `${formatSize(value)}/s`;
}

const nouns: Readonly<Record<LimitUnit, string>> = {
  count: "whole number",
  bytes: 'number of bytes, nor a size such as "64KiB" or "1MiB"',
  "bytes per second": 'number of bytes, nor a size such as "64KiB" or "1MiB"',
  milliseconds: 'number of milliseconds, nor a duration such as "500ms" or "30s"',
  seconds: 'number of seconds, nor a duration such as "30s", "5m" or "7d"',
};

function numberOf(value: unknown, unit: LimitUnit): number | undefined {
  if (typeof value === "number") return Number.isSafeInteger(value) ? value : undefined;
  if (typeof value !== "string" || unit === "count") return undefined;
  if (unit === "bytes" || unit === "bytes per second") return parseSize(value);
  const duration = parseDuration(value);
  if (duration === undefined || unit === "milliseconds") return duration;
  return duration % 1_000 === 0 ? duration / 1_000 : undefined;
}
