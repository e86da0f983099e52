/** Sequence numbers, smallest first. Whoever takes one out checks that it still matters: nothing is removed from the middle. */
export class SeqHeap {
  #heap: number[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** 0 when there is none. */
  peek(): number {
    return this.#heap[0] ?? 0;
  }

  push(seq: number): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(seq);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above] as number;
      if (parent <= seq) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = seq;
  }

  /** Takes out the smallest; 0 when there is none. */
  pop(): number {
    const heap = this.#heap;
    const smallest = heap[0] ?? 0;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return smallest;
    let at = 0;
    while (true) {
      let below = at * 2 + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && (heap[below + 1] as number) < (heap[below] as number)) below += 1;
      const child = heap[below] as number;
      if (child >= last) break;
      heap[at] = child;
      at = below;
    }
    heap[at] = last;
    return smallest;
  }

  /** In no order. For checks. */
  values(): readonly number[] {
    return this.#heap;
  }

  clear(): void {
    this.#heap = [];
  }
}
