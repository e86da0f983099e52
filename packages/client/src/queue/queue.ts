import type { ClientContext } from "../client-context.ts";
import { type Duration, milliseconds } from "../duration.ts";
import { MessError } from "../mess-error.ts";
import type { CodecChoice } from "../payload/codec.ts";
import { PayloadType } from "../payload/payload-type.ts";
import type { StandardSchema } from "../payload/standard-schema.ts";
import { messageOf } from "../topic/message.ts";
import { withTrace } from "../trace.ts";
import { unlessAborted } from "../unless-aborted.ts";
import { Consumer, type Leased } from "./consumer.ts";
import type { QueueMessage } from "./queue-message.ts";
import { QueueReader } from "./queue-reader.ts";

export interface QueueOptions<Value> {
  readonly schema?: StandardSchema<unknown, Value>;
  /** `json` by default. */
  readonly codec?: CodecChoice;
  /** Messages that may be leased to one consumer at a time; 1 by default. */
  readonly concurrency?: number;
  /** Messages leased beyond `concurrency`, so that the next one is there already; 0 by default. They wait on the clock of their lease. */
  readonly prefetch?: number;
  /** Bytes that may be leased at a time; the broker's bound by default. */
  readonly creditBytes?: number;
  /** How long a lease lasts each time it is extended; 30 s by default. After a client that hangs the message is delivered again. */
  readonly lease?: Duration;
  /**
   * Called with what cannot be decoded or does not satisfy the schema; `value` is undefined then. What it does not settle is
   * rejected: a dead letter with the reason. So it is without a callback.
   */
  readonly onInvalid?: (error: MessError, message: QueueMessage<unknown>) => void | Promise<void>;
}

export interface ProcessOptions {
  /** Handlers at a time; the queue's by default. */
  readonly concurrency?: number;
  /** Stops it: what runs is finished, the rest goes back to the broker. */
  readonly signal?: AbortSignal;
  /** How long a handler may take; then its signal fires and the message is nacked. No bound by default. */
  readonly timeout?: Duration;
  /** How long `signal` waits for handlers that run; then their messages go back. No bound by default. */
  readonly grace?: Duration;
}

export type Handler<Value> = (message: QueueMessage<Value>, context: { readonly signal: AbortSignal }) => unknown;

/**
 * A declared subscription as a work queue: each message goes to one consumer at a time, until one has acked it. Made by
 * `mess.queue`.
 */
export class Queue<Value = unknown> implements AsyncIterable<QueueMessage<Value>> {
  readonly name: string;
  readonly #context: ClientContext;
  readonly #options: QueueOptions<Value>;
  readonly #payload: PayloadType;

