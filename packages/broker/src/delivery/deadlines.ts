/** A deadline that was set; what it is cancelled and moved by. */
export interface Deadline<T> {
  readonly time: number;
  readonly value: T;
  /** False once it fell due or was cancelled. */
  readonly pending: boolean;
}

interface Entry<T> extends Deadline<T> {
  time: number;
  pending: boolean;
  /** Grows with each set and move: equal times fall due in that order, on every run alike. */
  order: number;
  /** Place in the heap; -1 when not in it. */
  at: number;
}

/** Deadlines in one binary heap: set, move and cancel in O(log n). Times are the caller's (monotonic milliseconds). */
export class Deadlines<T> {
  readonly #heap: Entry<T>[] = [];
  #order = 0;

  get size(): number {
    return this.#heap.length;
  }

  set(time: number, value: T): Deadline<T> {
    const entry: Entry<T> = { time, value, pending: true, order: ++this.#order, at: this.#heap.length };
    this.#heap.push(entry);
    this.#up(entry);
    return entry;
  }

  /** False when it fell due or was cancelled before: harmless. */
  cancel(deadline: Deadline<T>): boolean {
    const entry = deadline as Entry<T>;
    if (!entry.pending) return false;
    entry.pending = false;
    if (entry.at >= 0) this.#remove(entry);
    return true;
  }

  /** Another time for a deadline that is pending; false when it is not any more. */
  move(deadline: Deadline<T>, time: number): boolean {
    const entry = deadline as Entry<T>;
    if (!entry.pending) return false;
    if (entry.at >= 0) this.#remove(entry);
    entry.time = time;
    entry.order = ++this.#order;
    entry.at = this.#heap.length;
    this.#heap.push(entry);
    this.#up(entry);
    return true;
  }

  /** The time of the next one, or `undefined` when there is none. */
  earliest(): number | undefined {
    return this.#heap[0]?.time;
  }

  /**
   * Takes out what is due at `now` (time <= now), in order, and visits it; at most `most` of them. Returns how many were
   * visited. `visit` may set, move and cancel: what it cancels or moves is not visited, what it sets waits for the next
   * call even if due, so a visit that sets itself again cannot hold the loop. If `visit` throws, the others stay set.
   */
  due(now: number, visit: (value: T) => void, most: number = Number.POSITIVE_INFINITY): number {
    const taken = this.#take(now, most);
    let visited = 0;
    let next = 0;
    try {
      while (next < taken.length) {
        const entry = taken[next++] as Entry<T>;
        if (!entry.pending || entry.at >= 0) continue;
        entry.pending = false;
        visited += 1;
        visit(entry.value);
      }
    } finally {
      for (; next < taken.length; next++) {
        const entry = taken[next] as Entry<T>;
        if (!entry.pending || entry.at >= 0) continue;
        entry.at = this.#heap.length;
        this.#heap.push(entry);
        this.#up(entry);
      }
    }
    return visited;
  }

  #take(now: number, most: number): Entry<T>[] {
    const taken: Entry<T>[] = [];
    while (taken.length < most) {
      const entry = this.#heap[0];
      if (entry === undefined || entry.time > now) break;
      this.#remove(entry);
      taken.push(entry);
    }
    return taken;
  }

  #remove(entry: Entry<T>): void {
    const last = this.#heap.pop() as Entry<T>;
    if (last !== entry) {
      last.at = entry.at;
      this.#heap[last.at] = last;
      this.#up(last);
      this.#down(last);
    }
    entry.at = -1;
  }

  #up(entry: Entry<T>): void {
    const heap = this.#heap;
    let at = entry.at;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above] as Entry<T>;
      if (!isBefore(entry, parent)) break;
      heap[at] = parent;
      parent.at = at;
      at = above;
    }
    heap[at] = entry;
    entry.at = at;
  }

  #down(entry: Entry<T>): void {
    const heap = this.#heap;
    let at = entry.at;
    while (true) {
      let below = at * 2 + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1] as Entry<T>, heap[below] as Entry<T>)) below += 1;
      const child = heap[below] as Entry<T>;
      if (!isBefore(child, entry)) break;
      heap[at] = child;
      child.at = at;
      at = below;
    }
    heap[at] = entry;
    entry.at = at;
  }
}

function isBefore<T>(a: Entry<T>, b: Entry<T>): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order);
}
