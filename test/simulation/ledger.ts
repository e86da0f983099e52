import type { PublishPacket, QoS } from "../../packages/wire/src/mqtt/packet.ts";
import {
  type DeliveryFact,
  indexOf,
  type MessageFact,
  matches,
  NEVER,
  parseFilter,
  payloadOf,
  type SessionFact,
  type SubscriptionFact,
  Violation,
} from "./facts.ts";

/** Microseconds after which a consumer's ack is durable on a healthy disk: 100 ms (D6), and room for one commit. */
const ACK_DURABLE_AFTER = 150_000;

interface Stop {
  readonly at: number;
  /** Acks that reached the broker after this moment may be forgotten. */
  readonly ackedBefore: number;
}

interface Connection {
  readonly number: number;
  readonly dialedAt: number;
}

interface NewMessage {
  readonly publisher: number;
  readonly topic: string;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly size: number;
  readonly will?: boolean;
}

/** All facts of one run, in one place. The clients write it; the checks read it. */
export class Ledger {
  readonly messages: MessageFact[] = [];
  readonly sessions: SessionFact[] = [];
  readonly stops: Stop[] = [];
  /** Wall clock jumped at these times: expiry is judged loosely around them. */
  readonly jumps: number[] = [];
  readonly #groupsBegan: Map<string, number> = new Map();
  #troubles = 0;
  #troubleUntil = 0;
  #troubleFrom = NEVER;
  readonly #now: () => number;
  /** Takes one line for everything that happens; set it to read a failing seed. */
  trace: ((line: string) => void) | undefined;

  constructor(now: () => number) {
    this.#now = now;
  }

  note(line: () => string): void {
    if (this.trace !== undefined) this.trace(`${(this.now / 1_000).toFixed(3).padStart(10)} ${line()}`);
  }

  get now(): number {
    return this.#now();
  }

  message(fields: NewMessage): MessageFact {
    const fact: MessageFact = {
      index: this.messages.length,
      publisher: fields.publisher,
      topic: fields.topic,
      qos: fields.qos,
      retain: fields.retain,
      will: fields.will === true,
      size: fields.size,
      sentAt: NEVER,
      attempts: 0,
      outcome: "unknown",
      settledAt: NEVER,
      supersededAt: NEVER,
    };
    this.messages.push(fact);
    return fact;
  }

  sent(message: MessageFact): void {
    if (message.sentAt === NEVER) message.sentAt = this.now;
    message.attempts++;
  }

  acked(message: MessageFact): void {
    message.outcome = "acked";
    message.settledAt = this.now;
    if (!message.retain) return;
    for (const older of this.messages) {
      if (older.index >= message.index) break;
      if (older.retain && older.topic === message.topic) older.supersededAt = Math.min(older.supersededAt, this.now);
    }
  }

  refused(message: MessageFact): void {
    message.outcome = "refused";
    message.settledAt = this.now;
  }

  session(client: number, expiry: number, startedAt: number): SessionFact {
    const fact: SessionFact = {
      client,
      expiry,
      startedAt,
      endAskedAt: NEVER,
      endedAt: NEVER,
      subscriptions: [],
      deliveries: [],
      byMessage: new Map(),
      matching: new Map(),
      highest: new Map(),
      seen: new Set(),
    };
    this.sessions.push(fact);
    return fact;
  }

