import { patternProblem } from "../model/topic-pattern.ts";
import type { TopicLimits } from "./topic-name.ts";

// The algebra is in `model` because rights need it too; here are the names a reader of the topic grammar looks for.
export {
  patternCovers as covers,
  patternMatches as matches,
  patternsOverlap as overlaps,
} from "../model/topic-pattern.ts";

const SHARE = "$share";

/** A filter that was checked: what it was parsed from can be trusted from here on. */
export interface ParsedFilter {
  /** As the client wrote it: the identity of the subscription ($share/g/t and t are two). */
  readonly text: string;
  /** Without `$share/NAME/`. */
  readonly filter: string;
  readonly shareName: string | undefined;
  /** True when `filter` has `+` or `#`. */
  readonly wildcard: boolean;
  /** Of `filter`. */
  readonly levels: readonly string[];
}

export interface FilterProblem {
  /** A sentence part for people: what is wrong and what holds instead. */
  readonly reason: string;
}

export function isFilterProblem(parsed: ParsedFilter | FilterProblem): parsed is FilterProblem {
  return "reason" in parsed;
}

/**
 * Parses a topic filter or a shared subscription (MQTT 5.0 4.7.1, 4.7.3, 4.8.2). Limits hold for the filter and, by
 * itself, for the share name. Filters under other `$` names are well-formed; ask `isReserved(parsed.filter)` too.
 */
export function parseFilter(text: string, limits: TopicLimits): ParsedFilter | FilterProblem {
  if (text !== SHARE && !text.startsWith(`${SHARE}/`)) return parsePlain(text, text, undefined, limits);
  const nameStart = SHARE.length + 1;
  const nameEnd = text.indexOf("/", nameStart);
  // MQTT-4.8.2-1, -2: a name, then "/", then a filter.
  if (nameEnd < 0) return { reason: "a shared subscription is `$share/NAME/FILTER`; there is no filter" };
  const name = text.slice(nameStart, nameEnd);
  const problem = shareNameProblem(name, limits);
  if (problem !== undefined) return { reason: problem };
  const filter = text.slice(nameEnd + 1);
  if (filter.length === 0) return { reason: "a shared subscription is `$share/NAME/FILTER`; the filter is empty" };
  if (filter === SHARE || filter.startsWith(`${SHARE}/`)) {
    return { reason: "a shared subscription is not shared again: one `$share/NAME/` is enough" };
  }
  return parsePlain(text, filter, name, limits);
}

function parsePlain(
  text: string,
  filter: string,
  shareName: string | undefined,
  limits: TopicLimits,
): ParsedFilter | FilterProblem {
  const reason = patternProblem(filter, { bytesMax: limits.topicBytesMax, levelsMax: limits.topicLevelsMax });
  if (reason !== undefined) return { reason };
  const levels = filter.split("/");
  const wildcard = levels.at(-1) === "#" || levels.includes("+");
  return { text, filter, shareName, wildcard, levels };
}

/** The name is a level without wildcards [MQTT-4.8.2-2], so what holds for a one-level filter holds for it too. */
function shareNameProblem(name: string, limits: TopicLimits): string | undefined {
  if (name.length === 0) return "a shared subscription is `$share/NAME/FILTER`; the name is empty";
  if (name.includes("+") || name.includes("#")) return "the name in `$share/NAME/FILTER` holds no `+` or `#`";
  const problem = patternProblem(name, { bytesMax: limits.topicBytesMax, levelsMax: 1 });
  return problem === undefined ? undefined : `the name in \`$share/NAME/FILTER\`: ${problem}`;
}
