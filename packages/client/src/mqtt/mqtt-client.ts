import type { Properties } from "@mess/wire";
import { MessageQueue } from "./message-queue.ts";
import { MqttConnection, type MqttConnectionOptions } from "./mqtt-connection.ts";
import type { MqttMessage } from "./mqtt-message.ts";
import type { SubscribeFilter } from "./subscribe-filter.ts";

export interface MqttClientOptions extends Omit<MqttConnectionOptions, "onMessage" | "onEnded"> {
  readonly queueMessagesMax: number;
  readonly queueBytesMax: number;
  readonly acknowledge: "auto" | "manual";
}

/** A connected client. Made by `connectMqtt`. It does not reconnect: when the connection ends, everything pending fails. */
export class MqttClient extends MqttConnection implements AsyncIterable<MqttMessage> {
  readonly #queue: MessageQueue;

  /** Not for callers: `connectMqtt` makes clients. */
  constructor(options: MqttClientOptions) {
    const limits = { messagesMax: options.queueMessagesMax, bytesMax: options.queueBytesMax };
    const queue = new MessageQueue(limits, options.acknowledge === "auto", (full) => this.link.pause(full));
    super({ ...options, onMessage: (message) => queue.push(message), onEnded: (failure) => queue.end(failure) });
    this.#queue = queue;
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
