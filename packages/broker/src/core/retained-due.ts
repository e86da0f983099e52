/** What is retained for a new subscription, and how much of that all sessions together may have due. */
import type { RetainedEntry, State } from "./state.ts";

/** Eight bytes each. A session has a bound of its own; a thousand sessions that read nothing would have a thousand times that. */
const dueMaxDefault = 4_000_000;
/** Milliseconds between two counts over all sessions. */
const countEveryMs = 1_000;

export class RetainedDue {
  readonly #state: State;
  readonly #dueMax: number;
  #filter = "";
  #changes = -1;
  #items: readonly RetainedEntry[] = [];
  /** At least as many as there are: grows with every list, and is put right by counting. */
  #due = 0;
  #countedAt = Number.NEGATIVE_INFINITY;

  constructor(state: State, dueMax: number = dueMaxDefault) {
    this.#state = state;
    this.#dueMax = dueMax;
  }

  /** In order of publishing. Whoever asks the same while nothing has changed shares the list: it must not be written to. */
  items(filter: string): readonly RetainedEntry[] {
    const { retained } = this.#state;
    if (filter === this.#filter && retained.changes === this.#changes) return this.#items;
    const found: RetainedEntry[] = [];
    retained.matching(filter, (entry) => found.push(entry));
    found.sort((a, b) => a.seq - b.seq);
    this.#filter = filter;
    this.#changes = retained.changes;
    this.#items = found;
    this.#due += found.length;
    return found;
  }

  /** So much is due to sessions that no more may be asked for. */
  get isFull(): boolean {
    if (this.#due < this.#dueMax) return false;
    const now = this.#state.clock.monotonic();
    if (now - this.#countedAt < countEveryMs) return true;
    this.#countedAt = now;
    const lists = new Set<readonly RetainedEntry[]>();
    for (const session of this.#state.sessionsByNumber.values())
      session.retained.forEachList((list) => lists.add(list));
    this.#due = 0;
    for (const list of lists) this.#due += list.length;
    return this.#due >= this.#dueMax;
  }
}
