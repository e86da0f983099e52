import {
  type AckPacket,
  type ConnackPacket,
  type ConnectPacket,
  type DisconnectPacket,
  type Packet,
  PacketType,
  type Properties,
  type ProtocolVersion,
  type QoS,
} from "@mess/wire";
import { MessError } from "../mess-error.ts";
import type { Transport } from "../transport/transport.ts";
import { unlessAborted } from "../unless-aborted.ts";
import type { Timer, World } from "../world.ts";
import { checkTopic, payloadBytes } from "./check.ts";
import { closedByOwner, lost, notConnected } from "./connection-errors.ts";
import { Link, type LinkEvents } from "./link.ts";
import type { MqttMessage } from "./mqtt-message.ts";
import type { MqttProfile, PublishPart, ReceivePart } from "./mqtt-profile.ts";
import { PacketIds } from "./packet-ids.ts";
import type { MqttPublishResult, Settled } from "./publisher.ts";
import { refusal } from "./refusal.ts";
import { Requests } from "./requests.ts";
import { type SubscribeFilter, subscription } from "./subscribe-filter.ts";

/** Milliseconds between two looks at the deadlines. */
const tickMs = 250;

export interface MqttConnectionOptions {
  readonly version: ProtocolVersion;
  /** Seconds. */
  readonly keepAlive: number;
  /** Milliseconds for each answer of the server. */
  readonly requestTimeout: number;
  readonly maximumPacketSize: number;
  readonly receiveMaximum: number;
  readonly inFlightMax: number;
  /** Takes each message as it comes; Receive Maximum is the only bound. */
  readonly onMessage: (message: MqttMessage) => void;
  /** Once, last. Undefined after an orderly end. */
  readonly onEnded: (failure: MessError | undefined) => void;
  readonly world: World;
  readonly profile: MqttProfile;
}

/** The server's answer to SUBSCRIBE. */
export interface SubscribeAnswer {
  /** For each filter, in order: 0, 1, 2 the granted QoS; 0x80 and above a refusal. */
  readonly reasonCodes: readonly number[];
  readonly properties: Properties;
}

export interface MqttPublishOptions {
  /** 1 by default. */
  readonly qos?: QoS;
  readonly retain?: boolean;
  /** 5.0 only. */
  readonly properties?: Properties;
  /** Milliseconds until the acknowledgement; the client's `requestTimeout` by default. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

export interface DisconnectOptions {
  /** Milliseconds. */
  readonly timeout?: number;
  readonly reasonCode?: number;
  /** Seconds (5.0). */
  readonly sessionExpiry?: number;
}

/** One connection of a client, from CONNECT on. When it ends, everything pending fails. */
export class MqttConnection implements AsyncDisposable {
  readonly #options: MqttConnectionOptions;
  readonly #link: Link;
  readonly #ids = new PacketIds();
  readonly #requests = new Requests();
  readonly #receiver: ReceivePart;
  readonly #ended: Promise<MessError | undefined>;
  #endedResolve: (error: MessError | undefined) => void = () => undefined;
  #publisher: PublishPart | undefined;
  #connack: ConnackPacket | undefined;
  #onConnack: ((error: MessError | undefined) => void) | undefined;
  #timer: Timer | undefined;
  #goodTopic: string | undefined;
  #closing = false;
  #closed = false;
  #failure: MessError | undefined;