  subscription(session: SessionFact, filter: string, qos: QoS, noLocal: boolean): SubscriptionFact {
    const fact: SubscriptionFact = {
      filter,
      ...parseFilter(filter),
      qos,
      noLocal,
      askedAt: this.now,
      asks: 1,
      grantedAt: NEVER,
      removalAskedAt: NEVER,
      removedAt: NEVER,
    };
    session.subscriptions.push(fact);
    session.matching.clear();
    if (fact.group !== undefined && !this.#groupsBegan.has(filter)) this.#groupsBegan.set(filter, this.now);
    return fact;
  }

  /** Notes what a client's application got and checks at once what can be known at once. */
  delivered(session: SessionFact, packet: PublishPacket, connection: Connection): DeliveryFact | undefined {
    if (packet.payload.length === 0) return undefined;
    const message = this.#identify(packet);
    const delivery: DeliveryFact = {
      message,
      at: this.now,
      qos: packet.qos,
      dup: packet.dup,
      retain: packet.retain,
      connection: connection.number,
      ackArrivedAt: NEVER,
    };
    this.#checkDup(session, delivery, connection.dialedAt);
    this.#checkAllowed(session, delivery);
    this.#checkCopies(session, delivery);
    this.#checkComeBack(session, delivery);
    this.#checkOrder(session, delivery);
    session.deliveries.push(delivery);
    const before = session.byMessage.get(message.index);
    if (before === undefined) session.byMessage.set(message.index, [delivery]);
    else before.push(delivery);
    return delivery;
  }

  get isTroubled(): boolean {
    return this.#troubles > 0 || this.#troubleUntil > this.now;
  }

  /** The disk may be slow or fail until `end` is called: nothing is promised about acks that arrive meanwhile. */
  beginTrouble(): { end(): void } {
    const from = this.now;
    this.#troubles++;
    this.#troubleFrom = Math.min(this.#troubleFrom, from);
    let open = true;
    return {
      end: () => {
        if (open) this.#troubles--;
        open = false;
        this.#troubleUntil = Math.max(this.#troubleUntil, this.now);
      },
    };
  }

  stopped(): void {
    const healthy = this.now - ACK_DURABLE_AFTER;
    const troubled = this.#troubles > 0 || this.#troubleUntil >= healthy;
    const before = Math.min(healthy, this.#troubleFrom - ACK_DURABLE_AFTER);
    this.stops.push({ at: this.now, ackedBefore: troubled ? before : healthy });
    // What still troubles the disk troubles the next life as well.
    this.#troubleFrom = this.#troubles > 0 ? this.now : NEVER;
    this.#troubleUntil = 0;
  }

  #matching(session: SessionFact, topic: string): readonly SubscriptionFact[] {
    let found = session.matching.get(topic);
    if (found === undefined) {
      found = session.subscriptions.filter(({ plain }) => matches(plain, topic));
      session.matching.set(topic, found);
    }
    return found;
  }

  /** DUP means that it was sent to this client before, and a message that is younger than the connection was not. */
  #checkDup(session: SessionFact, { message, dup, retain }: DeliveryFact, dialedAt: number): void {
    if (!dup || retain || message.sentAt <= dialedAt || session.seen.has(message.index)) return;
    throw new Violation(
      "protocol",
      `m${message.index} came for the first time with DUP to client ${session.client} [MQTT-3.3.1-2]`,
    );
  }

