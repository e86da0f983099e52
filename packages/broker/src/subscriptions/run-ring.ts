const noNumbers: Float64Array = new Float64Array(0);
const initialRuns = 4;
/** An emptied ring of more runs than this is given back. */
const keptRuns = 64;

/**
 * Runs of sequence numbers in order, two flat numbers each: from (negative: scan) and to (negative: the gap before the run
 * is closed). A ring, so that taking from the front and adding at the back cost nothing; in between the shorter side
 * moves. Only `Backlog` knows what the flags mean.
 */
export class RunRing {
  #numbers: Float64Array = noNumbers;
  /** Run 0 is here, in runs. */
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  from(run: number): number {
    return Math.abs(this.#numbers[this.#at(run)] as number);
  }

  to(run: number): number {
    return Math.abs(this.#numbers[this.#at(run) + 1] as number);
  }

  isScan(run: number): boolean {
    return (this.#numbers[this.#at(run)] as number) < 0;
  }

  isClosed(run: number): boolean {
    return (this.#numbers[this.#at(run) + 1] as number) < 0;
  }

  setFrom(run: number, from: number, scan: boolean): void {
    this.#numbers[this.#at(run)] = scan ? -from : from;
  }

  setTo(run: number, to: number, closed: boolean): void {
    this.#numbers[this.#at(run) + 1] = closed ? -to : to;
  }

  /** Makes room for a run before `run`; its numbers are to be set. */
  insert(run: number): void {
    if (this.#length * 2 === this.#numbers.length) this.#grow();
    this.#length += 1;
    if (run * 2 < this.#length - 1) {
      this.#head = this.#wrapped(this.#head - 1);
      for (let i = 0; i < run; i++) this.#copy(i + 1, i);
    } else {
      for (let i = this.#length - 1; i > run; i--) this.#copy(i - 1, i);
    }
  }

  remove(run: number): void {
    if (run * 2 < this.#length) {
      for (let i = run; i > 0; i--) this.#copy(i - 1, i);
      this.#head = this.#wrapped(this.#head + 1);
    } else {
      for (let i = run; i < this.#length - 1; i++) this.#copy(i + 1, i);
    }
    this.#length -= 1;
  }

  /** Keeps the first `length` runs. */
  truncate(length: number): void {
    this.#length = length;
  }

  clear(): void {
    this.#length = 0;
    this.#head = 0;
    if (this.#numbers.length > keptRuns * 2) this.#numbers = noNumbers;
  }

  #at(run: number): number {
    return ((this.#head + run) * 2) & (this.#numbers.length - 1);
  }

  #wrapped(head: number): number {
    return head & (this.#numbers.length / 2 - 1);
  }

  #copy(run: number, to: number): void {
    const source = this.#at(run);
    const target = this.#at(to);
    this.#numbers[target] = this.#numbers[source] as number;
    this.#numbers[target + 1] = this.#numbers[source + 1] as number;
  }

  #grow(): void {
    const larger = new Float64Array(Math.max(initialRuns * 2, this.#numbers.length * 2));
    for (let run = 0; run < this.#length; run++) {
      const at = this.#at(run);
      larger[run * 2] = this.#numbers[at] as number;
      larger[run * 2 + 1] = this.#numbers[at + 1] as number;
    }
    this.#numbers = larger;
    this.#head = 0;
  }
}
