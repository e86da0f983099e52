/**
 * The last changes of subscriptions, so that a topic that none of them touches keeps its receivers: while thousands of
 * clients subscribe, the topics of all others would be matched again and again.
 */

const remembered = 1_024;
/** Looking at so many changes costs about what matching the topic anew does; each receiver adds one to it. */
const changesWorthwhile = 32;

export class SubscriptionChanges {
  /** Levels of the filters that changed; the change that led to generation g is at g modulo the length. */
  readonly #filters: (readonly string[])[] = new Array<readonly string[]>(remembered).fill([]);

  /** `generation`: after the change. */
  add(generation: number, filter: string): void {
    this.#filters[generation % remembered] = filter.split("/");
  }

  /** True when no change after generation `from`, up to `to`, is one of a filter that matches the topic; false too when that is not worth finding out. */
  leaveAlone(topic: string, from: number, to: number, receivers: number): boolean {
    const changes = to - from;
    if (from < 0 || changes > remembered || changes > changesWorthwhile + receivers) return false;
    const levels = topic.split("/");
    for (let generation = from + 1; generation <= to; generation++) {
      if (matches(this.#filters[generation % remembered] as readonly string[], levels)) return false;
    }
    return true;
  }
}

/** Wildcards that lead a filter match `$` topics here too: matching once too often is harmless. */
function matches(filter: readonly string[], topic: readonly string[]): boolean {
  for (let i = 0; i < filter.length; i++) {
    const level = filter[i];
    if (level === "#") return true;
    if (i >= topic.length || (level !== "+" && level !== topic[i])) return false;
  }
  return filter.length === topic.length;
}
