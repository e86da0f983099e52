/** Token buckets: how much may come, in messages and in bytes. Time is handed in, as milliseconds that never go back. */

/** A second of each may come at once. 0: as much as one likes. */
export interface Rate {
  readonly messagesPerSecond: number;
  readonly bytesPerSecond: number;
}

/**
 * What may come is asked before, and what came is taken after, into debt if need be: a message larger than a second's
 * worth can still be sent, and what had arrived when the bucket ran dry need not be thrown away. Debt is paid back
 * by waiting, so that over time the rate is exact.
 */
export class Meter {
  readonly rate: Rate;
  #messages: number;
  #bytes: number;
  #at = Number.NEGATIVE_INFINITY;

  constructor(rate: Rate) {
    this.rate = rate;
    this.#messages = rate.messagesPerSecond;
    this.#bytes = rate.bytesPerSecond;
  }

  /** Milliseconds until something may come again; 0 when it may now. */
  waitMs(now: number): number {
    this.#fill(now);
    return Math.max(this.#messagesMs, this.#bytesMs);
  }

  /** Which of the two is to be waited for. As of the last `waitMs`. */
  get scarce(): "messages" | "bytes" {
    return this.#bytesMs > this.#messagesMs ? "bytes" : "messages";
  }

  take(messages: number, bytes: number, now: number): void {
    this.#fill(now);
    if (this.rate.messagesPerSecond > 0) this.#messages -= messages;
    if (this.rate.bytesPerSecond > 0) this.#bytes -= bytes;
  }

  /** Nothing was taken that has not come back: it is the same as a new one. */
  isFull(now: number): boolean {
    this.#fill(now);
    const { messagesPerSecond, bytesPerSecond } = this.rate;
    return this.#messages >= messagesPerSecond && this.#bytes >= bytesPerSecond;
  }

  get #messagesMs(): number {
    const { messagesPerSecond } = this.rate;
    return messagesPerSecond > 0 && this.#messages <= 0 ? msFor(-this.#messages, messagesPerSecond) : 0;
  }

  get #bytesMs(): number {
    const { bytesPerSecond } = this.rate;
    return bytesPerSecond > 0 && this.#bytes <= 0 ? msFor(-this.#bytes, bytesPerSecond) : 0;
  }

  #fill(now: number): void {
    if (now <= this.#at) return;
    const { messagesPerSecond, bytesPerSecond } = this.rate;
    const seconds = (now - this.#at) / 1_000;
    this.#at = now;
    // Not times zero: the first time is after an infinity.
    if (messagesPerSecond > 0)
      this.#messages = Math.min(messagesPerSecond, this.#messages + seconds * messagesPerSecond);
    if (bytesPerSecond > 0) this.#bytes = Math.min(bytesPerSecond, this.#bytes + seconds * bytesPerSecond);
  }
}

/** At least one: with nothing owed the next moment will do, but not this one. */
function msFor(owed: number, perSecond: number): number {
  return Math.max(1, (owed / perSecond) * 1_000);
}
