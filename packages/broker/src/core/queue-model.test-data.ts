/**
 * What a declared subscription must do, told by a model that knows neither backlogs nor leases: a list of messages with
 * a state each. It does not foretell who gets what; it judges each delivery when it happens, and afterwards whether
 * something that could have gone was left lying.
 */
import { priorityDefault, type SubscriptionSettings } from "../model/settings.ts";

export interface ModelMessage {
  readonly name: string;
  readonly key: string | undefined;
  readonly priority: number;
  readonly delayed: boolean;
  /** Its turn among those that wait; a redriven message comes last again. */
  place: number;
  /** Counts from here on. */
  readonly visibleAt: number;
  /** How long it lasts, from when it counts. */
  lastsMs: number;
  expiresAt: number;
  /** `unsure`: acknowledged, but the power went before that was durable. */
  state: "waiting" | "leased" | "retry" | "unsure" | "done" | "dead" | "expired";
  failed: number;
  wasDelivered: boolean;
  /** It was given back at least once, so others may have gone before it. */
  wasReturned: boolean;
  /** Bounds of the jitter. */
  retryFrom: number;
  retryBy: number;
  leaseEnds: number;
  holder: number;
  token: string;
}

export interface ModelConsumer {
  readonly number: number;
  readonly joined: number;
  readonly credit: number;
  ready: boolean;
}

export class QueueModel {
  readonly settings: SubscriptionSettings;
  readonly messages: Map<string, ModelMessage> = new Map();
  readonly consumers: Map<number, ModelConsumer> = new Map();
  #joins = 0;
  #places = 0;

  constructor(settings: SubscriptionSettings) {
    this.settings = settings;
  }

  published(
    name: string,
    what: { key?: string; priority?: number; visibleAt: number; lastsMs: number; now: number },
  ): void {
    this.messages.set(name, {
      name,
      key: what.key,
      priority: what.priority ?? priorityDefault,
      delayed: what.visibleAt > what.now,
      place: this.#places++,
      visibleAt: what.visibleAt,
      lastsMs: what.lastsMs,
      expiresAt: what.visibleAt > what.now ? Number.POSITIVE_INFINITY : what.now + what.lastsMs,
      state: "waiting",
      failed: 0,
      wasDelivered: false,
      wasReturned: false,
      retryFrom: 0,
      retryBy: 0,
      leaseEnds: 0,
      holder: -1,
      token: "",
    });
  }

