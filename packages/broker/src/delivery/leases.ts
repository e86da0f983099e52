import { type Deadline, Deadlines } from "./deadlines.ts";

/** What a lease carries for the clockwork here; nobody else touches `before`, `after` and `apart`. */
export interface Timed<L> {
  readonly offset: number;
  /** Monotonic milliseconds. */
  deadline: number;
  before: L | undefined;
  after: L | undefined;
  apart: Deadline<L> | undefined;
}

/**
 * The leases of one queue: by the number of their message, and in the order in which they expire. All are given for the
 * same time, so mostly the newest expires last: a list. Those that were extended, or given for less than the one before,
 * stand in a heap.
 */
export class Leases<L extends Timed<L>> {
  readonly #bySeq: Map<number, L> = new Map();
  #first: L | undefined;
  #last: L | undefined;
  #apart: Deadlines<L> | undefined;

  get size(): number {
    return this.#bySeq.size;
  }

  get(seq: number): L | undefined {
    return this.#bySeq.get(seq);
  }

  values(): IterableIterator<L> {
    return this.#bySeq.values();
  }

  add(lease: L): void {
    this.#bySeq.set(lease.offset, lease);
    this.#place(lease);
  }

  /** False when it is over already. */
  remove(lease: L): boolean {
    if (this.#bySeq.get(lease.offset) !== lease) return false;
    this.#bySeq.delete(lease.offset);
    this.#take(lease);
    return true;
  }

  move(lease: L, deadline: number): void {
    this.#take(lease);
    lease.deadline = deadline;
    this.#place(lease);
  }

  /** When the next one expires. */
  earliest(): number | undefined {
    const first = this.#first?.deadline;
    const apart = this.#apart?.earliest();
    if (first === undefined || apart === undefined) return first ?? apart;
    return Math.min(first, apart);
  }

  /** Takes out what has expired at `now`, at most `most`, and visits each. Returns how many. */
  expire(now: number, visit: (lease: L) => void, most: number): number {
    let expired = 0;
    while (expired < most) {
      const lease = this.#first;
      if (lease === undefined || lease.deadline > now) break;
      this.remove(lease);
      expired++;
      visit(lease);
    }
    if (expired >= most || this.#apart === undefined) return expired;
    return (
      expired +
      this.#apart.due(
        now,
        (lease) => {
          lease.apart = undefined;
          this.#bySeq.delete(lease.offset);
          visit(lease);
        },
        most - expired,
      )
    );
  }

  #place(lease: L): void {
    const last = this.#last;
    if (last !== undefined && last.deadline > lease.deadline) {
      this.#apart ??= new Deadlines();
      lease.apart = this.#apart.set(lease.deadline, lease);
      return;
    }
    lease.before = last;
    if (last === undefined) this.#first = lease;
    else last.after = lease;
    this.#last = lease;
  }

  #take(lease: L): void {
    if (lease.apart !== undefined) {
      this.#apart?.cancel(lease.apart);
      lease.apart = undefined;
      return;
    }
    const { before, after } = lease;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    lease.before = undefined;
    lease.after = undefined;
  }
}
