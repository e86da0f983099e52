import { MessError } from "../mess-error.ts";

const encoder = new TextEncoder();

/** What a topic name may not be [MQTT-3.3.2-2, MQTT-4.7.3-1, -2, -3], told before anything is sent. */
export function checkTopic(topic: string): MessError | undefined {
  if (topic === "") return new MessError("INVALID_ARGUMENT", "the topic is empty");
  if (/[+#]/u.test(topic)) {
    return new MessError("INVALID_ARGUMENT", `the topic "${topic}" holds a wildcard`, {
      hint: "publish to one topic name",
    });
  }
  if (topic.includes("\0") || /\p{Surrogate}/u.test(topic)) {
    return new MessError("INVALID_ARGUMENT", "the topic holds U+0000 or half a surrogate pair");
  }
  // Four bytes a character at most: short topics, the usual ones, are not encoded to be measured.
  if (topic.length > 16_383 && encoder.encode(topic).length > 65_535) {
    return new MessError("INVALID_ARGUMENT", "the topic is longer than 65,535 bytes");
  }
  return undefined;
}

export function payloadBytes(payload: Uint8Array | string): Uint8Array {
  return typeof payload === "string" ? encoder.encode(payload) : payload;
}
