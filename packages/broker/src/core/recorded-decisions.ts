/** Which rights were asked for of late: so that a new policy can be tried on what really happens. */
import type { Action } from "../model/policy.ts";

export interface RecordedDecision {
  readonly principal: string;
  readonly action: Action;
  /** Topic name, filter (of `subscribe`, `share` and `consume`), or name of a subscription. */
  readonly topic: string;
  readonly isFilter: boolean;
}

/**
 * The newest different questions, bounded. Noted when an answer is worked out, not for each message: who publishes a
 * million messages to a topic asks once.
 */
export class RecordedDecisions {
  readonly #max: number;
  /** In order of their last time, oldest first. */
  readonly #byText: Map<string, RecordedDecision> = new Map();

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#byText.size;
  }

  note(decision: RecordedDecision): void {
    const { action, principal, topic } = decision;
    // A separator that neither names nor topics can hold.
    const text = `${action}\0${principal}\0${topic}`;
    this.#byText.delete(text);
    this.#byText.set(text, decision);
    if (this.#byText.size <= this.#max) return;
    const oldest = this.#byText.keys().next();
    if (oldest.done !== true) this.#byText.delete(oldest.value);
  }

  all(): IterableIterator<RecordedDecision> {
    return this.#byText.values();
  }
}
