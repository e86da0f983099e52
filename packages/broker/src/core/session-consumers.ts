/** Sessions that read declared subscriptions: `$mess/queue/NAME/#`, and `$share/NAME/FILTER` where NAME is declared. */
import { Reason } from "../model/engine.ts";
import type { EndReason } from "../model/link.ts";
import type { Settlement } from "../model/queue.ts";
import { queuePrefix } from "../model/settings.ts";
import type { ParsedFilter } from "../topics/topic-filter.ts";
import type { Attaching } from "./attaching.ts";
import type { QueueConsuming } from "./queue-consuming.ts";
import type { QueueDelivering } from "./queue-delivering.ts";
import type { QueueSettling } from "./queue-settling.ts";
import type { Sending } from "./sending.ts";
import type { Session, SubscriptionEntry } from "./session.ts";
import { SessionConsumer } from "./session-consumer.ts";
import type { State } from "./state.ts";
import type { SubscribeAnswer, Subscribing } from "./subscribing.ts";

export interface SessionConsumersParts {
  readonly state: State;
  readonly sending: Sending;
  readonly consuming: QueueConsuming;
  readonly settling: QueueSettling;
  readonly delivering: QueueDelivering;
}

/** Credit of a client that states no Receive Maximum: a few consumers share the work also while little waits. */
const defaultCredit = 100;
const receiveMaximumDefault = 65_535;
const firstError = 0x80;
/** PUBACK with Payload format invalid: no use in trying again. */
const payloadFormatInvalid = 0x99;
const consumerNumberMax = 0x7fff_ffff;

export class SessionConsumers {
  readonly #parts: SessionConsumersParts;
  readonly #state: State;
  #attaching: Attaching | undefined;
  #subscribing: Subscribing | undefined;
  #lastNumber = 0;

  constructor(parts: SessionConsumersParts) {
    this.#parts = parts;
    this.#state = parts.state;
  }

  connect(attaching: Attaching, subscribing: Subscribing): void {
    this.#attaching = attaching;
    this.#subscribing = subscribing;
  }

  /** The name of the declared subscription that a filter reads, why it reads none, or undefined: it is an ordinary filter. */
  target(parsed: ParsedFilter): string | SubscribeAnswer | undefined {
    const { filter, shareName, levels } = parsed;
    if (shareName !== undefined) {
      const queue = this.#state.queues.get(shareName);
      if (queue === undefined) return undefined;
      if (queue.filters.includes(filter)) return shareName;
      const filters = queue.filters.map((one) => `"${one}"`).join(", ");
      const text = `"${shareName}" is a declared subscription; it reads ${filters}, and not "${filter}"`;
      return { code: Reason.topicFilterInvalid, text };
    }
    if (!filter.startsWith(queuePrefix)) return undefined;
    const name = levels[2] ?? "";
    if (levels.length === 4 && levels[3] === "#" && name !== "" && name !== "+") return name;
    return { code: Reason.topicFilterInvalid, text: `a declared subscription is read by \`${queuePrefix}NAME/#\`` };
  }

