/** Which rights were asked for of late: so that a new policy can be tried on what really happens. */
import type { Action } from "../model/policy.ts";

export interface RecordedDecision {
  readonly principal: string;
  readonly action: Action;
  /** Topic name, filter (of `subscribe`, `share` and `consume`), or name of a subscription. */
  readonly topic: string;
  readonly isFilter: boolean;
}

/** Notes after which the iterator is made anew. */
const iteratorNotesMax = 1_024;

/**
 * The newest different questions, bounded. Noted when an answer is worked out, not for each message: who publishes a
 * million messages to a topic asks once.
 */
export class RecordedDecisions {
  readonly #max: number;
  /** In order of their last time, oldest first. */
  readonly #byText: Map<string, RecordedDecision> = new Map();
  /** Stands before the oldest: all it has passed was deleted. A new one would pass over the gaps of all that was. */
  #oldest: IterableIterator<string> | undefined;
  #notesOfIterator = 0;

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
    // Not for ever, since one that is not moved keeps every table that the map has outgrown.
    if (++this.#notesOfIterator >= iteratorNotesMax) this.#oldest = undefined;
    if (this.#byText.size > this.#max) this.#forgetOldest();
  }

  #forgetOldest(): void {
    if (this.#oldest === undefined) {
      this.#oldest = this.#byText.keys();
      this.#notesOfIterator = 0;
    }
    const oldest = this.#oldest.next();
    if (oldest.done !== true) this.#byText.delete(oldest.value);
  }

  all(): IterableIterator<RecordedDecision> {
    return this.#byText.values();
  }
}
