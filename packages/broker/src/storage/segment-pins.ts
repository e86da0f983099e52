/** Segments that a backup still has to read: their files are neither recycled nor removed meanwhile. One backup at a time. */
export class SegmentPins {
  readonly #pinned: Map<number, () => void> = new Map();
  readonly #released: Map<number, Promise<void>> = new Map();
  #ended = false;

  /** A backup holds something. */
  get busy(): boolean {
    return this.#pinned.size > 0;
  }

  /** The journal closes: nothing is held any more, and a backup under way has to fail. */
  get ended(): boolean {
    return this.#ended;
  }

  isPinned(id: number): boolean {
    return this.#pinned.has(id);
  }

  pin(ids: readonly number[]): void {
    for (const id of ids) {
      this.#released.set(id, new Promise((resolve) => this.#pinned.set(id, resolve)));
    }
  }

  release(id: number): void {
    const resolve = this.#pinned.get(id);
    this.#pinned.delete(id);
    this.#released.delete(id);
    resolve?.();
  }

  releaseAll(): void {
    for (const id of [...this.#pinned.keys()]) this.release(id);
  }

  /** Settles when the segment is not pinned. */
  async released(id: number): Promise<void> {
    await this.#released.get(id);
  }

  end(): void {
    this.#ended = true;
    this.releaseAll();
  }
}
