/** What happened, as the clients saw it: the ground on which every check stands. Times are simulated microseconds. */
import { SeededRandom } from "../../packages/broker/src/host/simulated-random.ts";
import type { QoS } from "../../packages/wire/src/mqtt/packet.ts";

export const NEVER: number = Number.POSITIVE_INFINITY;

export interface MessageFact {
  readonly index: number;
  readonly publisher: number;
  readonly topic: string;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly will: boolean;
  readonly size: number;
  /** First time its bytes left the publisher. */
  sentAt: number;
  /** How often they left. */
  attempts: number;
  /** `acked`: the broker promised it. `refused`: the broker said no, or a will became void. */
  outcome: "unknown" | "acked" | "refused";
  settledAt: number;
  /** From here on a retained message may not be handed to a new subscription. */
  supersededAt: number;
}

export interface SubscriptionFact {
  readonly filter: string;
  /** The filter without `$share/group/`. */
  readonly plain: string;
  readonly group: string | undefined;
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly askedAt: number;
  /** How many SUBSCRIBE named it; each may bring the retained messages again. */
  asks: number;
  grantedAt: number;
  removalAskedAt: number;
  removedAt: number;
}

export interface DeliveryFact {
  readonly message: MessageFact;
  readonly at: number;
  readonly qos: QoS;
  readonly dup: boolean;
  readonly retain: boolean;
  readonly connection: number;
  /** When the broker had the final ack of this delivery in its hands. */
  ackArrivedAt: number;
}

export interface SessionFact {
  readonly client: number;
  /** Seconds after the connection; 0 ends with it. */
  expiry: number;
  readonly startedAt: number;
  /** The client asked for its end, or its connection of expiry 0 ended, or it may have expired. */
  endAskedAt: number;
  /** It is gone for sure. */
  endedAt: number;
  readonly subscriptions: SubscriptionFact[];
  readonly deliveries: DeliveryFact[];
  /** The same by index of the message. */
  readonly byMessage: Map<number, DeliveryFact[]>;
  /** Which subscriptions match a topic; forgotten with every new subscription. */
  readonly matching: Map<string, readonly SubscriptionFact[]>;
  /** By publisher, topic and QoS: the highest index that was delivered. */
  readonly highest: Map<string, number>;
  /** Indexes that were delivered, other than as retained messages. */
  readonly seen: Set<number>;
}

/** The rule that was broken; a shrunk run must break the same one. */
export type Rule =
  | "acked message lost"
  | "unexpected message"
  | "refused message delivered"
  | "order"
  | "exactly once"
  | "too many copies"
  | "acked delivery came back"
  | "retained"
  | "session present"
  | "protocol"
  | "liveness"
  | "start"
  | "host contract"
  | "exception";

export class Violation extends Error {
  readonly rule: Rule;
  constructor(rule: Rule, text: string) {
    super(`${rule}: ${text}`);
    this.name = "Violation";
    this.rule = rule;
  }
}

const payloads = new Map<number, Buffer>();

/** `m<index> ` and then bytes that only this index and size give. An empty payload (size 0) clears a retained message. */
export function payloadOf(index: number, size: number): Buffer {
  if (size === 0) return Buffer.alloc(0);
  const head = Buffer.from(`m${index} `);
  if (size <= head.length) return head;
  const key = index * 65_536 + size;
  let payload = payloads.get(key);
  if (payload === undefined) {
    payload = Buffer.concat([head, new SeededRandom(index).bytes(size - head.length)]);
    if (payloads.size > 4_096) payloads.clear();
    payloads.set(key, payload);
  }
  return payload;
}

/** The index in a payload made by `payloadOf`, or -1. */
export function indexOf(payload: Uint8Array): number {
  const found = /^m(\d+) /.exec(Buffer.from(payload.subarray(0, 16)).toString("latin1"));
  return found === null ? -1 : Number(found[1]);
}

/** Topic against filter, written again and apart from the broker's: the oracle must not share its mistakes. */
export function matches(filter: string, topic: string): boolean {
  const wanted = filter.split("/");
  const given = topic.split("/");
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === "#") return true;
    if (i >= given.length) return false;
    if (wanted[i] !== "+" && wanted[i] !== given[i]) return false;
  }
  return wanted.length === given.length;
}

export function parseFilter(filter: string): { plain: string; group: string | undefined } {
  const parts = filter.split("/");
  if (parts[0] !== "$share") return { plain: filter, group: undefined };
  return { plain: parts.slice(2).join("/"), group: parts[1] };
}
