import type { UserProperties } from "@mess/wire";
import type { LaneHandle } from "../client-context.ts";
import type { Delivery } from "../connection/delivery.ts";
import type { LaneSubscription } from "../connection/lane.ts";
import { Fifo } from "../fifo.ts";
import { clientClosed, MessError } from "../mess-error.ts";
import type { MqttMessage } from "../mqtt/mqtt-message.ts";
import { Takers } from "../takers.ts";
import type { Message } from "./message.ts";

export interface ReaderOptions<Value, Params> {
  readonly filter: string;
  readonly qos: 0 | 1;
  readonly retained: boolean;
  readonly userProperties?: () => UserProperties;
  /** Rejects with INVALID_PAYLOAD. */
  readonly decode: (message: MqttMessage) => Promise<Message<Value, Params>>;
  readonly onInvalid: (error: MessError, message: MqttMessage) => void;
  /** Sees each message as it arrives. */
  readonly onArrival?: (message: MqttMessage) => void;
  readonly onGranted?: () => void;
  readonly onLeave?: () => void;
  /** Where it is subscribed. */
  readonly lane: LaneHandle;
  readonly signal: AbortSignal | undefined;
}

interface Held {
  readonly delivery: Delivery;
  readonly done: (reasonCode?: number) => void;
}

/** QoS 0 has no back-pressure: past these the oldest are dropped, and counted. */
const unacknowledgedMax = 1000;
const unacknowledgedBytesMax = 8 << 20;

/**
 * A subscription as a loop sees it. A message is acknowledged when its reader asks for the next one, so that the broker
 * never is further ahead than the window. Leaving the loop, or aborting its signal, unsubscribes and ends it; an error
 * that ends the subscription is thrown in it.
 */
export class Reader<Value, Params>
  implements AsyncIterableIterator<Message<Value, Params>, undefined, undefined>, AsyncDisposable
{
  /** Resolves when the broker has granted the subscription: what is published from then on is received. */
  readonly ready: Promise<void>;
  /** QoS 0 messages that were dropped because the loop was slower than they came. */
  dropped = 0;
  readonly #options: ReaderOptions<Value, Params>;
  readonly #subscription: LaneSubscription;
  readonly #held = new Fifo<Held>();
  readonly #takers = new Takers<Held>();
  readonly #onAbort = (): void => void this.return();
  #bytes = 0;
  #readyResolve: () => void = () => undefined;
  #readyReject: (error: MessError) => void = () => undefined;
  #handed: ((reasonCode?: number) => void) | undefined;
  #ended = false;
  #failure: MessError | undefined;
  #left: Promise<void> | undefined;

  /** Not for callers. */
  constructor(options: ReaderOptions<Value, Params>) {
    this.#options = options;
    this.ready = new Promise((resolve, reject) => {
      this.#readyResolve = resolve;
      this.#readyReject = reject;
    });
    // Who does not look at it sees the same error in the loop.
    this.ready.catch(() => undefined);
    const { filter, qos, retained, userProperties = () => [] } = options;
    this.#subscription = {
      filter,
      qos,
      retained,
      userProperties,
      deliver: (delivery) => this.#deliver(delivery),
      granted: () => {
        this.#readyResolve();
        options.onGranted?.();
      },
      // What was read stays read, and the connection comes back.
      interrupted: () => undefined,
      ended: (reason) => {
        // After `finish` the loop reads what has arrived, however slow it is.
        if (!this.#ended && reason === undefined) this.#drop();
        this.#end(reason);
        this.#readyReject(reason ?? clientClosed());
      },
    };
    if (options.signal?.aborted === true) this.#onAbort();
    else options.lane.subscribe(this.#subscription);
    options.signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Whether the loop waits for a message. */
  get idle(): boolean {
    return this.#takers.any;
  }

  /** Messages that arrived and were not read. */
  get waiting(): number {
    return this.#held.length;
  }

  async next(): Promise<IteratorResult<Message<Value, Params>, undefined>> {
    // Coming back for the next one says that the last one was handled.
    this.#handed?.();
    this.#handed = undefined;
    for (;;) {
      const held = await this.#take();
      if (held === undefined) {
        await this.#left;
        return { done: true, value: undefined };
      }
      const { message } = held.delivery;
      try {
        const value = await this.#options.decode(message);
        this.#handed = held.done;
        return { done: false, value };
      } catch (error) {
        held.done();
        if (!(error instanceof MessError)) throw error;
        this.#options.onInvalid(error, message);
      }
    }
  }

  /** Unsubscribes; what was not read is given up. */
  async return(): Promise<IteratorResult<Message<Value, Params>, undefined>> {
    this.#end(undefined);
    this.#drop();
    this.#handed?.();
    this.#handed = undefined;
    this.#left ??= this.#leave();
    await this.#left;
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  /** Not for callers: what has arrived is still read, then the loop ends. */
  finish(): void {
    this.#end(undefined);
    this.#left ??= this.#leave();
  }

  #deliver(delivery: Delivery): void {
    if (this.#ended) return;
    const held = { delivery, done: delivery.read() };
    if (!this.#takers.give(held)) this.#hold(held);
    this.#options.onArrival?.(delivery.message);
  }

  #hold(held: Held): void {
    this.#held.push(held);
    this.#bytes += held.delivery.message.payload.length;
    if (this.#options.qos === 0) this.#bound();
  }

  #take(): Promise<Held | undefined> {
    const held = this.#held.shift();
    if (held !== undefined) {
      this.#bytes -= held.delivery.message.payload.length;
      return Promise.resolve(held);
    }
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#ended) return Promise.resolve(undefined);
    return this.#takers.wait();
  }

  #end(failure: MessError | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#takers.end(failure);
  }

  #leave(): Promise<void> {
    this.#options.onLeave?.();
    return this.#options.lane.leave(this.#subscription);
  }

  #drop(): void {
    for (let held = this.#held.shift(); held !== undefined; held = this.#held.shift()) held.done();
  }

  #bound(): void {
    while (this.#held.length > unacknowledgedMax || this.#bytes > unacknowledgedBytesMax) {
      const oldest = this.#held.shift();
      if (oldest === undefined) return;
      this.#bytes -= oldest.delivery.message.payload.length;
      oldest.done();
      this.dropped += 1;
    }
  }
}
