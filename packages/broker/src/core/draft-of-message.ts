import type { MessageDraft, MessageView } from "../model/message.ts";
import { withoutAttributes } from "../model/message.ts";

/** The message as a draft, its bytes where they lie and its attributes left out. */
export function fillDraft(draft: MessageDraft, message: MessageView): void {
  const { bytes } = message;
  draft.qos = message.qos;
  draft.retain = message.retain;
  draft.expirySeconds = message.expirySeconds;
  draft.topicBytes = bytes;
  draft.topicStart = message.topicStart;
  draft.topicEnd = message.topicEnd;
  draft.headerBytes = bytes;
  draft.headerStart = message.headerStart;
  draft.headerEnd = message.headerEnd;
  draft.payloadBytes = bytes;
  draft.payloadStart = message.payloadStart;
  draft.payloadEnd = message.payloadEnd;
  draft.attributes = withoutAttributes;
}
