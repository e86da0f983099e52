import type { Properties } from "@mess/wire";
import { type Backoff, fullJitter } from "../connection/backoff.ts";
import { userProperty } from "../connection/user-property.ts";
import { Fifo } from "../fifo.ts";
import { MessError } from "../mess-error.ts";
import type { MessageSigner } from "../message-signing.ts";
import type { MqttConnection } from "../mqtt/mqtt-connection.ts";
import type { MqttPublishResult } from "../mqtt/publisher.ts";
import type { Timer, World } from "../world.ts";
import { type PublishHeaders, propertiesNow, type Receipt } from "./publish-options.ts";

export interface OutboxOptions {
  /** Publishes that have not resolved, sent or not. */
  readonly maxMessages: number;
  /** Their bytes. */
  readonly maxBytes: number;
  readonly whenFull: "reject" | "wait";
  readonly sign?: MessageSigner | undefined;
}

export interface Outgoing {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly headers: PublishHeaders;
  readonly durability: "persisted" | "sent";
  readonly retain: boolean;
  /** Monotonic milliseconds. */
  readonly deadline: number;
  readonly retryQuota: boolean;
  readonly signal: AbortSignal | undefined;
}

interface Entry extends Outgoing {
  readonly bytes: number;
  /** Bytes of it may have reached a server. */
  sent: boolean;
  /** Refusals for lack of quota so far. */
  refusals: number;
  /** Waits for another try; not sent with the others. */
  parked: Timer | undefined;
  settled: boolean;
  readonly onAbort: () => void;
  resolve(receipt: Receipt): void;
  reject(error: MessError): void;
}

/** Bytes of headers and book-keeping, roughly. */
const overhead = 200;
/** Milliseconds between two looks at the deadlines. */
const tickMs = 100;
const quotaBackoff: Backoff = { min: 200, max: 10_000 };
const quotaExceeded = 0x97;

/**
 * Publishes from their call to their answer, over as many connections as it takes. What was not answered when a
 * connection broke is sent again over the next one, in the order of the calls and before anything new; message ids keep
 * the broker from storing it twice.
 */
export class Outbox {
  readonly #world: World;
  readonly #options: OutboxOptions;
  /** In the order of the calls. */
  readonly #entries = new Set<Entry>();
  readonly #waiting = new Fifo<Entry>();
  #bytes = 0;
  #client: MqttConnection | undefined;
  #timer: Timer | undefined;
  #failure: MessError | undefined;
  #idle: (() => void)[] = [];

  constructor(world: World, options: OutboxOptions) {
    this.#world = world;
    this.#options = options;
  }

  /** Publishes that have not resolved. */
  get pending(): number {
    return this.#entries.size + this.#waiting.length;
  }

