import type { Consumer, Leased } from "./consumer.ts";
import type { QueueMessage } from "./queue-message.ts";

/** Messages of a queue, for a loop that settles them by hand. */
export class QueueReader<Value>
  implements AsyncIterableIterator<QueueMessage<Value>, undefined, undefined>, AsyncDisposable
{
  readonly #consumer: Consumer;
  readonly #decode: (leased: Leased) => Promise<QueueMessage<Value> | undefined>;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => this.#consumer.leave();

  /** Not for callers. */
  constructor(
    consumer: Consumer,
    decode: (leased: Leased) => Promise<QueueMessage<Value> | undefined>,
    signal: AbortSignal | undefined,
  ) {
    this.#consumer = consumer;
    this.#decode = decode;
    this.#signal = signal;
    if (signal?.aborted === true) consumer.leave();
    else signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  async next(): Promise<IteratorResult<QueueMessage<Value>, undefined>> {
    for (;;) {
      const leased = await this.#consumer.take();
      if (leased === undefined) return { done: true, value: undefined };
      // From here on it is its reader who says when it takes longer.
      leased.lease.unkeep();
      const message = await this.#decode(leased);
      if (message !== undefined) return { done: false, value: message };
    }
  }

  /** Takes no more, at once. What was handed out can still be settled; the connection ends after it. */
  return(): Promise<IteratorResult<QueueMessage<Value>, undefined>> {
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#consumer.leave();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** As `return`, but what was not settled goes back to the broker. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal?.removeEventListener("abort", this.#onAbort);
    await this.#consumer.close();
  }
}
