import { isDeliverable, RecordKind } from "../model/record.ts";

/** Records that stand for a message of a topic: what every reader gets, and what declared subscriptions alone keep. */
export function isShown(kind: number): boolean {
  return isDeliverable(kind) || kind === RecordKind.messageQueued;
}
