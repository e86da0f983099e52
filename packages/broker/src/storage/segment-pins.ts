/** What one backup holds. Letting go twice changes nothing. */
export class PinSet {
  readonly #held: Map<number, () => void> = new Map();
  readonly #released: Map<number, Promise<void>> = new Map();

  constructor(ids: readonly number[]) {
    for (const id of ids) {
      this.#released.set(id, new Promise((resolve) => this.#held.set(id, resolve)));
    }
  }

  get isEmpty(): boolean {
    return this.#held.size === 0;
  }

  has(id: number): boolean {
    return this.#held.has(id);
  }

  release(id: number): void {
    const resolve = this.#held.get(id);
    this.#held.delete(id);
    resolve?.();
  }

  releaseAll(): void {
    for (const id of [...this.#held.keys()]) this.release(id);
  }

  /** Settles when the segment is not held. */
  async released(id: number): Promise<void> {
    await this.#released.get(id);
  }
}

/** Segments that a backup still has to read: their files are neither recycled nor removed meanwhile. One backup at a time. */
export class SegmentPins {
  #current: PinSet = new PinSet([]);
  #ended = false;

  /** A backup holds something. */
  get busy(): boolean {
    return !this.#current.isEmpty;
  }

  /** The journal closes: nothing is held any more, and a backup under way has to fail. */
  get ended(): boolean {
    return this.#ended;
  }

  isPinned(id: number): boolean {
    return this.#current.has(id);
  }

  /** Only while not `busy`. */
  pin(ids: readonly number[]): PinSet {
    this.#current = new PinSet(ids);
    return this.#current;
  }

  /** Settles when no backup holds the segment. It is dropped by now: no later one can come to hold it. */
  async released(id: number): Promise<void> {
    await this.#current.released(id);
  }

  end(): void {
    this.#ended = true;
    this.#current.releaseAll();
  }
}
