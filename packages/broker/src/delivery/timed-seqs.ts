/** Sequence numbers with a time each, earliest first. Equal times: the smaller number first, on every run alike. */
export class TimedSeqs {
  #times: number[] = [];
  #seqs: number[] = [];

  get size(): number {
    return this.#seqs.length;
  }

  /** The time of the next one; `undefined` when there is none. */
  earliest(): number | undefined {
    return this.#times[0];
  }

  push(time: number, seq: number): void {
    let at = this.#seqs.length;
    this.#times.push(time);
    this.#seqs.push(seq);
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!this.#isBefore(time, seq, above)) break;
      this.#move(above, at);
      at = above;
    }
    this.#put(at, time, seq);
  }

  /** Takes out the earliest whose time has come (time <= now); 0 when there is none. */
  popDue(now: number): number {
    const time = this.#times[0];
    if (time === undefined || time > now) return 0;
    const seq = this.#seqs[0] as number;
    const lastTime = this.#times.pop() as number;
    const lastSeq = this.#seqs.pop() as number;
    if (this.#seqs.length > 0) this.#sink(lastTime, lastSeq);
    return seq;
  }

  clear(): void {
    this.#times = [];
    this.#seqs = [];
  }

  /** Puts the pair in its place, from the top down. */
  #sink(time: number, seq: number): void {
    const length = this.#seqs.length;
    let at = 0;
    while (true) {
      let below = at * 2 + 1;
      if (below >= length) break;
      const right = below + 1;
      if (right < length && this.#isBefore(this.#times[right] as number, this.#seqs[right] as number, below))
        below = right;
      if (this.#isBefore(time, seq, below)) break;
      this.#move(below, at);
      at = below;
    }
    this.#put(at, time, seq);
  }

  #isBefore(time: number, seq: number, other: number): boolean {
    const otherTime = this.#times[other] as number;
    return time < otherTime || (time === otherTime && seq < (this.#seqs[other] as number));
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#times[from] as number, this.#seqs[from] as number);
  }

  #put(at: number, time: number, seq: number): void {
    this.#times[at] = time;
    this.#seqs[at] = seq;
  }
}
