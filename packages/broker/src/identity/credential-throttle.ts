import { addressGroup } from "./address-group.ts";

const MINUTE_MS = 60_000;
/** Failures after which the iterator is made anew; see `#forgetOldest`. */
const ITERATOR_FAILURES_MAX = 1_024;

export interface CredentialThrottleOptions {
  /** Failures an address may make in a burst, and again every minute. */
  readonly failuresPerMinute: number;
  /** Addresses remembered; past it the one that failed longest ago is forgotten. */
  readonly addressesMax: number;
}

interface Bucket {
  /** Failures left at `atMs`; may be a fraction. */
  left: number;
  atMs: number;
}

/**
 * Slows the guessing of credentials: a token bucket of failures for each address (IPv6: each /64). Only failures cost,
 * so a busy office behind one address is never held up by its successes. Times are monotonic milliseconds.
 */
export class CredentialThrottle {
  readonly #options: CredentialThrottleOptions;
  /** In order of the last failure, oldest first. Only addresses that failed are in it. */
  readonly #buckets: Map<string, Bucket> = new Map();
  /** Stands before the oldest: all it has passed was deleted. */
  #oldest: Iterator<string> | undefined;
  #failuresOfIterator = 0;

  constructor(options: CredentialThrottleOptions) {
    this.#options = options;
  }

  /** Addresses remembered now. */
  get size(): number {
    return this.#buckets.size;
  }

  /** False while the address has used up its failures: refuse without looking at the credential. */
  allow(address: string, nowMs: number): boolean {
    return this.retryAfterMs(address, nowMs) === 0;
  }

  /** Milliseconds until the address may try again; 0 when it may now. */
  retryAfterMs(address: string, nowMs: number): number {
    const bucket = this.#buckets.get(addressGroup(address));
    if (bucket === undefined) return 0;
    const missing = 1 - this.#refilled(bucket, nowMs);
    return missing <= 0 ? 0 : Math.ceil((missing * MINUTE_MS) / this.#options.failuresPerMinute);
  }

  /** Counts one failure. */
  failed(address: string, nowMs: number): void {
    const group = addressGroup(address);
    const known = this.#buckets.get(group);
    const left = known === undefined ? this.#options.failuresPerMinute : this.#refilled(known, nowMs);
    // Deleted and set again: a map keeps the order of insertion, and with it the order of last failures.
    this.#buckets.delete(group);
    this.#buckets.set(group, { left: Math.max(0, left - 1), atMs: nowMs });
    if (++this.#failuresOfIterator >= ITERATOR_FAILURES_MAX) this.#oldest = undefined;
    if (this.#buckets.size > this.#options.addressesMax) this.#forgetOldest();
  }

  #refilled(bucket: Bucket, nowMs: number): number {
    const earned = (Math.max(0, nowMs - bucket.atMs) * this.#options.failuresPerMinute) / MINUTE_MS;
    return Math.min(this.#options.failuresPerMinute, bucket.left + earned);
  }

  /**
   * The iterator is kept, since a new one passes over the gaps of all that was deleted before. Not for ever, since one
   * that is not moved keeps every table the map has outgrown: gigabytes, while known addresses go on failing.
   */
  #forgetOldest(): void {
    if (this.#oldest === undefined) {
      this.#oldest = this.#buckets.keys();
      this.#failuresOfIterator = 0;
    }
    const oldest = this.#oldest.next();
    if (oldest.done !== true) this.#buckets.delete(oldest.value);
  }
}
