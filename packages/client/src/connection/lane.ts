import type { Properties, UserProperties } from "@mess/wire";
import { clientClosed, MessError } from "../mess-error.ts";
import type { MqttConnection } from "../mqtt/mqtt-connection.ts";
import type { MqttMessage } from "../mqtt/mqtt-message.ts";
import type { OpenMqttOptions } from "../mqtt/open-mqtt.ts";
import { refusal } from "../mqtt/refusal.ts";
import { Connection, type ConnectionOptions, type ConnectionState } from "./connection.ts";
import { Delivery } from "./delivery.ts";
import { RecentDeliveries } from "./recent-deliveries.ts";

/** A subscription of a lane: what to ask the server for, and where its messages go. */
export interface LaneSubscription {
  readonly filter: string;
  readonly qos: 0 | 1;
  /** Whether the server sends retained messages at the start. */
  readonly retained: boolean;
  /** Asked for each SUBSCRIBE. */
  userProperties(): UserProperties;
  deliver(delivery: Delivery): void;
  /** The server has granted it, on this connection. */
  granted(client: MqttConnection): void;
  /** The connection is gone. It may come back. */
  interrupted(): void;
  /** It is over: with the reason, or because the owner closed the client. */
  ended(reason: MessError | undefined): void;
}

export interface LaneOptions extends Omit<ConnectionOptions, "mqtt"> {
  readonly mqtt: OpenMqttOptions;
  readonly receiveMaximum: number;
  readonly onConnected?: (client: MqttConnection) => void;
  readonly onLost?: () => void;
  readonly onState?: (state: ConnectionState) => void;
  readonly onEnded?: (reason: MessError | undefined) => void;
}

interface Entry {
  readonly identifier: number;
  /** The session on the server has it. */
  granted: boolean;
}

/**
 * A connection with subscriptions on it. Each has its own identifier, by which the server says whose a message is. One
 * filter can be there once: MQTT knows no second subscription to the same filter in one session.
 */
export class Lane {
  readonly connection: Connection;
  readonly #subscriptions = new Map<LaneSubscription, Entry>();
  readonly #byIdentifier = new Map<number, LaneSubscription>();
  /** Only a session that outlives its connection is sent anything again. */
  readonly #recent: RecentDeliveries | undefined;
  readonly #onLost: (() => void) | undefined;
  /** Filters that the server may still have for us. */
  readonly #left = new Set<string>();
  #waiters: { resolve(client: MqttConnection): void; reject(error: MessError): void }[] = [];
  #identifier = 0;
  #ended: { readonly reason: MessError | undefined } | undefined;