  /** Not for callers. */
  constructor(options: MqttConnectionOptions) {
    this.#options = options;
    this.#link = new Link(
      {
        version: options.version,
        maximumPacketSize: options.maximumPacketSize,
        now: () => options.world.monotonic(),
        profile: options.profile,
      },
      this.#linkEvents(),
    );
    this.#receiver = options.profile.receiver(
      { sendAck: (type, packetId, reasonCode) => this.#link.sendAck(type, packetId, reasonCode) },
      {
        receiveMaximum: options.receiveMaximum,
        deliver: options.onMessage,
      },
    );
    this.#ended = new Promise((resolve) => {
      this.#endedResolve = resolve;
    });
  }

  /** Whether the server still had this client's session. */
  get sessionPresent(): boolean {
    return this.#connack?.sessionPresent ?? false;
  }

  /** What the server said of itself at the start (5.0). */
  get serverProperties(): Properties {
    return this.#connack?.properties ?? {};
  }

  /** False once the connection is over or is being ended. */
  get open(): boolean {
    return this.#unusable() === undefined;
  }

  /** Resolves when the connection is over: with nothing after `disconnect()`, else with the reason. Never rejects. */
  get ended(): Promise<MessError | undefined> {
    return this.#ended;
  }

  /**
   * Resolves when the server has acknowledged: at QoS 1 with PUBACK, at QoS 2 with PUBCOMP; at QoS 0 when the bytes were
   * handed to the socket. Waits while the server's Receive Maximum is reached.
   *
   * @throws MessError; after TIMEOUT, ABORTED and CONNECTION_LOST the outcome is unknown
   */
  publish(topic: string, payload: Uint8Array | string, options: MqttPublishOptions = {}): Promise<MqttPublishResult> {
    const { signal } = options;
    const given = (): MessError => new MessError("ABORTED", "the publish was given up", { cause: signal?.reason });
    if (signal?.aborted === true) return Promise.reject(given());
    const answer = new Promise<MqttPublishResult>((resolve, reject) => {
      this.publishThen(topic, payload, options, (error, result) => {
        if (error === undefined) resolve(result);
        else reject(error);
      });
    });
    return unlessAborted(answer, signal, given);
  }

  /** `publish` without a promise, for load tools: `settled` is called exactly once, possibly before this returns. */
  publishThen(topic: string, payload: Uint8Array | string, options: MqttPublishOptions, settled: Settled): void {
    const bytes = payloadBytes(payload);
    const publisher = this.#publisher;
    const error = this.#unusable() ?? this.#badTopic(topic) ?? this.#unsupported(options);
    if (error !== undefined || publisher === undefined) return settled(error ?? notConnected(), { reasonCode: 0 });
    publisher.publish({
      topic,
      payload: bytes,
      qos: options.qos ?? 1,
      retain: options.retain ?? false,
      ...(options.properties !== undefined && { properties: options.properties }),
      deadline: this.#options.world.monotonic() + (options.timeout ?? this.#options.requestTimeout),
      settled,
    });
  }

  /**
   * The server's code for each filter, and what it says besides.
   *
   * @throws MessError when no answer came
   */
  async subscribeAnswer(
    filters: readonly (string | SubscribeFilter)[],
    properties?: Properties,
  ): Promise<SubscribeAnswer> {
    if (filters.length === 0) throw new MessError("INVALID_ARGUMENT", "subscribe needs at least one topic filter");
    const packetId = this.#takeId();
    const subscriptions = filters.map(subscription);
    return this.#ask(
      { type: PacketType.SUBSCRIBE, packetId, subscriptions, ...(properties && { properties }) },
      packetId,
    );
  }

  /** @returns the server's code for each filter (5.0); empty under 3.1.1 */
  async unsubscribe(filters: readonly string[]): Promise<number[]> {
    if (filters.length === 0) throw new MessError("INVALID_ARGUMENT", "unsubscribe needs at least one topic filter");
    const packetId = this.#takeId();
    const packet: Packet = { type: PacketType.UNSUBSCRIBE, packetId, filters: [...filters] };
    return [...(await this.#ask(packet, packetId)).reasonCodes];
  }

  /**
   * Waits for open publishes (at most `timeout` milliseconds), says goodbye, and ends. Calling it twice is harmless.
   * `reasonCode` 0x04 asks for the will to be published. `sessionExpiry` (seconds) changes how long the session stays.
   */
  async disconnect(options: DisconnectOptions = {}): Promise<void> {
    const { timeout = 5000, reasonCode = 0, sessionExpiry } = options;
    if (!this.#closed && !this.#closing) {
      this.#closing = true;
      await this.#withDeadline(this.#publisher?.idle() ?? Promise.resolve(), timeout);
      const properties = sessionExpiry === undefined ? undefined : { sessionExpiryInterval: sessionExpiry };
      this.#link.end(reasonCode, properties);
      // The server closes after DISCONNECT; one that does not is not waited for.
      if (!(await this.#withDeadline(this.#ended, Math.min(timeout, 1000)))) this.#link.fail(closedByOwner());
    }
    await this.#ended;
  }

  /** Ends at once: the server sees a lost connection (and publishes the will). */
  abort(reason?: MessError): void {
    this.#closing = true;
    this.#link.fail(reason ?? closedByOwner());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.disconnect();
  }

  /** Not for callers. The transport's side of this client. */
  get link(): Link {
    return this.#link;
  }

  /** Not for callers: sends CONNECT and resolves at a good CONNACK. */
  handshake(connect: ConnectPacket, _transport?: Transport): Promise<void> {
    this.#schedule();
    return new Promise((resolve, reject) => {
      this.#onConnack = (error) => {
        this.#onConnack = undefined;
        if (error === undefined) resolve();
        else reject(error);
      };
      const error = this.#link.send(connect);
      if (error !== undefined) this.#link.fail(error);
    });
  }

  #linkEvents(): LinkEvents {
    return {
      publish: (incoming) => this.#published(this.#receiver.publish(incoming)),
      packet: (packet) => this.#packet(packet),
      ack: (type, packetId, reasonCode, properties) => this.#ack(type, packetId, reasonCode, properties),
      writable: () => this.#publisher?.drain(),
      closed: (error) => this.#close(error),
    };
  }

  #published(accepted: boolean): void {
    if (this.#connack === undefined) return this.#link.protocolError("PUBLISH before CONNACK", 0x82);
    if (!accepted) this.#link.protocolError("the server exceeded our Receive Maximum", 0x93);
  }

  #packet(packet: Packet): void {
    switch (packet.type) {
      case PacketType.CONNACK:
        return this.#connacked(packet);
      case PacketType.SUBACK:
      case PacketType.UNSUBACK:
        // An answer that came after its deadline is not an error.
        if (this.#requests.answer(packet)) this.#ids.release(packet.packetId);
        return;
      case PacketType.DISCONNECT:
        return this.#disconnected(packet);
      default:
        return this.unexpected(packet);
    }
  }

  /** Not for callers: a packet that a plain client does not wait for. */
  protected unexpected(_packet: Packet): void {
    this.#link.protocolError("the server sent a packet only clients may send", 0x82);
  }

  #ack(type: AckPacket["type"], packetId: number, reasonCode: number, properties: Properties | undefined): void {
    if (type === PacketType.PUBREL) return this.#receiver.released(packetId);
    if (this.#publisher === undefined) return this.#link.protocolError("an acknowledgement before CONNACK", 0x82);
    this.#publisher.acknowledged(type, packetId, reasonCode, properties);
  }

  #connacked(packet: ConnackPacket): void {
    if (this.#connack !== undefined) return this.#link.protocolError("a second CONNACK", 0x82);
    if (packet.reasonCode !== 0) {
      return this.#link.fail(refusal("the server refused the connection", packet.reasonCode, packet.properties));
    }
    this.#connack = packet;
    const properties = packet.properties ?? {};
    this.#link.established(properties.serverKeepAlive ?? this.#options.keepAlive, properties.maximumPacketSize);
    this.#publisher = this.#options.profile.publisher(
      {
        writable: () => this.#link.writable,
        sendPublish: (outgoing, packetId) => this.#link.sendPublish(outgoing, packetId),
        sendAck: (type, packetId, reasonCode) => this.#link.sendAck(type, packetId, reasonCode),
      },
      this.#ids,
      Math.min(properties.receiveMaximum ?? 65_535, this.#options.inFlightMax),
    );
    this.#onConnack?.(undefined);
  }

  #disconnected(packet: DisconnectPacket): void {
    const error = refusal("the server ended the connection", packet.reasonCode, packet.properties);
    this.#link.fail(error);
  }

  #close(error: MessError | undefined): void {
    this.#closed = true;
    this.#timer?.cancel();
    const orderly = this.#closing && (error === undefined || error.code === "CLOSED");
    const failure = orderly ? undefined : (error ?? lost(this.#connack !== undefined));
    this.#failure = failure ?? closedByOwner();
    this.#onConnack?.(this.#failure);
    this.#publisher?.fail(this.#failure);
    this.#requests.fail(this.#failure);
    this.#options.onEnded(failure);
    this.#endedResolve(failure);
  }

  #schedule(): void {
    this.#timer = this.#options.world.after(tickMs, () => this.#tick());
  }

  #tick(): void {
    const now = this.#options.world.monotonic();
    this.#publisher?.tick(now);
    this.#requests.tick(now);
    this.#link.tick(now);
    if (!this.#closed) this.#schedule();
  }

  async #ask(packet: Packet, packetId: number): Promise<SubscribeAnswer> {
    const type = packet.type === PacketType.SUBSCRIBE ? PacketType.SUBACK : PacketType.UNSUBACK;
    const answer = this.#requests.wait(packetId, type, this.#options.world.monotonic() + this.#options.requestTimeout);
    const error = this.#link.send(packet);
    if (error !== undefined) this.#requests.answer({ type, packetId, reasonCodes: [] });
    const { reasonCodes, properties = {} } = await answer;
    if (error === undefined) return { reasonCodes, properties };
    this.#ids.release(packetId);
    throw error;
  }

  /** Publishers repeat themselves: the topic before is not checked again. */
  #badTopic(topic: string): MessError | undefined {
    if (topic === this.#goodTopic) return undefined;
    const error = checkTopic(topic);
    if (error === undefined) this.#goodTopic = topic;
    return error;
  }

  #takeId(): number {
    const error = this.#unusable();
    if (error !== undefined) throw error;
    const packetId = this.#ids.take();
    if (packetId === 0) throw new MessError("QUEUE_FULL", "65,535 packets are unacknowledged already");
    return packetId;
  }

  #unusable(): MessError | undefined {
    if (this.#closed) return this.#failure;
    return this.#closing ? closedByOwner() : undefined;
  }

  /** Whether the promise settled in time. */
  async #withDeadline(promise: Promise<unknown>, milliseconds: number): Promise<boolean> {
    let timer: Timer | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = this.#options.world.after(milliseconds, () => resolve(false));
    });
    const inTime = await Promise.race([promise.then(() => true), late]);
    timer?.cancel();
    return inTime;
  }

  /** What the server said in CONNACK it will not take: sending it would end the connection [MQTT-3.2.2-11, -14]. */
  #unsupported({ qos = 1, retain = false }: MqttPublishOptions): MessError | undefined {
    const { maximumQoS, retainAvailable } = this.serverProperties;
    if (maximumQoS !== undefined && qos > maximumQoS) return refusal("the message was not sent", 0x9b);
    return retain && retainAvailable === false ? refusal("the message was not sent", 0x9a) : undefined;
  }
}
