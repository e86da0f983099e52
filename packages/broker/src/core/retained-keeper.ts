/** Retained messages: the last message of a topic, its author's rights and its quotas (MQTT 5.0 section 3.3.1.3). */
import { Reason } from "../model/engine.ts";
import { type MessageView, noExpiry } from "../model/message.ts";
import type { RetainedEntry, State } from "./state.ts";
import { allowed } from "./rights.ts";

/** Index cost of an entry beside its payload: the quota counts it, so that a million empty topics are not free. */
const entryOverheadBytes = 120;

export class RetainedKeeper {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
  }

  /** 0, or why the message may not be kept. Replacing and clearing are always possible. */
  quotaReason(principal: string, topic: string, payloadBytes: number): number {
    const state = this.#state;
    if (payloadBytes === 0 || state.retained.get(topic) !== undefined) return 0;
    const mine = state.retainedOf.get(principal) ?? 0;
    const bytes = state.retainedBytes + payloadBytes + entryOverheadBytes;
    const isOver = mine >= state.limits.retainedPerPrincipalMax && !state.everythingAllowed;
    if (isOver || bytes > state.limits.retainedBytesMax) return Reason.quotaExceeded;
    return 0;
  }

  /** A retained message was recorded at `seq`: keep it, or clear the topic when it is empty [MQTT-3.3.1-5, -6, -7]. */
  apply(seq: number, message: MessageView, topic: string): void {
    const bytes = message.payloadEnd - message.payloadStart;
    if (bytes === 0) {
      this.remove(topic);
      return;
    }
    this.put({
      seq,
      at: seq,
      topic,
      principal: message.principal,
      qos: message.qos,
      expiresAt: message.expirySeconds === noExpiry ? Number.POSITIVE_INFINITY : message.publishedAt + message.expirySeconds * 1000,
      bytes: bytes + entryOverheadBytes,
    });
  }

  put(entry: RetainedEntry): void {
    this.remove(entry.topic);
    const state = this.#state;
    state.retained.set(entry.topic, entry);
    state.retainedBytes += entry.bytes;
    state.retainedOf.set(entry.principal, (state.retainedOf.get(entry.principal) ?? 0) + 1);
  }

  remove(topic: string): void {
    const state = this.#state;
    const entry = state.retained.get(topic);
    if (entry === undefined) return;
    state.retained.delete(topic);
    state.retainedBytes -= entry.bytes;
    const left = (state.retainedOf.get(entry.principal) ?? 1) - 1;
    if (left > 0) state.retainedOf.set(entry.principal, left);
    else state.retainedOf.delete(entry.principal);
  }

  /** The message that a delivery means, if it is still the one, has not expired, and its author may still retain it. */
  current(topic: string, seq: number): RetainedEntry | undefined {
    const entry = this.#state.retained.get(topic);
    if (entry === undefined || entry.seq !== seq) return undefined;
    return entry.expiresAt <= this.#state.clock.now() ? undefined : entry;
  }

  /**
   * Rights changed: what authors may no longer retain is gone for good (LESSONS 7; a later grant does not bring it back).
   * Runs inside the application of a policy record, so recovery does the same.
   */
  dropUnauthorised(): void {
    const state = this.#state;
    const gone: string[] = [];
    state.retained.forEach((entry) => {
      const { principal, topic } = entry;
      const permitted =
        allowed(state, principal, "publish", topic) && allowed(state, principal, "retain", topic);
      if (!permitted) gone.push(topic);
    });
    for (const topic of gone) this.remove(topic);
  }
}
