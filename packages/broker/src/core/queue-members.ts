/** Which records are messages of a declared subscription. */
import { readAttribute } from "../model/attributes.ts";
import type { JournalFrame } from "../model/journal.ts";
import type { MessageView } from "../model/message.ts";
import { isDeliverable, RecordKind } from "../model/record.ts";
import { priorityDefault } from "../model/settings.ts";
import { patternMatches } from "../model/topic-pattern.ts";
import type { Era, Lane, Queue } from "./queue.ts";
import { isWanted, priorityOf } from "./queue-appending.ts";
import type { State } from "./state.ts";
import type { Topic } from "./topic.ts";

/** By its kind. A backlog holds numbers of other records too. */
export function mayBeMember(queue: Queue, frame: JournalFrame, index: number): boolean {
  const kind = frame.kinds[index] as number;
  if (kind === RecordKind.messageDirected)
    return frame.bytes.readUInt32LE(frame.starts[index] as number) === queue.number;
  return isDeliverable(kind) || kind === RecordKind.messageQueued;
}

export interface MemberPlace {
  readonly queue: Queue;
  readonly lane: Lane;
  readonly frame: JournalFrame;
  readonly seq: number;
}

/** In history, and where the backlog coarsened, messages of others lie in between. */
export function isOthers(
  state: State,
  { queue, lane, frame, seq }: MemberPlace,
  topic: Topic,
  message: MessageView,
): boolean {
  const isHistory = seq <= queue.historyThrough;
  if (!isHistory && !lane.backlog.isScan(seq)) return false;
  if (lane.priority !== lanePriority(queue, seq, message)) return true;
  if (frame.kinds[seq - frame.firstSeq] === RecordKind.messageDirected) return false;
  // Its own dead letters lie there too.
  if (topic.reserved) return true;
  const era = queue.eraOf(seq);
  const isMatch = era === undefined ? topic.matches(queue) : matchedThen(era, topic.name);
  return !isMatch || !isWanted(state, (era ?? queue.rules).where, message);
}

function matchedThen(era: Era, topic: string): boolean {
  return era.filters.some((filter) => patternMatches(filter.split("/"), topic));
}

/** Of the lane that the message waits in. */
function lanePriority(queue: Queue, seq: number, message: MessageView): number {
  return (queue.eraOf(seq) ?? queue.rules).priorities ? priorityOf(message) : priorityDefault;
}

/** The ordering key of a message. */
export function keyOf(message: MessageView): string | undefined {
  return message.hasAttributes ? readAttribute(message, "key") : undefined;
}
