/** Reads one setting each: its value, or `undefined` with a problem that names what is valid. An absent one is `undefined`. */

import { formatDuration, formatSize, parseDuration, parseSize } from "../model/quantity.ts";
import type { DeclarationLimits } from "../model/setting-bounds.ts";
import { hasForbiddenCharacter, patternProblem } from "../model/topic-pattern.ts";
import type { PolicyProblems } from "./policy-problems.ts";
import { principalNameProblem } from "./principal-name.ts";

/** Where a setting stands, and where what is wrong with it goes. */
export interface SettingPlace {
  readonly path: string;
  readonly problems: PolicyProblems;
}

export type Range = readonly [least: number, most: number];

/** Milliseconds: `"30s"`, or a whole number of them. */
export function readDuration(value: unknown, range: Range, place: SettingPlace): number | undefined {
  if (value === undefined) return undefined;
  const milliseconds = typeof value === "string" ? parseDuration(value) : value;
  const noun = 'a duration such as "30s" or "5m", or a whole number of milliseconds';
  return within(milliseconds, range, { place, noun, format: formatDuration });
}

/** Bytes: `"256KiB"`, or a whole number of them. */
export function readSize(value: unknown, range: Range, place: SettingPlace): number | undefined {
  if (value === undefined) return undefined;
  const bytes = typeof value === "string" ? parseSize(value) : value;
  return within(bytes, range, {
    place,
    noun: 'a size such as "256KiB", or a whole number of bytes',
    format: formatSize,
  });
}

export function readCount(value: unknown, range: Range, place: SettingPlace): number | undefined {
  if (value === undefined) return undefined;
  return within(value, range, { place, noun: "a whole number", format: String });
}

interface Wanted {
  readonly place: SettingPlace;
  readonly noun: string;
  format(value: number): string;
}

function within(value: unknown, [least, most]: Range, { place, noun, format }: Wanted): number | undefined {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= least && value <= most) return value;
  const isNumber = typeof value === "number" && Number.isSafeInteger(value);
  const range = `from ${format(least)} to ${format(most)}`;
  place.problems.add(place.path, isNumber ? `is out of range; it goes ${range}` : `is ${noun}, ${range}`);
  return undefined;
}

export function readChoice<T extends string>(
  value: unknown,
  choices: readonly T[],
  place: SettingPlace,
): T | undefined {
  if (value === undefined) return undefined;
  const found = choices.find((choice) => choice === value);
  if (found === undefined) {
    place.problems.add(place.path, `is one of ${choices.map((choice) => JSON.stringify(choice)).join(", ")}`);
  }
  return found;
}

export function readFlag(value: unknown, place: SettingPlace): boolean | undefined {
  if (value === undefined || typeof value === "boolean") return value;
  place.problems.add(place.path, "is true or false, without quotes");
  return undefined;
}

export function readPrincipal(value: unknown, place: SettingPlace): string | undefined {
  if (value === undefined) return undefined;
  const problem = typeof value === "string" ? principalNameProblem(value) : "is the name of a principal, in quotes";
  if (problem === undefined) return value as string;
  place.problems.add(place.path, problem);
  return undefined;
}

/** A filter that can be declared. */
export function readDeclaredFilter(value: unknown, limits: DeclarationLimits, place: SettingPlace): string | undefined {
  if (typeof value !== "string") {
    place.problems.add(place.path, "is a topic filter, in quotes");
    return undefined;
  }
  const problem = declaredFilterProblem(value, limits);
  if (problem === undefined) return value;
  place.problems.add(place.path, problem);
  return undefined;
}

/** Why nothing can be declared under this filter, or `undefined`. */
export function declaredFilterProblem(filter: string, limits: DeclarationLimits): string | undefined {
  const problem = patternProblem(filter, { bytesMax: limits.topicBytesMax, levelsMax: limits.topicLevelsMax });
  if (problem !== undefined) return problem;
  return filter.startsWith("$") ? "names beginning with `$` are the broker's; nothing is declared there" : undefined;
}

/** Why the text cannot be (in) a user property, or `undefined`. */
export function propertyTextProblem(text: string, bytesMax: number): string | undefined {
  if (text.length > bytesMax || Buffer.byteLength(text) > bytesMax) return `has at most ${bytesMax} bytes`;
  return hasForbiddenCharacter(text) ? "holds no control characters and is well-formed Unicode" : undefined;
}
