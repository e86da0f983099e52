/** A session as a consumer of a declared subscription: leases become packets, at QoS 1 at most. */
import { awaitingPuback } from "../delivery/in-flight.ts";
import { DeliveryForm, type EndReason, type Link } from "../model/link.ts";
import type { MessageView } from "../model/message.ts";
import type { Consumer, Lease } from "../model/queue.ts";
import type { Attached, HeldLease } from "./queue-work.ts";
import { identifiersOf, type Sending } from "./sending.ts";
import type { Session, SubscriptionEntry } from "./session.ts";

export interface SessionConsumerParts {
  /** Names its deliveries among those of its session. */
  readonly number: number;
  readonly session: Session;
  readonly entry: SubscriptionEntry;
  readonly sending: Sending;
  /** At QoS 0: sent is done. */
  readonly sent: (lease: HeldLease) => void;
  readonly ended: (consumer: SessionConsumer, reason: EndReason, text: string) => void;
}

export class SessionConsumer implements Consumer {
  readonly number: number;
  readonly session: Session;
  entry: SubscriptionEntry;
  /** Undefined until the subscription took it. */
  attached: Attached | undefined;
  readonly #parts: SessionConsumerParts;
  readonly #form: DeliveryForm = new DeliveryForm();

  constructor(parts: SessionConsumerParts) {
    this.#parts = parts;
    this.number = parts.number;
    this.session = parts.session;
    this.entry = parts.entry;
  }

  /** What the session has to send again, and the SUBACK, come first [MQTT-4.6.0-1, MQTT-3.8.4-1]. */
  get ready(): boolean {
    const { session } = this;
    const { link } = session;
    if (link === undefined || session.answersDue > 0 || session.resendNext < session.resend.length) return false;
    return this.entry.qos === 0 ? link.ready : this.#parts.sending.hasCredit(session);
  }

  deliver(message: MessageView, given: Lease): boolean {
    const { session, entry } = this;
    const { link } = session;
    // The core gives out leases of its own class alone.
    const lease = given as HeldLease;
    if (link === undefined) return false;
    const isShare = entry.text.startsWith("$share/");
    // By `$share` it is the publisher's topic, and its QoS binds too [MQTT-3.8.4-8].
    const qos = isShare && message.qos === 0 ? 0 : entry.qos === 0 ? 0 : 1;
    const packetId = qos === 0 ? 0 : session.inFlight.take(lease.offset, awaitingPuback, -this.number);
    lease.packetId = packetId;
    const form = this.#form;
    form.qos = qos;
    form.packetId = packetId;
    form.dup = qos === 1 && lease.attempt > 1;
    form.retain = isShare && message.retain && entry.retainAsPublished;
    form.subscriptionIdentifiers = identifiersOf(entry);
    form.secondsLeft = lease.secondsLeft;
    form.offset = lease.offset;
    form.lease = lease;
    form.plainTopic = isShare;
    if (!this.#send(link, message)) {
      if (packetId > 0) session.inFlight.release(packetId);
      return false;
    }
    // Explicit settlement is by token; nobody would have to wait for the PUBACK of a QoS 0 delivery otherwise.
    if (qos === 0 && entry.explicit !== true) this.#parts.sent(lease);
    return true;
  }

  end(reason: EndReason, text: string): void {
    this.#parts.ended(this, reason, text);
  }

  #send(link: Link, message: MessageView): boolean {
    const isSent = link.deliver(message, this.#form);
    this.#form.lease = undefined;
    return isSent;
  }
}
