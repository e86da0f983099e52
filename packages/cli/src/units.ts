import { usageError } from "./cli-error.ts";

const durations: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `250ms`, `10s`, `5m`, `2h`, `7d`; a bare number is seconds. In milliseconds. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/u.exec(text);
  if (match === null) throw usageError(`"${text}" is not a duration`, "for example 250ms, 10s, 5m, 2h, 7d");
  const value = Number(match[1]) * (durations[match[2] ?? "s"] ?? 0);
  // What a timer can hold; more is always a mistake.
  if (value > 365 * 86_400_000) throw usageError(`"${text}" is more than a year`);
  return value;
}

const sizes: Readonly<Record<string, number>> = { "": 1, B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** `128`, `256KiB`, `1MiB`. In bytes. */
export function parseSize(text: string): number {
  const match = /^(\d+)(B|KiB|MiB|GiB)?$/u.exec(text);
  if (match === null) throw usageError(`"${text}" is not a size`, "for example 128, 256KiB, 1MiB");
  return Number(match[1]) * (sizes[match[2] ?? ""] ?? 0);
}

/** An option that is a whole number within bounds. */
export function wholeNumber(name: string, least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/u.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw usageError(`${name} must be a whole number from ${least} to ${most}, not "${text}"`);
  };
}

const timePattern = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/u;

/** An RFC 3339 time such as 2030-01-31T12:00:00Z, in UTC. */
export function parseTime(text: string): string {
  const milliseconds = timePattern.test(text) ? Date.parse(text.replace(" ", "T").toUpperCase()) : Number.NaN;
  if (!Number.isNaN(milliseconds)) return new Date(milliseconds).toISOString();
  throw usageError(`"${text}" is not a time`, "for example 2030-01-31T12:00:00Z, or 2030-01-31T13:00:00+01:00");
}

/**
 * Where reading begins: `earliest`, `latest`, an offset, a time, or so long ago (`-1h`), as the server takes it.
 *
 * @param now wall-clock milliseconds
 */
export function parsePosition(text: string, now: number): string {
  if (text === "earliest" || text === "latest" || /^\d{1,16}$/u.test(text)) return text;
  if (text.startsWith("-")) return new Date(now - parseDuration(text.slice(1))).toISOString();
  if (/^\d{4}-/u.test(text)) return parseTime(text);
  throw usageError(`"${text}" is not a place to begin at`, "use earliest, latest, an offset, a time, or -1h");
}

/** 0.9 ms, 12 ms, 1.2 s. */
export function formatMilliseconds(milliseconds: number): string {
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`;
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

const ageUnits: readonly (readonly [unit: string, milliseconds: number])[] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
];

/** 12s, 3m, 5h, 9d: the largest unit that it fills. */
export function formatAge(milliseconds: number): string {
  const found = ageUnits.find(([, size]) => milliseconds >= size);
  return found === undefined
    ? `${Math.max(0, Math.floor(milliseconds / 1000))}s`
    : `${Math.floor(milliseconds / found[1])}${found[0]}`;
}

const exactUnits: readonly (readonly [unit: string, milliseconds: number])[] = [...ageUnits, ["s", 1000], ["ms", 1]];

/** 30s, 5m, 1500ms: exactly, in the largest unit that divides it. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds === 0) return "0s";
  const [unit, size] = exactUnits.find(([, one]) => milliseconds % one === 0) ?? ["ms", 1];
  return `${milliseconds / size}${unit}`;
}

/** 512 B, 1.5 KiB, 20 MiB. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let index = 0;
  while (value >= 1024 && index < units.length - 1) {
    value /= 1024;
    index += 1;
  }
  return `${index === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[index]}`;
}

/** 2030-01-31 12:00, in UTC; empty for what is no time in milliseconds. */
export function formatTime(milliseconds: unknown): string {
  if (typeof milliseconds !== "number" || Math.abs(milliseconds) > 8.64e15) return "";
  return new Date(milliseconds).toISOString().slice(0, 16).replace("T", " ");
}

/** 1,234,567 in every locale. */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}
