/** What the wire itself demands of a topic name. Length, levels, `$` trees and filters are the broker's matter. */
import { isUtf8 } from "../utf8.ts";

export const TopicNameCheck = { OK: 0, NOT_UTF8: 1, WILDCARD: 2 } as const;
export type TopicNameCheck = (typeof TopicNameCheck)[keyof typeof TopicNameCheck];

const PLUS = 0x2b;
const HASH = 0x23;

/** Checks the bytes of a topic name: strict UTF-8 [MQTT-1.5.4-1, -2] and no wildcard [MQTT-3.3.2-2]. */
export function checkTopicName(bytes: Uint8Array, start: number, end: number): TopicNameCheck {
  let wildcard = false;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte === 0) return TopicNameCheck.NOT_UTF8;
    if (byte === PLUS || byte === HASH) wildcard = true;
    // Wildcards are ASCII and never part of a longer sequence, so the rest can be looked at for each by itself.
    if (byte >= 0x80) {
      if (!isUtf8(bytes, at, end)) return TopicNameCheck.NOT_UTF8;
      return wildcard || hasWildcard(bytes, at, end) ? TopicNameCheck.WILDCARD : TopicNameCheck.OK;
    }
  }
  return wildcard ? TopicNameCheck.WILDCARD : TopicNameCheck.OK;
}

function hasWildcard(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte === PLUS || byte === HASH) return true;
  }
  return false;
}
