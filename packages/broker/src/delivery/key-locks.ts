/** A key that somebody has, and the numbers that wait for it, in order from `next` on. */
interface Lock {
  holder: number;
  parked: number[];
  next: number;
}

const nothing: number[] = [];

/** Which message of each key may go: one at a time, in order. A message keeps its key until it is done for good. */
export class KeyLocks {
  readonly #locks: Map<string, Lock> = new Map();
  #parked = 0;

  /** Messages that wait behind an earlier one of their key. */
  get parked(): number {
    return this.#parked;
  }

  /** Keys that somebody has. */
  get busy(): number {
    return this.#locks.size;
  }

  holderOf(key: string): number {
    return this.#locks.get(key)?.holder ?? 0;
  }

  /** True when `seq` has the key now; otherwise it waits for it, in the order of the calls. */
  acquire(key: string, seq: number): boolean {
    const lock = this.#locks.get(key);
    if (lock === undefined) {
      this.#locks.set(key, { holder: seq, parked: nothing, next: 0 });
      return true;
    }
    if (lock.holder === seq) return true;
    if (lock.parked === nothing) lock.parked = [];
    lock.parked.push(seq);
    this.#parked++;
    return false;
  }

  /** `seq` is done. The number that has the key from now on; 0 when nobody waits for it, or `seq` did not have it. */
  release(key: string, seq: number): number {
    const lock = this.#locks.get(key);
    if (lock === undefined || lock.holder !== seq) return 0;
    const heir = lock.parked[lock.next];
    if (heir === undefined) {
      this.#locks.delete(key);
      return 0;
    }
    lock.holder = heir;
    lock.next++;
    this.#parked--;
    // What was taken is dropped in batches: a shift of each would move the rest each time.
    if (lock.next > 32 && lock.next * 2 > lock.parked.length) {
      lock.parked = lock.parked.slice(lock.next);
      lock.next = 0;
    }
    return heir;
  }

  /** The key that `seq` has. Looks through all of them: for what is rare. */
  keyOf(seq: number): string | undefined {
    for (const [key, { holder }] of this.#locks) if (holder === seq) return key;
    return undefined;
  }

  /** `seq` does not wait for the key any more. */
  unpark(key: string, seq: number): void {
    const lock = this.#locks.get(key);
    const at = lock?.parked.indexOf(seq, lock.next) ?? -1;
    if (lock === undefined || at < 0) return;
    lock.parked.splice(at, 1);
    this.#parked--;
  }

  clear(): void {
    this.#locks.clear();
    this.#parked = 0;
  }

  /** For checks. */
  forEachHolder(visit: (seq: number, key: string) => void): void {
    for (const [key, { holder }] of this.#locks) visit(holder, key);
  }

  /** For checks: every number that waits for a key. */
  forEachParked(visit: (seq: number, key: string) => void): void {
    for (const [key, lock] of this.#locks)
      for (let i = lock.next; i < lock.parked.length; i++) visit(lock.parked[i] as number, key);
  }
}
