import { readAttributes } from "../model/attributes.ts";
import type { MessageView } from "../model/message.ts";
import type { StoredMessage } from "../model/queue-administration.ts";

/** Everything copied, for people and for JSON: frames are not to be kept. */
export function storedMessage(message: MessageView, offset: number): StoredMessage {
  const { bytes } = message;
  return {
    offset,
    topic: message.topic,
    publisher: message.principal,
    time: message.publishedAt,
    qos: message.qos,
    retain: message.retain,
    attributes: message.hasAttributes ? readAttributes(message) : {},
    headers: Buffer.from(bytes.subarray(message.headerStart, message.headerEnd)),
    payload: Buffer.from(bytes.subarray(message.payloadStart, message.payloadEnd)),
  };
}
