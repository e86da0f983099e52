/**
 * The algebra of topic filters, shared by the topic tree, subscriptions and grants: does a pattern match a topic,
 * does one pattern cover another, do two overlap. A pattern is a valid topic filter, as text or split at `/`.
 * Levels are compared as strings: no regular expression is built from a name, ever (LESSONS 36).
 *
 * MQTT 5.0 4.7.1.2: `a/#` matches `a` too. 4.7.2: a pattern that begins with a wildcard matches no topic that
 * begins with `$`. The algebra also counts the empty name, which no topic may have: it keeps the rules uniform.
 */

export type TopicPattern = string | readonly string[];

const LEVEL_SEPARATOR = "/";
const ONE_LEVEL = "+";
const ALL_LEVELS = "#";

export function patternLevels(pattern: TopicPattern): readonly string[] {
  return typeof pattern === "string" ? pattern.split(LEVEL_SEPARATOR) : pattern;
}

/** True when the topic name `topic` is matched. Wildcard characters in `topic` stand for themselves. */
export function patternMatches(pattern: TopicPattern, topic: string): boolean {
  const levels = patternLevels(pattern);
  const first = levels[0];
  if ((first === ONE_LEVEL || first === ALL_LEVELS) && topic.startsWith("$")) return false;
  let from = 0;
  for (const level of levels) {
    if (level === ALL_LEVELS) return true;
    if (from > topic.length) return false;
    const slash = topic.indexOf(LEVEL_SEPARATOR, from);
    const end = slash === -1 ? topic.length : slash;
    if (level !== ONE_LEVEL && !(level.length === end - from && topic.startsWith(level, from))) return false;
    from = end + 1;
  }
  return from > topic.length;
}

/**
 * True when every topic that `wanted` matches is matched by `allow`. Exact for two patterns: names are unbounded, so
 * no literal covers `+`.
 */
export function patternCovers(allow: TopicPattern, wanted: TopicPattern): boolean {
  const wide = withFirstLevel(allow);
  const narrow = withFirstLevel(wanted);
  for (let index = 0; ; index++) {
    const wideLevel = wide[index];
    const narrowLevel = narrow[index];
    if (wideLevel === ALL_LEVELS) return true;
    if (wideLevel === undefined) return narrowLevel === undefined;
    // What remains of `wanted` can be empty (`a/#` matches `a`), what remains of `allow` cannot.
    if (narrowLevel === undefined || narrowLevel === ALL_LEVELS) return false;
    if (!levelCovers(wideLevel, narrowLevel, index === 0)) return false;
  }
}

/** True when at least one topic is matched by both. */
export function patternsOverlap(a: TopicPattern, b: TopicPattern): boolean {
  const left = withFirstLevel(a);
  const right = withFirstLevel(b);
  for (let index = 0; ; index++) {
    const leftLevel = left[index];
    const rightLevel = right[index];
    if (leftLevel === ALL_LEVELS || rightLevel === ALL_LEVELS) return true;
    if (leftLevel === undefined || rightLevel === undefined) return leftLevel === rightLevel;
    const first = index === 0;
    if (!levelCovers(leftLevel, rightLevel, first) && !levelCovers(rightLevel, leftLevel, first)) return false;
  }
}

function levelCovers(wide: string, narrow: string, first: boolean): boolean {
  if (wide !== ONE_LEVEL) return wide === narrow;
  return !(first && narrow.startsWith("$"));
}

/** Every topic has a first level, so `#` and `+/#` are the same pattern; the longer form needs no special case. */
function withFirstLevel(pattern: TopicPattern): readonly string[] {
  const levels = patternLevels(pattern);
  return levels[0] === ALL_LEVELS ? [ONE_LEVEL, ALL_LEVELS] : levels;
}

/** Bounds a pattern is held to; UTF-8 bytes and levels. */
export interface PatternBounds {
  readonly bytesMax: number;
  readonly levelsMax: number;
}

/** Why `pattern` is no valid topic filter (MQTT 5.0 4.7.1, 4.7.3), or `undefined` when it is one. */
export function patternProblem(pattern: string, bounds: PatternBounds): string | undefined {
  if (pattern.length === 0) return "a topic filter has at least one character";
  // Length in UTF-16 units first: it bounds the work below.
  if (pattern.length > bounds.bytesMax || Buffer.byteLength(pattern) > bounds.bytesMax) {
    return `a topic filter has at most ${bounds.bytesMax} bytes`;
  }
  if (hasForbiddenCharacter(pattern))
    return "a topic filter holds no control characters or noncharacters and is well-formed Unicode";
  const levels = patternLevels(pattern);
  if (levels.length > bounds.levelsMax) return `a topic filter has at most ${bounds.levelsMax} levels`;
  for (const [index, level] of levels.entries()) {
    if (level.includes(ALL_LEVELS) && (level !== ALL_LEVELS || index !== levels.length - 1)) {
      return "`#` stands alone, as the last level";
    }
    if (level.includes(ONE_LEVEL) && level !== ONE_LEVEL) return "`+` stands alone in its level";
  }
  return undefined;
}

/** One fixed expression, no part of which is ever taken from a name (LESSONS 36); a loop costs four times as much. */
const FORBIDDEN = /[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u;

/**
 * Control characters (U+0000 to U+001F, U+007F to U+009F), lone surrogates and Unicode's noncharacters (U+FDD0 to
 * U+FDEF, the last two of each plane). MQTT 5.0 1.5.4 forbids U+0000 and the surrogates and lets a server refuse the
 * rest: some clients drop their connection over a message with one in its topic (LESSONS 4).
 */
export function hasForbiddenCharacter(text: string): boolean {
  return FORBIDDEN.test(text);
}
