/** What a publisher says to the broker about its message: id, ordering key, priority, when it is to be delivered. */
import type { Limits } from "../../../config/limits.ts";
import type { MessageAttributes } from "../../../model/attributes.ts";
import { priorityMax } from "../../../model/settings.ts";
import { parseDelay, parseTime } from "../../message-times.ts";
import {
  isRefused,
  type PropertyPlace,
  type Refused,
  reservedProperties,
  type UserProperties,
  wrongValue,
} from "./mess-properties.ts";

type PublishLimits = Pick<Limits, "messageIdBytesMax" | "messageKeyBytesMax" | "delayMsMax">;

export interface ReadPublish {
  readonly attributes: MessageAttributes;
  /** As it came. */
  readonly signature: string | undefined;
}

/** @param now wall-clock milliseconds: what delays count from. A time that is past is left out. */
export function readPublishProperties(
  properties: UserProperties,
  limits: PublishLimits,
  now: number,
  place: PropertyPlace = "PUBLISH",
): ReadPublish | Refused {
  const given = reservedProperties(properties, place);
  if (isRefused(given)) return given;
  const id = textOf(given, "mess-id", limits.messageIdBytesMax);
  if (isRefused(id)) return id;
  const key = textOf(given, "mess-key", limits.messageKeyBytesMax);
  if (isRefused(key)) return key;
  const priority = priorityOf(given);
  if (isRefused(priority)) return priority;
  const deliverAt = deliveryOf(given, limits.delayMsMax, now);
  if (isRefused(deliverAt)) return deliverAt;
  return {
    signature: given.get("mess-signature"),
    attributes: {
      ...(key.value !== undefined && { key: key.value }),
      ...(id.value !== undefined && { id: id.value }),
      ...(priority.value !== undefined && { priority: priority.value }),
      ...(deliverAt.value !== undefined && deliverAt.value > now && { deliverAt: deliverAt.value }),
    },
  };
}

interface Read<T> {
  readonly value: T | undefined;
}

const absent: Read<never> = { value: undefined };

function textOf(given: ReadonlyMap<string, string>, name: string, bytesMax: number): Read<string> | Refused {
  const value = given.get(name);
  if (value === undefined) return absent;
  const bytes = Buffer.byteLength(value);
  return bytes >= 1 && bytes <= bytesMax ? { value } : wrongValue(name, `of 1 to ${bytesMax} bytes of UTF-8`);
}

function priorityOf(given: ReadonlyMap<string, string>): Read<number> | Refused {
  const text = given.get("mess-priority");
  if (text === undefined) return absent;
  const value = /^\d$/.test(text) ? Number(text) : Number.NaN;
  return value <= priorityMax
    ? { value }
    : wrongValue("mess-priority", `a digit from 0 (last) to ${priorityMax} (first)`);
}

function deliveryOf(given: ReadonlyMap<string, string>, delayMsMax: number, now: number): Read<number> | Refused {
  const delay = given.get("mess-delay");
  const at = given.get("mess-at");
  if (delay !== undefined && at !== undefined) {
    return { refusal: 'the user properties "mess-delay" and "mess-at" cannot come together' };
  }
  if (delay !== undefined) {
    const milliseconds = delayOf(delay, delayMsMax);
    return isRefused(milliseconds) ? milliseconds : { value: now + milliseconds.value };
  }
  if (at === undefined) return absent;
  const time = parseTime(at);
  if (time === undefined) return wrongValue("mess-at", "an RFC 3339 time such as 2030-01-31T12:00:00Z");
  return time - now <= delayMsMax ? { value: time } : wrongValue("mess-at", `at most ${delayMsMax} ms ahead`);
}

/** Milliseconds of a `mess-delay`. */
export function delayOf(text: string, delayMsMax: number): { readonly value: number } | Refused {
  const value = parseDelay(text);
  if (value === undefined) {
    return wrongValue("mess-delay", "an ISO 8601 duration such as PT5S, or a number of milliseconds");
  }
  return value <= delayMsMax ? { value } : wrongValue("mess-delay", `at most ${delayMsMax} ms`);
}
