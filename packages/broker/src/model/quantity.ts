/** Sizes and durations as people write them: `1MiB`, `500ms`, `30d`. Exact spelling; whole results only. */

const SIZE_UNITS: ReadonlyMap<string, number> = new Map([
  ["B", 1],
  ["KiB", 1_024],
  ["MiB", 1_024 ** 2],
  ["GiB", 1_024 ** 3],
  ["TiB", 1_024 ** 4],
  ["kB", 1_000],
  ["MB", 1_000 ** 2],
  ["GB", 1_000 ** 3],
  ["TB", 1_000 ** 4],
]);

const DURATION_UNITS: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1_000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

/** Text longer than this is no quantity. */
const LENGTH_MAX = 32;

/** Bytes, or `undefined` when `text` is not a number with a unit of size (no unit: bytes). */
export function parseSize(text: string): number | undefined {
  return parseQuantity(text, SIZE_UNITS, "B");
}

/** Milliseconds, or `undefined` when `text` is not a number with a unit of time. A bare number has no meaning here. */
export function parseDuration(text: string): number | undefined {
  return parseQuantity(text, DURATION_UNITS, undefined);
}

/** The largest binary unit that divides `bytes`. */
export function formatSize(bytes: number): string {
  return formatQuantity(
    bytes,
    [...SIZE_UNITS].filter(([unit]) => unit === "B" || unit.includes("i")),
  );
}

/** The largest unit that divides `milliseconds`. */
export function formatDuration(milliseconds: number): string {
  return formatQuantity(milliseconds, [...DURATION_UNITS]);
}

function parseQuantity(
  text: string,
  units: ReadonlyMap<string, number>,
  bareUnit: string | undefined,
): number | undefined {
  const parts = text.length > LENGTH_MAX ? null : /^(\d+(?:\.\d+)?) ?([A-Za-z]*)$/.exec(text);
  if (parts === null) return undefined;
  const [, number = "", unit = ""] = parts;
  const factor = units.get(unit === "" && bareUnit !== undefined ? bareUnit : unit);
  const value = factor === undefined ? Number.NaN : Number(number) * factor;
  return Number.isSafeInteger(value) ? value : undefined;
}

function formatQuantity(value: number, units: readonly (readonly [string, number])[]): string {
  const fitting = units.filter(([, factor]) => value >= factor && value % factor === 0);
  const [unit, factor] = fitting.at(-1) ?? units[0] ?? ["", 1];
  return `${value / factor} ${unit}`;
}
