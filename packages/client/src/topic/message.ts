import type { Properties, QoS } from "@mess/wire";
import { userProperty } from "../connection/user-property.ts";
import { type MessageTrace, traceOf } from "../trace.ts";

/** A message as its reader gets it. */
export interface Message<Value = unknown, Params = Readonly<Record<string, string>>> {
  readonly topic: string;
  /** Levels of the topic that the template names. */
  readonly params: Params;
  /** Decoded, and what the schema made of it. */
  readonly value: Value;
  /** As it came; the reader's own. */
  readonly payload: Uint8Array;
  /** Place in the journal's order. Undefined at QoS 0 and with other brokers. */
  readonly offset: number | undefined;
  /** When the broker took it. */
  readonly time: Date | undefined;
  /** Principal that published it. */
  readonly publisher: string | undefined;
  readonly key: string | undefined;
  /** User properties; of a repeated name the last. A dead letter has `mess-dead-reason` and `mess-origin-topic` among them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly contentType: string | undefined;
  /** A last value that was there before the subscription. */
  readonly retained: boolean;
  /** The broker may have sent it before. */
  readonly redelivered: boolean;
  /** Trace context of its publisher. */
  readonly trace: MessageTrace | undefined;
}

/** What a message is made of, whichever way it came. */
export interface RawMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly duplicate: boolean;
  readonly properties: Properties;
}

export function messageOf<Value, Params>(raw: RawMessage, value: Value, params: Params): Message<Value, Params> {
  const { properties } = raw;
  const offset = userProperty(properties, "mess-offset");
  const time = userProperty(properties, "mess-time");
  return {
    topic: raw.topic,
    params,
    value,
    payload: raw.payload,
    offset: offset === undefined ? undefined : Number(offset),
    time: time === undefined ? undefined : new Date(time),
    publisher: userProperty(properties, "mess-publisher"),
    key: userProperty(properties, "mess-key"),
    headers: headersOf(properties),
    contentType: properties.contentType,
    retained: raw.retain,
    redelivered: raw.duplicate,
    trace: traceOf(properties.userProperties),
  };
}

/** What a message has as fields of its own. */
const told = /^mess-(offset|time|publisher|key|attempt|subscription)$/;

function headersOf({ userProperties = [] }: Properties): Record<string, string> {
  // From entries, so that a header named __proto__ is a header.
  return Object.fromEntries(userProperties.filter(([name]) => !told.test(name)));
}