  #identify(packet: PublishPacket): MessageFact {
    const index = indexOf(packet.payload);
    const message = this.messages[index];
    if (message === undefined || message.sentAt === NEVER) {
      throw new Violation("unexpected message", `a payload that nobody sent, on ${packet.topic}`);
    }
    if (packet.topic !== message.topic) {
      throw new Violation("unexpected message", `m${index} was sent to ${message.topic} and came on ${packet.topic}`);
    }
    if (!payloadOf(index, message.size).equals(packet.payload)) {
      throw new Violation("unexpected message", `the payload of m${index} was changed`);
    }
    if (packet.qos > message.qos) throw new Violation("protocol", `m${index} came at QoS ${packet.qos}, above its own`);
    return message;
  }

  #checkAllowed(session: SessionFact, delivery: DeliveryFact): void {
    const { message } = delivery;
    const told = `m${message.index} on ${message.topic} to client ${session.client}`;
    if (message.outcome === "refused") throw new Violation("refused message delivered", told);
    const matching = this.#matching(session, message.topic);
    const reasons = matching.map((subscription) =>
      isOwn(session, subscription, message) && !delivery.retain
        ? "it is its own"
        : this.#whyNot(subscription, delivery),
    );
    if (reasons.includes(undefined)) {
      // Which subscriptions a message matches is settled when it is published, at which QoS when it is sent.
      const qosMax = Math.max(...matching.filter(({ removedAt }) => removedAt > message.sentAt).map(({ qos }) => qos));
      if (delivery.qos > qosMax) throw new Violation("protocol", `${told} at QoS ${delivery.qos}, asked for ${qosMax}`);
      return;
    }
    const rule = reasons.includes("it was no longer retained") ? "retained" : "unexpected message";
    throw new Violation(rule, `${told}: ${reasons.join("; ") || "no subscription of this session matches"}`);
  }

  #whyNot(subscription: SubscriptionFact, delivery: DeliveryFact): string | undefined {
    const { message } = delivery;
    if (subscription.removedAt < message.sentAt) return `${subscription.filter} had been removed before it was sent`;
    const asRetained = message.retain && delivery.retain && subscription.group === undefined;
    if (asRetained) {
      // Retained values: the one at the time of the first SUBSCRIBE, or any later one.
      return message.supersededAt < subscription.askedAt ? "it was no longer retained" : undefined;
    }
    if (message.outcome === "acked" && message.settledAt < this.#beginning(subscription)) {
      return `it was acked before ${subscription.filter} was asked for`;
    }
    return undefined;
  }

  /** A group is older than its newest member, and hands on what waited for it. */
  #beginning(subscription: SubscriptionFact): number {
    if (subscription.group === undefined) return subscription.askedAt;
    return this.#groupsBegan.get(subscription.filter) ?? subscription.askedAt;
  }

  #checkCopies(session: SessionFact, delivery: DeliveryFact): void {
    const { message } = delivery;
    if (!delivery.retain && !session.seen.has(message.index)) return;
    const before = (session.byMessage.get(message.index) ?? []).filter((other) => other.retain === delivery.retain);
    const ways = this.#matching(session, message.topic)
      // RETAIN is set on what a SUBSCRIBE asked for, and on nothing else [MQTT-3.3.1-9].
      .reduce((sum, { asks }) => sum + (delivery.retain ? asks : 1), 0);
    if (delivery.qos === 2 && before.filter((other) => other.qos === 2).length >= ways) {
      throw new Violation("exactly once", `m${message.index} came again at QoS 2 to client ${session.client}`);
    }
    const here = before.filter((other) => other.connection === delivery.connection).length;
    const attempts = message.qos === 1 ? Math.max(1, message.attempts) : 1;
    if (here >= ways * attempts) {
      throw new Violation("too many copies", `m${message.index} came ${here + 1} times in one connection`);
    }
  }

  /** First deliveries of one publisher, topic and QoS come in the order of publishing (D3). */
  #checkOrder(session: SessionFact, delivery: DeliveryFact): void {
    const { message } = delivery;
    if (delivery.retain || message.will || session.seen.has(message.index)) return;
    session.seen.add(message.index);
    if (this.#shared(session, message)) return;
    // At QoS 0 the first copy may have been lost, and what comes late is the copy that was sent again.
    if (delivery.qos === 0 && message.attempts > 1) return;
    // Nor does a copy sent again count, when the first one came before a subscription that would have kept it.
    const keeping = this.#matching(session, message.topic).filter(
      (one) => one.qos > 0 && !isOwn(session, one, message) && one.removalAskedAt > message.sentAt,
    );
    const granted = keeping.map(({ grantedAt }) => grantedAt);
    if (message.attempts > 1 && Math.min(...granted) > message.sentAt) return;
    const key = `${message.publisher} ${message.qos} ${message.topic}`;
    const highest = session.highest.get(key) ?? -1;
    if (message.index < highest) {
      throw new Violation("order", `m${message.index} came after m${highest} to client ${session.client}`);
    }
    session.highest.set(key, message.index);
  }

  #shared(session: SessionFact, message: MessageFact): boolean {
    return this.#matching(session, message.topic).some(({ group }) => group !== undefined);
  }

  /** A delivery whose ack was durable before a stop does not come back after it (D6). */
  #checkComeBack(session: SessionFact, delivery: DeliveryFact): void {
    const { message } = delivery;
    if (message.attempts > 1 || delivery.retain || !session.seen.has(message.index)) return;
    if (this.#matching(session, message.topic).length > 1) return;
    for (const other of session.byMessage.get(message.index) ?? []) {
      if (other.qos === 0 || other.retain) continue;
      // What the first stop after the ack let it forget, it has forgotten.
      const stop = this.stops.find(({ at }) => at > other.ackArrivedAt);
      if (stop !== undefined && stop.at < delivery.at && other.ackArrivedAt <= stop.ackedBefore) {
        const seconds = ((stop.at - other.ackArrivedAt) / 1e6).toFixed(3);
        throw new Violation(
          "acked delivery came back",
          `m${message.index}, acked ${seconds} s before the machine stopped`,
        );
      }
      if (
        other.ackArrivedAt < delivery.at &&
        this.stops.every(({ at }) => at < other.ackArrivedAt || at > delivery.at)
      ) {
        throw new Violation("acked delivery came back", `m${message.index}, acked and no stop between`);
      }
    }
  }
}

/** A message of the subscriber's own that its subscription does not ask for (No Local). A will is sent by the broker. */
function isOwn(session: SessionFact, subscription: SubscriptionFact, message: MessageFact): boolean {
  return subscription.noLocal && message.publisher === session.client && !message.will;
}