  /** Not for callers. */
  constructor(context: ClientContext, name: string, options: QueueOptions<Value>) {
    if (name === "" || /[/+#\0]/u.test(name)) {
      throw new MessError("INVALID_ARGUMENT", `"${name}" is not the name of a subscription`, {
        hint: "names have no /, + and #; mess subscription ls shows them",
      });
    }
    this.name = name;
    this.#context = context;
    this.#options = options;
    this.#payload = new PayloadType(options as QueueOptions<unknown>, context.verify);
    checkCount(this.#concurrency, "concurrency");
  }

  /**
   * Messages to settle by hand. At most `concurrency` are there unsettled. Leaving the loop gives back what was not handed out;
   * what was can still be settled.
   */
  [Symbol.asyncIterator](): QueueReader<Value> {
    return this.consume();
  }

  /** As the loop over the queue, with a signal that ends it. */
  consume({ signal }: { readonly signal?: AbortSignal } = {}): QueueReader<Value> {
    const consumer = this.#consumer(this.#concurrency);
    return new QueueReader<Value>(consumer, (leased) => this.#decode(leased), signal);
  }

  /**
   * Calls the handler for each message, `concurrency` at a time. Returns: ack. Throws: nack, tried again after backoff, and a
   * dead letter when attempts run out. While a handler runs the lease is extended by itself. Resolves when the signal has
   * fired, or the client was closed, and every handler that ran is done.
   *
   * @throws MessError when the subscription ends: it does not exist, the right to it was taken
   */
  async process(handler: Handler<Value>, options: ProcessOptions = {}): Promise<void> {
    const { concurrency = this.#concurrency, signal, timeout, grace } = options;
    checkCount(concurrency, "concurrency");
    const timeoutMs = timeout === undefined ? undefined : milliseconds(timeout, "timeout");
    const graceMs = grace === undefined ? undefined : milliseconds(grace, "grace");
    if (signal?.aborted === true) return;
    const consumer = this.#consumer(concurrency);
    const onAbort = (): void => {
      consumer.stop();
      if (graceMs !== undefined) consumer.closeAfter(graceMs);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    const work = async (): Promise<void> => {
      for (let leased = await consumer.take(); leased !== undefined; leased = await consumer.take()) {
        await this.#handle(leased, handler, timeoutMs);
      }
    };
    try {
      const workers = Array.from({ length: concurrency }, work);
      const outcomes = await Promise.allSettled(workers);
      for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    } finally {
      signal?.removeEventListener("abort", onAbort);
      await consumer.close();
    }
  }

  get #concurrency(): number {
    return this.#options.concurrency ?? 1;
  }

  #consumer(concurrency: number): Consumer {
    const { prefetch = 0, creditBytes, lease = 30_000 } = this.#options;
    return new Consumer(this.#context, {
      name: this.name,
      credit: concurrency + prefetch,
      creditBytes,
      leaseMs: milliseconds(lease, "lease"),
    });
  }

  /** Never rejects: what happens to a message is told to the broker, or cannot be told. */
  async #handle(leased: Leased, handler: Handler<Value>, timeoutMs: number | undefined): Promise<void> {
    const { lease } = leased;
    const { world, tracing } = this.#context;
    const decoded = await this.#decode(leased);
    if (decoded === undefined) return;
    const slow = new AbortController();
    const timer = timeoutMs === undefined ? undefined : world.after(timeoutMs, () => slow.abort(tooSlow(timeoutMs)));
    const signal = timer === undefined ? lease.signal : AbortSignal.any([lease.signal, slow.signal]);
    const message = timer === undefined ? decoded : withSignal(decoded, signal);
    try {
      const run = async (): Promise<void> => void (await handler(message, { signal }));
      // Whether the handler heeds its signal or not.
      await unlessAborted(withTrace(tracing, message.trace, run), slow.signal, () => slow.signal.reason as MessError);
      if (lease.open) await message.ack();
    } catch (error) {
      await this.#failed(message, lease, error);
    } finally {
      timer?.cancel();
    }
  }

  async #failed(message: QueueMessage<Value>, lease: Leased["lease"], error: unknown): Promise<void> {
    // Lost: the broker has it back already. Settled: the handler decided.
    if (!lease.open) return this.#context.report(error);
    try {
      await message.nack({ reason: reasonOf(error) });
    } catch (failure) {
      this.#context.report(failure);
    }
  }

  /** Undefined when it was invalid, and is settled. */
  async #decode(leased: Leased): Promise<QueueMessage<Value> | undefined> {
    const { message } = leased;
    try {
      return queueMessage(leased, (await this.#payload.decode(message)) as Value);
    } catch (error) {
      if (!(error instanceof MessError)) throw error;
      await this.#invalid(leased, error);
      return undefined;
    }
  }

  async #invalid(leased: Leased, error: MessError): Promise<void> {
    const { onInvalid } = this.#options;
    try {
      if (onInvalid === undefined) this.#context.invalid(error, { ...leased.message, topic: leased.topic });
      else await onInvalid(error, queueMessage(leased, undefined));
      if (leased.lease.open) await leased.lease.settle("reject", { reason: error.message });
    } catch (failure) {
      this.#context.report(failure);
      leased.lease.settle("nack", { reason: reasonOf(failure) }).catch(() => undefined);
    }
  }
}

function queueMessage<Value>({ message, topic, attempt, lease }: Leased, value: Value): QueueMessage<Value> {
  const raw = { ...message, topic };
  return {
    ...messageOf(raw, value, {}),
    attempt,
    signal: lease.signal,
    get settled(): boolean {
      return !lease.open;
    },
    ack: () => lease.settle("ack"),
    nack: (options) => lease.settle("nack", options),
    reject: (reason) => lease.settle("reject", { reason }),
    release: () => lease.settle("release"),
    extend: (duration) => lease.extend(duration),
  };
}

function withSignal<Value>(message: QueueMessage<Value>, signal: AbortSignal): QueueMessage<Value> {
  return Object.defineProperty(message, "signal", { value: signal, enumerable: true });
}

function tooSlow(timeoutMs: number): MessError {
  return new MessError("TIMEOUT", `the handler took longer than ${timeoutMs} ms`);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error);
}

function checkCount(count: number, what: string): void {
  if (Number.isInteger(count) && count > 0 && count <= 60_000) return;
  throw new MessError("INVALID_ARGUMENT", `${what} is a whole number from 1 to 60,000`);
}
