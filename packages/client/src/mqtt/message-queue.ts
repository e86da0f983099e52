import { Fifo } from "../fifo.ts";
import type { MessError } from "../mess-error.ts";
import type { MqttMessage } from "./mqtt-message.ts";

export interface MessageQueueLimits {
  /** Messages held before the socket is paused. */
  readonly messagesMax: number;
  /** Payload bytes held before the socket is paused. */
  readonly bytesMax: number;
}

interface Waiter {
  resolve(result: IteratorResult<MqttMessage, undefined>): void;
  reject(error: MessError): void;
}

/**
 * Messages that arrived and were not read yet. It never drops: when full it says so, and the owner stops reading the
 * socket. What was decoded by then still enters, so it can exceed its limits by one read of the socket.
 */
export class MessageQueue implements AsyncIterableIterator<MqttMessage, undefined, undefined> {
  readonly #limits: MessageQueueLimits;
  /** Called when the queue becomes full (true) and when half of it is free again (false). */
  readonly #onFull: (full: boolean) => void;
  readonly #acknowledge: boolean;
  readonly #messages = new Fifo<MqttMessage>();
  readonly #waiters = new Fifo<Waiter>();
  #bytes = 0;
  #full = false;
  #handedOut: MqttMessage | undefined;
  #ended = false;
  #error: MessError | undefined;

  constructor(limits: MessageQueueLimits, acknowledge: boolean, onFull: (full: boolean) => void) {
    this.#limits = limits;
    this.#acknowledge = acknowledge;
    this.#onFull = onFull;
  }

  push(message: MqttMessage): void {
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) return waiter.resolve(this.#hand(message));
    this.#messages.push(message);
    this.#bytes += message.payload.length;
    const full = this.#messages.length >= this.#limits.messagesMax || this.#bytes >= this.#limits.bytesMax;
    if (full && !this.#full) {
      this.#full = true;
      this.#onFull(true);
    }
  }

  /** No more will come. What is held can still be read; after it the reader sees the error, or the end. */
  end(error?: MessError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    for (let waiter = this.#waiters.shift(); waiter !== undefined; waiter = this.#waiters.shift()) {
      if (error === undefined) waiter.resolve({ done: true, value: undefined });
      else waiter.reject(error);
    }
  }

  next(): Promise<IteratorResult<MqttMessage, undefined>> {
    // Coming back for the next one says that the last one was handled; a loop left by a throw never comes back.
    if (this.#acknowledge) this.#handedOut?.ack();
    this.#handedOut = undefined;
    const message = this.#messages.shift();
    if (message !== undefined) {
      this.#bytes -= message.payload.length;
      this.#relieve();
      return Promise.resolve(this.#hand(message));
    }
    if (this.#error !== undefined) return Promise.reject(this.#error);
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  /** Leaving a loop keeps the messages for the next one: the connection decides when they end. */
  return(): Promise<IteratorResult<MqttMessage, undefined>> {
    this.#handedOut = undefined;
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #hand(message: MqttMessage): IteratorResult<MqttMessage, undefined> {
    this.#handedOut = message;
    return { done: false, value: message };
  }

  #relieve(): void {
    const half = this.#messages.length * 2 <= this.#limits.messagesMax && this.#bytes * 2 <= this.#limits.bytesMax;
    if (!this.#full || !half) return;
    this.#full = false;
    this.#onFull(false);
  }
}