  /** The session consumes from now on, in the manner of `entry`; why not otherwise. It goes on where nothing changed. */
  join(session: Session, entry: SubscriptionEntry): SubscribeAnswer | undefined {
    const before = this.#of(session, entry.text);
    if (before !== undefined && isSameManner(before.entry, entry)) {
      before.entry = entry;
      return undefined;
    }
    const consumer = new SessionConsumer({
      number: this.#nextNumber(session),
      session,
      entry,
      sending: this.#parts.sending,
      sent: (lease) => this.#parts.settling.settle(lease, { verb: "ack" }),
      ended: (one, reason, text) => this.#ended(one, reason, text),
    });
    const { receiveMaximum } = session;
    const credit = receiveMaximum === receiveMaximumDefault ? defaultCredit : receiveMaximum;
    const attached = this.#parts.consuming.consume(consumer, {
      principal: session.principal,
      keyId: session.keyId,
      subscription: entry.queue ?? "",
      messages: entry.credit?.messages ?? credit,
      bytes: entry.credit?.bytes ?? this.#state.limits.leaseBytesPerConsumerMax,
      tokens: entry.explicit === true,
    });
    if ("reason" in attached) return { code: attached.reason, text: attached.text };
    if (before !== undefined) this.#retire(before);
    consumer.attached = attached;
    session.consumers ??= new Map();
    session.consumers.set(consumer.number, consumer);
    this.#sweep(session);
    return undefined;
  }

  /** Unsubscribed: nothing new, but what it has it may finish. */
  part(session: Session, text: string): void {
    const consumer = this.#of(session, text);
    if (consumer !== undefined) this.#retire(consumer);
    this.#sweep(session);
  }

  /** The session has a connection (again). What it may not read any more it is told of by the end of that connection. */
  attached(session: Session): void {
    for (const entry of [...session.subscriptions.values()]) {
      if (entry.queue === undefined) continue;
      const refused = this.join(session, entry);
      if (refused === undefined) continue;
      this.#subscribing?.unsubscribe(session, entry.text);
      this.#attaching?.kick(session, "not-authorized", refused.text);
      return;
    }
  }

  /** The connection is gone: leases are of it, and go back. */
  detached(session: Session): void {
    const { consumers } = session;
    if (consumers === undefined) return;
    session.consumers = undefined;
    session.inFlight.inOrder((packetId) => {
      if (session.inFlight.sourceOf(packetId) < 0) session.inFlight.release(packetId);
    });
    for (const { attached } of consumers.values())
      if (attached !== undefined) this.#parts.consuming.leave(attached, false);
  }

  /** The client takes more: deliver what waits. */
  pump(session: Session): void {
    for (const { attached } of [...(session.consumers?.values() ?? [])]) {
      if (attached !== undefined) this.#parts.consuming.resume(attached);
    }
  }

  /** PUBACK of a delivery that came from a declared subscription. */
  acknowledged(session: Session, packetId: number, reason: number, text: string): void {
    const { inFlight } = session;
    const consumer = session.consumers?.get(-inFlight.sourceOf(packetId));
    const seq = inFlight.seqOf(packetId);
    inFlight.release(packetId);
    if (consumer?.attached === undefined) return;
    const { attached, entry } = consumer;
    const lease = attached.queue.work?.leases.get(seq);
    // It may have expired meanwhile, and be somebody else's, or its own again.
    const isHeld = lease !== undefined && lease.holder === attached && lease.packetId === packetId;
    if (isHeld && entry.explicit !== true) this.#parts.settling.settle(lease, settlementOf(entry, reason, text));
    this.#sweep(session);
  }

  #ended(consumer: SessionConsumer, reason: EndReason, text: string): void {
    const { session, entry } = consumer;
    session.consumers?.delete(consumer.number);
    // It was deleted, or is not this client's to read any more: a new connection must not be ended for it again.
    this.#subscribing?.unsubscribe(session, entry.text);
    this.#attaching?.kick(session, reason, text);
  }

  #of(session: Session, text: string): SessionConsumer | undefined {
    for (const consumer of session.consumers?.values() ?? []) {
      if (consumer.entry.text === text && consumer.attached?.retired === false) return consumer;
    }
    return undefined;
  }

  #retire({ attached }: SessionConsumer): void {
    if (attached !== undefined) this.#parts.consuming.retire(attached);
  }

  /** Those that were retired and have nothing left are gone. */
  #sweep(session: Session): void {
    for (const [number, { attached }] of session.consumers ?? []) {
      if (attached === undefined || !attached.retired || attached.leases.size > 0) continue;
      session.consumers?.delete(number);
      this.#parts.consuming.leave(attached, false);
    }
    if (session.consumers?.size === 0) session.consumers = undefined;
  }

  #nextNumber(session: Session): number {
    do {
      this.#lastNumber = this.#lastNumber >= consumerNumberMax ? 1 : this.#lastNumber + 1;
    } while (session.consumers?.has(this.#lastNumber) === true);
    return this.#lastNumber;
  }
}

function isSameManner(a: SubscriptionEntry, b: SubscriptionEntry): boolean {
  return (
    (a.explicit === true) === (b.explicit === true) &&
    a.credit?.messages === b.credit?.messages &&
    a.credit?.bytes === b.credit?.bytes
  );
}

/** By `$share` an error is final, as the standard has it [MQTT-4.8.2-6]; by `$mess/queue/` it is a failed attempt. */
function settlementOf(entry: SubscriptionEntry, reason: number, text: string): Settlement {
  if (reason < firstError) return { verb: "ack" };
  const said = text === "" ? `its consumer answered 0x${reason.toString(16)}` : text;
  const isFinal = reason === payloadFormatInvalid || !entry.text.startsWith(queuePrefix);
  return { verb: isFinal ? "reject" : "nack", reason: said };
}
