/** What a subscriber says to the broker: where to begin, how it acknowledges, how much it takes at a time. */
import type { Limits } from "../../../config/limits.ts";
import type { SubscribeRequest } from "../../../model/engine.ts";
import { type Position, queuePrefix } from "../../../model/settings.ts";
import { parseTime } from "../../message-times.ts";
import { isRefused, type Refused, reservedProperties, type UserProperties, wrongValue } from "./mess-properties.ts";

type SubscribeLimits = Pick<Limits, "leasesPerConsumerMax" | "leaseBytesPerConsumerMax">;

export type SubscribeWish = Pick<SubscribeRequest, "from" | "explicit" | "credit">;

export function readSubscribeProperties(
  properties: UserProperties,
  limits: SubscribeLimits,
): { readonly wish: SubscribeWish } | Refused {
  const given = reservedProperties(properties, "SUBSCRIBE");
  if (isRefused(given)) return given;
  const from = given.get("mess-from");
  const position = from === undefined ? undefined : positionOf(from);
  if (from !== undefined && position === undefined) {
    return wrongValue("mess-from", "earliest, latest, an offset, or an RFC 3339 time such as 2030-01-31T12:00:00Z");
  }
  const ack = given.get("mess-ack");
  if (ack !== undefined && ack !== "explicit") return wrongValue("mess-ack", '"explicit", or not be there');
  const messages = countOf(given, "mess-credit", limits.leasesPerConsumerMax);
  if (messages !== undefined && isRefused(messages)) return messages;
  const bytes = countOf(given, "mess-credit-bytes", limits.leaseBytesPerConsumerMax);
  if (bytes !== undefined && isRefused(bytes)) return bytes;
  const credit = {
    ...(messages !== undefined && { messages: messages.value }),
    ...(bytes !== undefined && { bytes: bytes.value }),
  };
  return {
    wish: {
      ...(position !== undefined && { from: position }),
      ...(ack !== undefined && { explicit: true }),
      ...((messages ?? bytes) !== undefined && { credit }),
    },
  };
}

/** Why what was asked for cannot be had with this filter; undefined when it can. */
export function misplaced(filter: string, wish: SubscribeWish): string | undefined {
  const isQueue = filter.startsWith(queuePrefix);
  if (wish.from !== undefined && (isQueue || filter.startsWith("$share/"))) {
    return '"mess-from" is for subscriptions of one client: this one has a position that all its consumers share';
  }
  if (isQueue || (wish.explicit === undefined && wish.credit === undefined)) return undefined;
  const name = wish.explicit === undefined ? "mess-credit" : "mess-ack";
  return `"${name}" is for declared subscriptions, read as ${queuePrefix}NAME/#`;
}

function positionOf(text: string): Position | undefined {
  if (text === "earliest" || text === "latest") return text;
  if (/^\d{1,16}$/.test(text)) {
    const offset = Number(text);
    return Number.isSafeInteger(offset) && offset >= 1 ? { offset } : undefined;
  }
  const at = parseTime(text);
  return at === undefined ? undefined : { at };
}

function countOf(
  given: ReadonlyMap<string, string>,
  name: string,
  max: number,
): { readonly value: number } | Refused | undefined {
  const text = given.get(name);
  if (text === undefined) return undefined;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : 0;
  return value >= 1 && value <= max ? { value } : wrongValue(name, `a whole number from 1 to ${max}`);
}
