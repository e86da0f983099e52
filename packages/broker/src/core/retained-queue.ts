/** Retained messages that new subscriptions of one session still have to get, in order of subscribing. */
import type { SubscriptionEntry } from "./session.ts";
import type { RetainedEntry } from "./state.ts";

interface Due {
  entry: SubscriptionEntry;
  readonly items: readonly RetainedEntry[];
  /** First one that is not dealt with. */
  next: number;
}

/** One list a subscription, eight bytes an item: the entries are those of the index, or were. */
export class RetainedQueue {
  #lists: Due[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The one that is next, and the subscription it is for; only while `length` is not 0. */
  get item(): RetainedEntry {
    const due = this.#lists[0] as Due;
    return due.items[due.next] as RetainedEntry;
  }

  get entry(): SubscriptionEntry {
    return (this.#lists[0] as Due).entry;
  }

  push(entry: SubscriptionEntry, items: readonly RetainedEntry[]): void {
    if (items.length === 0) return;
    this.#lists.push({ entry, items, next: 0 });
    this.#length += items.length;
  }

  /** The next one is dealt with. */
  shift(): void {
    const due = this.#lists[0];
    if (due === undefined) return;
    due.next++;
    this.#length--;
    if (due.next === due.items.length) this.#lists.shift();
  }

  /** As `shift`, unless another one is next by now. */
  shiftIf(entry: SubscriptionEntry, item: RetainedEntry): void {
    if (this.#length > 0 && this.entry === entry && this.item === item) this.shift();
  }

  /** The subscription was made again: what is due is due to it as it is now. */
  replace(entry: SubscriptionEntry): void {
    for (const due of this.#lists) if (due.entry.text === entry.text) due.entry = entry;
  }

  /** The subscription is gone. */
  drop(filter: string): void {
    this.#keep(this.#lists.filter((due) => due.entry.text !== filter));
  }

  /** Recovery: one copy of this message was dealt with. */
  settle(seq: number): void {
    for (const due of this.#lists) {
      const at = due.items.findIndex((item, i) => i >= due.next && item.seq === seq);
      if (at < 0) continue;
      const left = due.items.filter((_, i) => i >= due.next && i !== at);
      this.#keep(
        this.#lists.flatMap((other) =>
          other !== due ? [other] : left.length > 0 ? [{ ...due, items: left, next: 0 }] : [],
        ),
      );
      return;
    }
  }

  forEachList(visit: (items: readonly RetainedEntry[]) => void): void {
    for (const { items } of this.#lists) visit(items);
  }

  forEach(visit: (entry: SubscriptionEntry, item: RetainedEntry) => void): void {
    for (const { entry, items, next } of this.#lists)
      for (let i = next; i < items.length; i++) visit(entry, items[i] as RetainedEntry);
  }

  #keep(lists: Due[]): void {
    this.#lists = lists;
    this.#length = lists.reduce((sum, { items, next }) => sum + items.length - next, 0);
  }
}