  publish(outgoing: Outgoing): Promise<Receipt> {
    const { signal } = outgoing;
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (signal?.aborted === true) return Promise.reject(aborted(signal, false));
    return new Promise((resolve, reject) => {
      const bytes = outgoing.payload.length + outgoing.topic.length + overhead;
      const entry: Entry = {
        ...outgoing,
        bytes,
        sent: false,
        refusals: 0,
        parked: undefined,
        settled: false,
        onAbort: () => this.#settle(entry, aborted(signal, entry.sent)),
        resolve,
        reject,
      };
      signal?.addEventListener("abort", entry.onAbort, { once: true });
      if (this.#waiting.length === 0 && this.#fits(entry)) this.#add(entry);
      else if (this.#options.whenFull === "wait") this.#waiting.push(entry);
      else return this.#settle(entry, this.#full());
      this.#schedule();
    });
  }

  /** There is a connection: everything that waits goes out, in order. */
  attach(client: MqttConnection): void {
    this.#client = client;
    for (const entry of this.#entries) if (entry.parked === undefined) this.#send(entry);
  }

  detach(): void {
    this.#client = undefined;
  }

  /** No connection will come any more. */
  fail(error: MessError): void {
    this.#failure = error;
    this.#timer?.cancel();
    for (const entry of this.#entries) this.#settle(entry, error);
    for (let entry = this.#waiting.shift(); entry !== undefined; entry = this.#waiting.shift())
      this.#settle(entry, error);
  }

  /** Resolves when every publish has been answered. */
  idle(): Promise<void> {
    if (this.pending === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle.push(resolve);
    });
  }

  #add(entry: Entry): void {
    this.#entries.add(entry);
    this.#bytes += entry.bytes;
    if (this.#client !== undefined) this.#send(entry);
  }

  #send(entry: Entry): void {
    const client = this.#client;
    if (client === undefined) return;
    const now = this.#world.monotonic();
    const { headers } = entry;
    if (headers.expiresAt !== undefined && headers.expiresAt <= now) {
      return this.#settle(entry, new MessError("TIMEOUT", "the message expired before it could be sent"));
    }
    const properties = propertiesNow(headers, now);
    const { sign } = this.#options;
    if (sign === undefined) return this.#hand(entry, client, properties);
    // Each time anew: the broker takes no signature twice.
    sign({ ...entry, properties }, this.#world.now()).then(
      (signed) => this.#hand(entry, client, signed),
      (error: MessError) => this.#settle(entry, error),
    );
  }

  #hand(entry: Entry, client: MqttConnection, properties: Properties): void {
    // Signing takes time.
    if (!client.open || entry.settled) return;
    entry.sent = true;
    const options = {
      qos: entry.durability === "persisted" ? (1 as const) : (0 as const),
      retain: entry.retain,
      properties,
      timeout: Number.POSITIVE_INFINITY,
    };
    client.publishThen(entry.topic, entry.payload, options, (error, result) => {
      this.#answered(entry, client, error, result);
    });
  }

  #answered(entry: Entry, client: MqttConnection, error: MessError | undefined, result: MqttPublishResult): void {
    if (entry.settled) return;
    if (error === undefined) return this.#settle(entry, receipt(entry, result));
    // The connection is gone, not the message: the next connection gets it.
    if (!client.open) return;
    if (error.reasonCode === quotaExceeded && entry.retryQuota) return this.#park(entry);
    this.#settle(entry, error);
  }

  #park(entry: Entry): void {
    const delay = fullJitter(entry.refusals, quotaBackoff, this.#world.random());
    entry.refusals += 1;
    entry.parked = this.#world.after(delay, () => {
      entry.parked = undefined;
      this.#send(entry);
    });
  }

  #settle(entry: Entry, result: Receipt | MessError): void {
    if (entry.settled) return;
    entry.settled = true;
    entry.parked?.cancel();
    entry.signal?.removeEventListener("abort", entry.onAbort);
    if (this.#entries.delete(entry)) this.#bytes -= entry.bytes;
    this.#admit();
    if (result instanceof MessError) entry.reject(result);
    else entry.resolve(result);
    if (this.pending > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    const told = this.#idle;
    this.#idle = [];
    for (const resolve of told) resolve();
  }

  /** Those who wait for room come in, in order. */
  #admit(): void {
    if (this.#failure !== undefined) return;
    for (let next = this.#waiting.peek(); next !== undefined; next = this.#waiting.peek()) {
      if (!next.settled && !this.#fits(next)) return;
      this.#waiting.shift();
      if (!next.settled) this.#add(next);
    }
  }

  /** A lone large message passes: the bound is for a crowd, the broker's packet size is the bound of a message. */
  #fits({ bytes }: Entry): boolean {
    const { maxMessages, maxBytes } = this.#options;
    return this.#entries.size === 0 || (this.#entries.size < maxMessages && this.#bytes + bytes <= maxBytes);
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.pending === 0) return;
    this.#timer = this.#world.after(tickMs, () => {
      this.#timer = undefined;
      this.#expire(this.#world.monotonic());
      this.#schedule();
    });
  }

  #expire(now: number): void {
    for (const entry of this.#entries) if (entry.deadline <= now) this.#settle(entry, late(entry));
    const expired: Entry[] = [];
    this.#waiting.filter((entry) => !entry.settled && (entry.deadline > now || expired.push(entry) === 0));
    for (const entry of expired) this.#settle(entry, late(entry));
  }

  #full(): MessError {
    return new MessError("QUEUE_FULL", `${this.pending} publishes wait for an answer already`, {
      hint: 'await earlier publishes, or connect with offline: { whenFull: "wait" }',
    });
  }
}

function receipt({ durability, headers }: Entry, { reasonCode, properties }: MqttPublishResult): Receipt {
  const offset = userProperty(properties, "mess-offset");
  return {
    offset: offset === undefined ? undefined : Number(offset),
    duplicate: userProperty(properties, "mess-duplicate") === "1",
    durability,
    id: headers.id,
    subscribed: reasonCode !== 0x10,
  };
}

function late({ sent, refusals, headers }: Entry): MessError {
  if (refusals > 0) {
    return new MessError("REFUSED", "the broker refused the message until its time was over: a quota is reached", {
      reasonCode: quotaExceeded,
      hint: "consumers do not keep up",
    });
  }
  if (!sent) {
    return new MessError("TIMEOUT", "there was no connection in time, the message was not sent", {
      hint: "publish it again",
    });
  }
  return new MessError("TIMEOUT", "the broker did not acknowledge the message in time", { hint: unknown(headers.id) });
}

function aborted(signal: AbortSignal | undefined, sent: boolean): MessError {
  const hint = sent ? "it may or may not have been stored" : "it was not sent";
  return new MessError("ABORTED", "the publish was given up", { hint, cause: signal?.reason });
}

function unknown(id: string | undefined): string {
  const again = id === undefined ? "publish it again and expect a duplicate" : `publish it again with the id "${id}"`;
  return `it may or may not have been stored: ${again}`;
}
