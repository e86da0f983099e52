/** Which records are messages of a declared subscription. */
import { readAttribute } from "../model/attributes.ts";
import type { JournalFrame } from "../model/journal.ts";
import type { MessageView } from "../model/message.ts";
import { isDeliverable, RecordKind } from "../model/record.ts";
import type { Queue } from "./queue.ts";
import { isWanted } from "./queue-appending.ts";
import type { State } from "./state.ts";
import type { Topic } from "./topic.ts";

/** By its kind. A backlog holds numbers of other records too. */
export function mayBeMember(queue: Queue, frame: JournalFrame, index: number): boolean {
  const kind = frame.kinds[index] as number;
  if (kind === RecordKind.messageDirected)
    return frame.bytes.readUInt32LE(frame.starts[index] as number) === queue.number;
  return isDeliverable(kind) || kind === RecordKind.messageQueued;
}

/** In history, and where the backlog coarsened, messages of others lie in between. */
export function isOthers(
  state: State,
  { queue, frame, seq }: { readonly queue: Queue; readonly frame: JournalFrame; readonly seq: number },
  topic: Topic,
  message: MessageView,
): boolean {
  if (frame.kinds[seq - frame.firstSeq] === RecordKind.messageDirected) return false;
  if (seq > queue.historyThrough && queue.laneOf(seq)?.backlog.isScan(seq) !== true) return false;
  return !topic.matches(queue) || !isWanted(state, queue.rules.where, message);
}

/** The ordering key of a message. */
export function keyOf(message: MessageView): string | undefined {
  return message.hasAttributes ? readAttribute(message, "key") : undefined;
}
