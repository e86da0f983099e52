/** Retained messages: the last message of a topic, its author's rights and its quotas (MQTT 5.0 section 3.3.1.3). */

import { readAttribute } from "../model/attributes.ts";
import { ownerOf } from "../model/derived-principal.ts";
import { Reason } from "../model/engine.ts";
import { type MessageView, noExpiry } from "../model/message.ts";
import { allowed } from "./rights.ts";
import type { RetainedEntry, State } from "./state.ts";

/** Index cost of an entry beside its payload: the quota counts it, so that a million empty topics are not free. */
const entryOverheadBytes = 120;
const sweptAtOnce = 10_000;

export class RetainedKeeper {
  readonly #state: State;
  /** Where `dropExpired` stands. */
  #sweep: IterableIterator<[string, RetainedEntry]> | undefined;

  constructor(state: State) {
    this.#state = state;
  }

  /**
   * 0, or why the message may not be kept. Replacing and clearing are always possible. `coming`: others that are about
   * to be kept.
   */
  quotaReason(
    principal: string,
    topic: string,
    payloadBytes: number,
    coming: { readonly retained: number; readonly retainedBytes: number },
  ): number {
    const state = this.#state;
    if (payloadBytes === 0 || state.retained.get(topic) !== undefined) return 0;
    const mine = (state.retainedOf.get(ownerOf(principal)) ?? 0) + coming.retained;
    const comingBytes = coming.retainedBytes + coming.retained * entryOverheadBytes;
    const bytes = state.retainedBytes + comingBytes + payloadBytes + entryOverheadBytes;
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
      // The token it came with may be over: what it left is its owner's, and stays as long as the owner may retain it.
      principal: ownerOf(message.principal),
      qos: message.qos,
      expiresAt:
        message.expirySeconds === noExpiry
          ? Number.POSITIVE_INFINITY
          : message.publishedAt + message.expirySeconds * 1000,
      bytes: bytes + entryOverheadBytes,
      ...domainOf(message),
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

  /** Is it still the one of its topic, and has it not expired? What its author may no longer retain is gone at once. */
  isCurrent(entry: RetainedEntry): boolean {
    return this.#state.retained.get(entry.topic) === entry && entry.expiresAt > this.#state.clock.now();
  }

  /**
   * Forgets what has expired, some thousand topics a call. Nothing is recorded: the time says it again after a restart,
   * and until then nobody is given such a message.
   */
  dropExpired(): void {
    const now = this.#state.clock.now();
    const sweep = this.#sweep ?? this.#state.retained.entries();
    this.#sweep = sweep;
    for (let looked = 0; looked < sweptAtOnce; looked++) {
      const next = sweep.next();
      if (next.done === true) {
        this.#sweep = undefined;
        return;
      }
      const [topic, entry] = next.value;
      if (entry.expiresAt <= now) this.remove(topic);
    }
  }

  /** Domains were erased: what was retained in them is gone. Runs inside the application of that record. */
  dropErased(): void {
    const { retained, erasure } = this.#state;
    const gone: string[] = [];
    retained.forEach(({ topic, domain }) => {
      if (domain !== undefined && !erasure.isLive(domain)) gone.push(topic);
    });
    for (const topic of gone) this.remove(topic);
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
      const permitted = allowed(state, principal, "publish", topic) && allowed(state, principal, "retain", topic);
      if (!permitted) gone.push(topic);
    });
    for (const topic of gone) this.remove(topic);
  }
}

function domainOf(message: MessageView): { domain?: number } {
  const domain = message.hasAttributes ? readAttribute(message, "domain") : undefined;
  return domain === undefined ? {} : { domain };
}
