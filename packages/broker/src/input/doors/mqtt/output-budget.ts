/**
 * Memory of what goes out, all connections together. What one may hold alone is bounded too, but a thousand that stop
 * reading hold a thousand times that (THREATS A14).
 */

/** What a connection may hold however many there are: less would make each message a write of its own. */
const shareLeast = 8 * 1_024;
/** What waits for the kernel, and what gathers meanwhile. */
const chunksEach = 2;

export class OutputBudget {
  readonly #bytesMax: number;
  #held = 0;
  #holders = 0;
  /** Bytes that may wait for one connection now, if all that have something waiting share alike. */
  share: number;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.share = bytesMax;
  }

  /** Bytes of memory held now. */
  get held(): number {
    return this.#held;
  }

  /** Who holds more than its share and takes nothing has to go. */
  get isSpent(): boolean {
    return this.#held >= this.#bytesMax;
  }

  /** Publishers should wait for their receivers. */
  get isTight(): boolean {
    return this.#held >= this.#bytesMax / 2;
  }

  /** `isFirst`: the connection held nothing before. */
  take(bytes: number, isFirst: boolean): void {
    this.#held += bytes;
    if (isFirst) this.#count(1);
  }

  /** `isLast`: the connection holds nothing now. */
  give(bytes: number, isLast: boolean): void {
    this.#held -= bytes;
    if (isLast) this.#count(-1);
  }

  #count(change: 1 | -1): void {
    this.#holders += change;
    this.share = Math.max(shareLeast, this.#bytesMax / (chunksEach * Math.max(this.#holders, 1)));
  }
}
