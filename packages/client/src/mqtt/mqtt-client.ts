import { type ConnectPacket, type Packet, PacketType, type Properties } from "@mess/wire";
import type { MessError } from "../mess-error.ts";
import type { Transport } from "../transport/transport.ts";
import { answerChallenge, type ClientExchange, naming } from "./client-exchange.ts";
import { MessageQueue } from "./message-queue.ts";
import { MqttConnection, type MqttConnectionOptions } from "./mqtt-connection.ts";
import type { MqttMessage } from "./mqtt-message.ts";
import type { SubscribeFilter } from "./subscribe-filter.ts";

export interface MqttClientOptions extends Omit<MqttConnectionOptions, "onMessage" | "onEnded"> {
  readonly queueMessagesMax: number;
  readonly queueBytesMax: number;
  readonly acknowledge: "auto" | "manual";
  /** Logs in by a method of several steps, bound to the channel if it can be. */
  readonly login?: (binding: Uint8Array | undefined) => ClientExchange;
}

/** A connected client. Made by `connectMqtt`. It does not reconnect: when the connection ends, everything pending fails. */
export class MqttClient extends MqttConnection implements AsyncIterable<MqttMessage> {
  readonly #queue: MessageQueue;
  readonly #login: MqttClientOptions["login"];
  /** Until CONNACK. */
  #exchange: ClientExchange | undefined;

  /** Not for callers: `connectMqtt` makes clients. */
  constructor(options: MqttClientOptions) {
    const limits = { messagesMax: options.queueMessagesMax, bytesMax: options.queueBytesMax };
    const queue = new MessageQueue(limits, options.acknowledge === "auto", (full) => this.link.pause(full));
    super({ ...options, onMessage: (message) => queue.push(message), onEnded: (failure) => queue.end(failure) });
    this.#queue = queue;
    this.#login = options.login;
  }

  override async handshake(connect: ConnectPacket, transport: Transport): Promise<void> {
    const exchange = this.#login?.(transport.channelBinding?.());
    if (exchange === undefined) return super.handshake(connect, transport);
    this.#exchange = exchange;
    await super.handshake(naming(connect, exchange), transport);
    this.#exchange = undefined;
    try {
      exchange.finish(this.serverProperties.authenticationData);
    } catch (error) {
      this.abort();
      throw error;
    }
  }

  protected override unexpected(packet: Packet): void {
    const exchange = this.#exchange;
    if (packet.type !== PacketType.AUTH || packet.properties?.authenticationMethod !== exchange?.method || !exchange) {
      return super.unexpected(packet);
    }
    answerChallenge(exchange, packet).then(
      (answer) => void this.link.send(answer),
      (error: MessError) => this.link.fail(error),
    );
  }

  /**
   * @returns the server's code for each filter, in order: 0, 1, 2 the granted QoS; 0x80 and above a refusal
   * @throws MessError when no answer came
   */
  async subscribe(filters: readonly (string | SubscribeFilter)[], properties?: Properties): Promise<number[]> {
    return [...(await this.subscribeAnswer(filters, properties)).reasonCodes];
  }

  /** Messages of all subscriptions, in the order of arrival. One queue: two readers share it. */
  messages(): AsyncIterableIterator<MqttMessage, undefined, undefined> {
    return this.#queue;
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<MqttMessage, undefined, undefined> {
    return this.#queue;
  }
}