  constructor(options: LaneOptions) {
    const keeps = (options.mqtt.sessionExpiry ?? 0) > 0;
    this.#recent = keeps ? new RecentDeliveries(options.receiveMaximum) : undefined;
    this.#onLost = options.onLost;
    const { receiveMaximum } = options;
    const mqtt = { ...options.mqtt, receiveMaximum, onMessage: (message: MqttMessage) => this.#message(message) };
    this.connection = new Connection(
      { ...options, mqtt },
      {
        connected: (client, resumed) => {
          this.#connected(client, resumed);
          options.onConnected?.(client);
        },
        lost: () => this.#lost(),
        state: (state) => options.onState?.(state),
        ended: (reason) => {
          this.#end(reason);
          options.onEnded?.(reason);
        },
      },
    );
  }

  /**
   * Resolves when there is a connection.
   *
   * @throws MessError when there will be none
   */
  connected(): Promise<MqttConnection> {
    const { client } = this.connection;
    if (client !== undefined) return Promise.resolve(client);
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) reject(this.#ended.reason ?? clientClosed());
      else this.#waiters.push({ resolve, reject });
    });
  }

  /** Whether the filter is free here. */
  takes(filter: string): boolean {
    for (const subscription of this.#subscriptions.keys()) if (subscription.filter === filter) return false;
    return this.#ended === undefined;
  }

  /** Asks the server for it now, or as soon as there is a connection. */
  subscribe(subscription: LaneSubscription): void {
    if (this.#ended !== undefined) return subscription.ended(this.#ended.reason);
    this.#identifier += 1;
    const entry = { identifier: this.#identifier, granted: false };
    this.#subscriptions.set(subscription, entry);
    this.#byIdentifier.set(entry.identifier, subscription);
    this.#left.delete(subscription.filter);
    const { client } = this.connection;
    if (client !== undefined) void this.#ask(client, subscription, entry);
  }

  /** Nothing is delivered to it any more. Resolves when the server knows, or when there is no connection. */
  async unsubscribe(subscription: LaneSubscription): Promise<void> {
    const entry = this.#subscriptions.get(subscription);
    if (entry === undefined) return;
    this.#subscriptions.delete(subscription);
    this.#byIdentifier.delete(entry.identifier);
    await this.#leave(subscription.filter);
  }

  async #leave(filter: string): Promise<void> {
    this.#left.add(filter);
    try {
      await this.connection.client?.unsubscribe([filter]);
    } catch {
      // Told with the next connection, if the session is still there then.
      return;
    }
    if (this.connection.client !== undefined) this.#left.delete(filter);
  }

  #connected(client: MqttConnection, resumed: boolean): void {
    if (!resumed) this.#recent?.clear();
    for (const { resolve } of this.#waiters.splice(0)) resolve(client);
    const left = [...this.#left];
    this.#left.clear();
    if (resumed) for (const filter of left) void this.#leave(filter);
    for (const [subscription, entry] of this.#subscriptions) {
      if (!resumed) entry.granted = false;
      if (entry.granted) subscription.granted(client);
      else void this.#ask(client, subscription, entry);
    }
  }

  /** Never rejects. */
  async #ask(client: MqttConnection, subscription: LaneSubscription, entry: Entry): Promise<void> {
    const { filter, qos, retained } = subscription;
    const userProperties = subscription.userProperties();
    const properties: Properties = {
      subscriptionIdentifiers: [entry.identifier],
      ...(userProperties.length > 0 && { userProperties }),
    };
    try {
      const answer = await client.subscribeAnswer([{ filter, qos, retainHandling: retained ? 0 : 2 }], properties);
      const code = answer.reasonCodes[0] ?? 0x80;
      if (!this.#subscriptions.has(subscription)) return;
      if (code >= 0x80) throw refusal(`the subscription to "${filter}" was refused`, code, answer.properties);
      entry.granted = true;
      subscription.granted(client);
    } catch (error) {
      // A connection that broke meanwhile asks again when it is back.
      if (!client.open || !(error instanceof MessError) || !this.#subscriptions.has(subscription)) return;
      this.#forget(subscription, entry);
      subscription.ended(error);
    }
  }

  #message(message: MqttMessage): void {
    const delivery = this.#recent === undefined ? new Delivery(message) : this.#recent.take(message);
    if (delivery === undefined) return;
    const done = delivery.read();
    for (const identifier of message.properties.subscriptionIdentifiers ?? []) {
      this.#byIdentifier.get(identifier)?.deliver(delivery);
    }
    // What nobody reads (any more) must not fill the window.
    done();
  }

  #lost(): void {
    this.#onLost?.();
    for (const subscription of this.#subscriptions.keys()) subscription.interrupted();
  }

  #end(reason: MessError | undefined): void {
    this.#ended = { reason };
    for (const { reject } of this.#waiters.splice(0)) reject(reason ?? clientClosed());
    for (const [subscription, entry] of [...this.#subscriptions]) {
      this.#forget(subscription, entry);
      subscription.ended(reason);
    }
  }

  #forget(subscription: LaneSubscription, entry: Entry): void {
    this.#subscriptions.delete(subscription);
    this.#byIdentifier.delete(entry.identifier);
  }
}
