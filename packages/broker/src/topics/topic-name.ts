import { hasForbiddenCharacter } from "../model/topic-pattern.ts";

/** The part of `config/limits.ts` that names and filters are held to. */
export interface TopicLimits {
  /** UTF-8. */
  readonly topicBytesMax: number;
  readonly topicLevelsMax: number;
}

export interface TopicProblem {
  readonly kind: "empty" | "wildcard" | "character" | "too-long" | "too-deep";
  /** A sentence part for people: what is wrong and what holds instead. */
  readonly reason: string;
}

/**
 * Why `text` is no topic name that can be published to (MQTT 5.0 4.7.1, 4.7.3), or `undefined` when it is one.
 * Names that begin with `$` are well-formed; ask `isReserved` too.
 */
export function checkTopicName(text: string, limits: TopicLimits): TopicProblem | undefined {
  if (text.length === 0) return { kind: "empty", reason: "a topic name has at least one character" };
  // UTF-16 units first: they bound the work below, and there are never more of them than bytes.
  if (text.length > limits.topicBytesMax || Buffer.byteLength(text) > limits.topicBytesMax) {
    return { kind: "too-long", reason: `a topic name has at most ${limits.topicBytesMax} bytes` };
  }
  if (text.includes("+") || text.includes("#")) {
    return { kind: "wildcard", reason: "a topic name holds no `+` or `#`; those are for filters" };
  }
  if (hasForbiddenCharacter(text)) {
    return {
      kind: "character",
      reason: "a topic name holds no control characters or noncharacters and is well-formed Unicode",
    };
  }
  if (levelCount(text) > limits.topicLevelsMax) {
    return { kind: "too-deep", reason: `a topic name has at most ${limits.topicLevelsMax} levels` };
  }
  return undefined;
}

/** True for names and filters under `$`: the broker's own, never free for clients (THREATS A5). */
export function isReserved(text: string): boolean {
  return text.startsWith("$");
}

function levelCount(text: string): number {
  let count = 1;
  for (let at = text.indexOf("/"); at >= 0; at = text.indexOf("/", at + 1)) count += 1;
  return count;
}
