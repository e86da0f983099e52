import type { UserProperties } from "@mess/wire";
import type { ClientContext, LaneHandle } from "../client-context.ts";
import type { Delivery } from "../connection/delivery.ts";
import type { LaneSubscription } from "../connection/lane.ts";
import { userProperty } from "../connection/user-property.ts";
import { Fifo } from "../fifo.ts";
import { MessError } from "../mess-error.ts";
import type { MqttMessage } from "../mqtt/mqtt-message.ts";
import { Takers } from "../takers.ts";
import type { Timer } from "../world.ts";
import { Lease, leaseLost } from "./lease.ts";

export interface ConsumerOptions {
  readonly name: string;
  /** Messages that may be leased at a time. */
  readonly credit: number;
  /** Their bytes. */
  readonly creditBytes: number | undefined;
  /** Milliseconds that a lease is extended by. */
  readonly leaseMs: number;
}

/** A message that came, with its lease; not decoded yet. */
export interface Leased {
  readonly message: MqttMessage;
  /** The topic it was published to. */
  readonly topic: string;
  readonly attempt: number;
  readonly lease: Lease;
}

/**
 * One consumer of a declared subscription, on a connection of its own: its credit is its own, and when the connection
 * ends, the broker has every lease back at once, with no attempt counted.
 */
export class Consumer implements LaneSubscription {
  readonly filter: string;
  readonly qos = 1;
  readonly retained = false;
  readonly #options: ConsumerOptions;
  readonly #context: ClientContext;
  readonly #lane: LaneHandle;
  readonly #held = new Fifo<Leased>();
  readonly #takers = new Takers<Leased>();
  readonly #leases = new Set<Lease>();
  /** Of messages that somebody took. */
  readonly #taken = new Set<Lease>();
  #stopping = false;
  #leaving = false;
  #timer: Timer | undefined;
  #end: { readonly failure: MessError | undefined } | undefined;
  #closed: Promise<void> | undefined;

  constructor(context: ClientContext, options: ConsumerOptions) {
    this.#context = context;
    this.#options = options;
    this.filter = `$mess/queue/${options.name}/#`;
    // PUBACK goes out at once, so the window never holds back what the credit allows.
    this.#lane = context.ownLane({ receiveMaximum: Math.min(65_535, options.credit + 10), sessionMax: 0 });
    this.#lane.subscribe(this);
  }

  /** The next message; undefined after `stop`, and when the client was closed. Rejects when the subscription ended. */
  take(): Promise<Leased | undefined> {
    for (let held = this.#held.shift(); held !== undefined; held = this.#held.shift()) {
      if (!held.lease.open) continue;
      this.#taken.add(held.lease);
      return Promise.resolve(held);
    }
    if (this.#end?.failure !== undefined) return Promise.reject(this.#end.failure);
    if (this.#stopping || this.#end !== undefined) return Promise.resolve(undefined);
    return this.#takers.wait();
  }

  /** Hands nothing out any more. What was taken can still be settled. */
  stop(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    for (let held = this.#held.shift(); held !== undefined; held = this.#held.shift()) this.#release(held.lease);
    this.#takers.end(undefined);
  }

  /** Stops, and closes when everything that was taken is settled or has had its time. */
  leave(): void {
    this.stop();
    this.#leaving = true;
    if (this.#taken.size === 0) return void this.close();
    this.closeAfter(this.#options.leaseMs);
  }

  /** Closes then, at the latest. */
  closeAfter(milliseconds: number): void {
    this.#timer = this.#context.world.after(milliseconds, () => void this.close());
  }

  /** Ends the connection; the broker takes back what was not settled. */
  close(): Promise<void> {
    this.stop();
    this.#timer?.cancel();
    this.#closed ??= this.#lane.leave(this).finally(() => this.#loseAll("the consumer was closed"));
    return this.#closed;
  }

  userProperties(): UserProperties {
    const { credit, creditBytes } = this.#options;
    const own: [string, string][] = [
      ["mess-ack", "explicit"],
      ["mess-credit", String(credit)],
    ];
    if (creditBytes !== undefined) own.push(["mess-credit-bytes", String(creditBytes)]);
    return own;
  }

  granted(): void {}

  deliver(delivery: Delivery): void {
    const { message } = delivery;
    const leased = this.#leased(message);
    if (leased === undefined) return;
    // What comes while the last handlers run goes to others. It is not acknowledged, so that the window is soon full and the
    // broker sends no more.
    if (this.#stopping) {
      delivery.read();
      return this.#release(leased.lease);
    }
    this.#context.received(message);
    // The clock of a lease must not run out while the message waits here: that would count as a failed attempt.
    leased.lease.keep((error) => this.#context.report(error));
    if (this.#takers.give(leased)) this.#taken.add(leased.lease);
    else this.#held.push(leased);
  }

  interrupted(): void {
    this.#held.clear();
    this.#loseAll("the connection broke");
  }

  ended(reason: MessError | undefined): void {
    this.#timer?.cancel();
    this.#end = { failure: reason };
    this.#loseAll("the client was closed");
    this.#takers.end(reason);
  }

  #leased(message: MqttMessage): Leased | undefined {
    const { properties, topic } = message;
    const { responseTopic, correlationData } = properties;
    const { client } = this.#lane;
    if (responseTopic === undefined || correlationData === undefined || client === undefined) {
      this.#context.report(
        new MessError("PROTOCOL_ERROR", `a delivery of "${this.#options.name}" came without a lease`),
      );
      return undefined;
    }
    const lease: Lease = new Lease({
      client,
      topic: responseTopic,
      token: correlationData,
      lastsMs: this.#options.leaseMs,
      world: this.#context.world,
      onFree: () => this.#freed(lease),
    });
    this.#leases.add(lease);
    return {
      message,
      topic: topic.slice(this.filter.length - 1),
      attempt: Number(userProperty(properties, "mess-attempt") ?? 1),
      lease,
    };
  }

  #freed(lease: Lease): void {
    this.#leases.delete(lease);
    this.#taken.delete(lease);
    if (this.#leaving && this.#taken.size === 0) void this.close();
  }

  #release(lease: Lease): void {
    if (lease.open) lease.settle("release").catch(() => undefined);
  }

  #loseAll(why: string): void {
    for (const lease of [...this.#leases]) lease.lose(leaseLost(why, undefined));
  }
}