  join(number: number, credit: number): void {
    this.consumers.set(number, { number, credit, joined: this.#joins++, ready: true });
  }

  leave(number: number, keepLeases: boolean): void {
    if (!keepLeases) for (const message of this.#leasedBy(number)) this.#giveBack(message);
    this.consumers.delete(number);
  }

  /** The process died: leases are void, no attempt counts. */
  crash(): void {
    this.consumers.clear();
    for (const message of this.messages.values()) if (message.state === "leased") this.#giveBack(message);
  }

  /** Time has passed: what ran out counts as a failed attempt. */
  advance(now: number): void {
    for (const message of this.messages.values()) {
      const isReleased = message.visibleAt <= now && message.expiresAt === Number.POSITIVE_INFINITY;
      if (isReleased) message.expiresAt = now + message.lastsMs;
      if (message.state === "leased" && message.leaseEnds <= now)
        this.#failed(message, message.leaseEnds, now, undefined);
    }
  }

  // ── judged when they happen ──────────────────────────────────────────────────────────────────────────────────

  delivered(name: string, lease: { attempt: number; expiresAt: number; token: string }, to: number, now: number): void {
    const message = this.#known(name);
    this.#mayGo(message, now);
    if (message.state === "unsure") message.state = "waiting";
    if (lease.attempt !== message.failed + 1)
      throw new Error(`${name} came as attempt ${lease.attempt}, after ${message.failed} failed ones`);
    if (lease.expiresAt !== now + this.settings.ackWaitMs)
      throw new Error(`${name} has a lease until ${lease.expiresAt}, at ${now}`);
    const consumer = this.consumers.get(to);
    if (consumer === undefined) throw new Error(`${name} went to consumer ${to}, who is not there`);
    if (!consumer.ready) throw new Error(`${name} went to consumer ${to}, who was not ready`);
    if (this.#leasedBy(to).length >= consumer.credit) throw new Error(`${name} went past the credit of consumer ${to}`);
    this.#inOrder(message, now);
    if (this.settings.ordering === "exclusive" && this.#active()?.number !== to)
      throw new Error(`${name} went to consumer ${to}, who stands by`);
    message.state = "leased";
    message.wasDelivered = true;
    message.holder = consumer.joined;
    message.leaseEnds = lease.expiresAt;
    message.token = lease.token;
  }

  settled(name: string, verb: "ack" | "nack" | "reject" | "release", now: number, delayMs?: number): void {
    const message = this.#known(name);
    if (message.state !== "leased") throw new Error(`${name} was settled as ${verb}, but is ${message.state}`);
    if (verb === "ack") message.state = "done";
    else if (verb === "reject") {
      message.failed++;
      message.state = "dead";
    } else if (verb === "release") this.#giveBack(message);
    else this.#failed(message, now, now, delayMs);
  }

  extended(name: string, until: number): void {
    this.#known(name).leaseEnds = until;
  }

  /** The power went before the acknowledgement was durable: both are right from here on. */
  forget(name: string): void {
    const message = this.#known(name);
    message.state = "unsure";
    message.wasReturned = true;
  }

  /** It is not to be found among what waits any more, and its expiry passed. */
  expire(now: number): void {
    for (const message of this.messages.values())
      if (isOpen(message) && message.state !== "leased" && message.expiresAt <= now) message.state = "expired";
  }

  redriven(now: number): void {
    for (const message of this.messages.values()) {
      const hasExpired = message.state !== "done" && message.state !== "leased" && message.expiresAt <= now;
      // Whether it was a dead letter already depends on when somebody looked.
      const mayBeDead = hasExpired && this.settings.expired === "dead-letter";
      if (message.state !== "dead" && !mayBeDead) continue;
      message.state = message.state === "dead" && !hasExpired ? "waiting" : "unsure";
      message.failed = 0;
      message.place = this.#places++;
      // Whoever redrives it wants it done, however old it is.
      message.expiresAt = Number.POSITIVE_INFINITY;
      message.lastsMs = Number.POSITIVE_INFINITY;
      message.wasDelivered = false;
      message.wasReturned = mayBeDead;
    }
  }

  purged(): void {
    for (const message of this.messages.values()) if (message.state === "dead") message.state = "done";
  }

  // ── what must be so at rest ──────────────────────────────────────────────────────────────────────────────────

  /** Names the first message that could go to a consumer, and has not. */
  stalled(now: number): string | undefined {
    const takers = this.settings.ordering === "exclusive" ? [this.#active()] : [...this.consumers.values()];
    const canTake = takers.some((taker) => taker?.ready === true && this.#leasedBy(taker.number).length < taker.credit);
    if (!canTake) return undefined;
    for (const message of this.messages.values()) {
      const isDue = message.state === "waiting" || (message.state === "retry" && message.retryBy <= now);
      if (!isDue || message.visibleAt > now || message.expiresAt <= now) continue;
      if (this.settings.ordering === "key" && message.key !== undefined && !this.#isKeyFree(message)) continue;
      return message.name;
    }
    return undefined;
  }

  namesIn(state: ModelMessage["state"]): string[] {
    return [...this.messages.values()].filter((message) => message.state === state).map(({ name }) => name);
  }

  leasedTo(number: number): string[] {
    return this.#leasedBy(number).map(({ name }) => name);
  }

  #known(name: string): ModelMessage {
    const message = this.messages.get(name);
    if (message === undefined) throw new Error(`${name} was never published`);
    return message;
  }

  #mayGo(message: ModelMessage, now: number): void {
    const { name, state } = message;
    const isDue = state === "waiting" || state === "unsure" || (state === "retry" && message.retryFrom <= now);
    if (!isDue)
      throw new Error(
        `${name} was delivered, but is ${state}${state === "retry" ? ` until ${message.retryFrom}` : ""}`,
      );
    if (message.visibleAt > now) throw new Error(`${name} was delivered ${message.visibleAt - now} ms early`);
    if (message.expiresAt <= now) throw new Error(`${name} was delivered after it expired`);
  }

  #inOrder(message: ModelMessage, now: number): void {
    const { ordering, priorities } = this.settings;
    for (const other of this.messages.values()) {
      if (other === message) continue;
      const isBefore = !other.delayed && !message.delayed && other.place < message.place;
      if (ordering === "key" && message.key !== undefined && other.key === message.key) {
        const isOver = other.expiresAt <= now;
        if (other.state === "leased" || (other.state === "retry" && !isOver))
          throw new Error(`${message.name} went while ${other.name} of its key was ${other.state}`);
        if (isBefore && other.state === "waiting" && other.expiresAt > now && !message.wasReturned)
          throw new Error(`${message.name} went before ${other.name} of its key`);
      }
      const isFresh =
        !message.wasDelivered && !other.wasDelivered && other.state === "waiting" && other.expiresAt > now;
      if (!isFresh || other.visibleAt > now || message.wasReturned || other.wasReturned) continue;
      if (priorities && other.priority > message.priority && !other.delayed)
        throw new Error(`${message.name} went before ${other.name} of a higher priority`);
      if (ordering !== "key" && (!priorities || other.priority === message.priority) && isBefore)
        throw new Error(`${message.name} went before ${other.name}`);
    }
  }

  #isKeyFree(message: ModelMessage): boolean {
    for (const other of this.messages.values()) {
      if (other === message || other.key !== message.key) continue;
      // Either may be true of one that is unsure: it may stand before this one.
      if (other.state === "leased" || other.state === "retry" || other.state === "unsure") return false;
    }
    return true;
  }

  #active(): ModelConsumer | undefined {
    let active: ModelConsumer | undefined;
    for (const consumer of this.consumers.values())
      if (active === undefined || consumer.joined < active.joined) active = consumer;
    return active;
  }

  #leasedBy(number: number): ModelMessage[] {
    const joined = this.consumers.get(number)?.joined;
    return [...this.messages.values()].filter(({ state, holder }) => state === "leased" && holder === joined);
  }

  #giveBack(message: ModelMessage): void {
    message.state = "waiting";
    message.wasReturned = true;
  }

  #failed(message: ModelMessage, at: number, now: number, delayMs: number | undefined): void {
    message.failed++;
    message.wasReturned = true;
    if (message.failed >= this.settings.maxDeliveries) {
      message.state = "dead";
      return;
    }
    message.state = "retry";
    const [first, longest] = this.settings.backoffMs;
    const whole = delayMs ?? Math.min(longest, first * 2 ** (message.failed - 1));
    // A lease that ran out while nobody looked may be counted from when that was seen.
    message.retryFrom = at + (delayMs ?? Math.floor(whole / 2));
    message.retryBy = now + whole;
  }
}

function isOpen({ state }: ModelMessage): boolean {
  return state === "waiting" || state === "leased" || state === "retry" || state === "unsure";
}
