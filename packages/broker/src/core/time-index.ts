/**
 * From a time to a place in the journal, roughly: some thousand marks over all of it. A mark says that every record before
 * its number was published at its time or earlier, also when the clock was set back meanwhile: then it finds too early a
 * place, never too late a one.
 */
const marksMax = 4_096;
/** Marks closer than this in both are not made; in a long journal a multiple of it. */
const leastMs = 1_000;
const leastRecords = 4_096;

export class TimeIndex {
  #seqs: number[] = [];
  #times: number[] = [];
  #spread = 1;
  /** Latest time that was noted, marked or not. */
  #latest = Number.NEGATIVE_INFINITY;

  get length(): number {
    return this.#seqs.length;
  }

  /** Every record before `seq` was published at `at`, wall-clock time, or earlier. Numbers ascend. */
  note(seq: number, at: number): void {
    const last = this.#seqs.length - 1;
    const time = Math.max(at, this.#latest);
    this.#latest = time;
    if (last >= 0) {
      const ms = time - (this.#times[last] as number);
      const records = seq - (this.#seqs[last] as number);
      if (records <= 0 || (ms < leastMs * this.#spread && records < leastRecords * this.#spread)) return;
    }
    this.#seqs.push(seq);
    this.#times.push(time);
    if (this.#seqs.length > marksMax) this.#thin();
  }

  /** Nothing before this record was published at `at` or later. 0: any record may be the first one. */
  before(at: number): number {
    let low = 0;
    let high = this.#times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#times[middle] as number) < at) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? 0 : (this.#seqs[low - 1] as number);
  }

  /** Records before `seq` are gone. */
  forgetBefore(seq: number): void {
    const gone = this.#seqs.findIndex((known) => known > seq) - 1;
    if (gone < 1) return;
    this.#seqs.splice(0, gone);
    this.#times.splice(0, gone);
    while (this.#spread > 1 && this.#seqs.length < marksMax >> 3) this.#spread /= 2;
  }

  /** Number and time by turns. */
  save(): number[] {
    return this.#seqs.flatMap((seq, i) => [seq, this.#times[i] as number]);
  }

  load(saved: readonly number[]): void {
    this.#seqs = saved.filter((_, i) => i % 2 === 0);
    this.#times = saved.filter((_, i) => i % 2 === 1);
    this.#spread = 1;
    this.#latest = this.#times.at(-1) ?? Number.NEGATIVE_INFINITY;
    if (this.#seqs.length <= marksMax >> 3) return;
    const records = meanStep(this.#seqs);
    const ms = meanStep(this.#times);
    while (records > leastRecords * this.#spread || ms > leastMs * this.#spread) this.#spread *= 2;
  }

  /** Every second one goes, the last stays; those to come are as far apart. */
  #thin(): void {
    this.#spread *= 2;
    const last = this.#seqs.length - 1;
    const stays = (_: number, i: number): boolean => (last - i) % 2 === 0;
    this.#seqs = this.#seqs.filter(stays);
    this.#times = this.#times.filter(stays);
  }
}

function meanStep(numbers: readonly number[]): number {
  return ((numbers.at(-1) ?? 0) - (numbers[0] ?? 0)) / numbers.length;
}
