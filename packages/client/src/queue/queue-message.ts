import type { Duration } from "../duration.ts";
import type { Message } from "../topic/message.ts";

/**
 * A message of a declared subscription, leased to this consumer. It is settled once: `ack`, `nack`, `reject` or `release`;
 * each resolves when the broker has recorded it.
 */
export interface QueueMessage<Value = unknown> extends Message<Value> {
  /** 1 for the first try; grows with each nack and each lease that expired, not with lost connections. */
  readonly attempt: number;
  /** Fires when the message is not ours any more: its lease expired, or the connection broke. Hand it to what you call. */
  readonly signal: AbortSignal;
  /** Whether it was settled. */
  readonly settled: boolean;
  /**
   * Done with it.
   *
   * @throws MessError LEASE_LOST: it will be delivered again
   */
  ack(): Promise<void>;
  /**
   * Failed: again after the subscription's backoff, or after `delay`; a dead letter when it was the last attempt.
   *
   * @throws MessError LEASE_LOST
   */
  nack(options?: { readonly delay?: Duration; readonly reason?: string }): Promise<void>;
  /**
   * Never to be tried again: a dead letter at once.
   *
   * @throws MessError LEASE_LOST
   */
  reject(reason?: string): Promise<void>;
  /**
   * Given back untried: delivered again at once, and not counted.
   *
   * @throws MessError LEASE_LOST
   */
  release(): Promise<void>;
  /**
   * The lease lasts so long from now; 30 s, or what the queue was made with.
   *
   * @throws MessError LEASE_LOST
   */
  extend(duration?: Duration): Promise<void>;
}
