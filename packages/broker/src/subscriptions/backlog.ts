import { RunRing } from "./run-ring.ts";

const scanFlag = 1;
const closedFlag = 2;
const closedBehindFlag = 4;

/**
 * The sequence numbers that wait for one reader, sent and not acknowledged ones included, as ascending runs. A run
 * `[from, to]` means: every *message* numbered from..to that the reader matches. Records of other kinds in between do
 * not split it, so a million messages for an absent reader are one run of two numbers.
 *
 * Past `runsMax` neighbours with small gaps are joined to a run marked *scan*: messages in it may be another reader's,
 * so whoever reads it matches each again. A gap is *closed* when something was removed from it; it is never joined over,
 * or what was acknowledged would come back (D6). Closed gaps are as few as deliveries acknowledged out of turn, so the
 * runs stay below `runsMax` and the reader's window together.
 *
 * The reader walks with `nextFrom` and says for each number it meets what it was: `remove` when a member is done, `skip`
 * when it is none. Numbers it passes over in silence stay in the runs.
 */
export class Backlog {
  readonly #runsMax: number;
  readonly #ring: RunRing = new RunRing();
  /** Sum of `to - from + 1`. */
  #span = 0;
  #count = 0;
  #exact = true;
  #lastRemoved = 0;
  #coarsenAt: number;

  constructor(runsMax: number) {
    this.#runsMax = Math.max(1, runsMax);
    this.#coarsenAt = this.#runsMax;
  }

  /** Messages appended less those removed; an upper bound when `exact` is false. */
  get count(): number {
    return this.#count;
  }

  get exact(): boolean {
    return this.#exact;
  }

  get runs(): number {
    return this.#ring.length;
  }

  /** The smallest number in a run, 0 when nothing waits. */
  first(): number {
    return this.#ring.length === 0 ? 0 : this.#ring.from(0);
  }

  /**
   * The message `seq` waits from now on. `previousMessageSeq`: the message before it in the journal, whoever reads it.
   * A number at or below the last one is put in its place, and changes nothing when a run covers it: recovery may
   * apply a record again.
   */
  append(seq: number, previousMessageSeq: number): void {
    const last = this.#ring.length - 1;
    const end = last < 0 ? 0 : this.#ring.to(last);
    if (last >= 0 && seq <= end) {
      this.#insertBehind(seq);
      return;
    }
    this.#count += 1;
    if (last >= 0 && end === previousMessageSeq) {
      this.#ring.setTo(last, seq, this.#ring.isClosed(last));
      this.#span += seq - end;
      return;
    }
    this.#ring.insert(this.#ring.length);
    this.#ring.setFrom(last + 1, seq, false);
    this.#ring.setTo(last + 1, seq, this.#lastRemoved > end);
    this.#span += 1;
    if (this.#ring.length > this.#coarsenAt) this.#coarsen();
  }

  /** The smallest number above `after` that lies in a run, 0 when there is none. The record there tells whether it is a member. */
  nextFrom(after: number): number {
    const run = this.#runAt(after + 1);
    if (run === this.#ring.length) return 0;
    const from = this.#ring.from(run);
    return from > after ? from : after + 1;
  }

  /** The last number of the run that holds `seq`, 0 when none does. */
  runEnd(seq: number): number {
    const run = this.#runOf(seq);
    return run < 0 ? 0 : this.#ring.to(run);
  }

  contains(seq: number): boolean {
    return this.#runOf(seq) >= 0;
  }

  /** True when `seq` lies in a run whose members have to be matched again. */
  isScan(seq: number): boolean {
    const run = this.#runOf(seq);
    return run >= 0 && this.#ring.isScan(run);
  }

  /** The member `seq` is done for good. False when no run holds it. */
  remove(seq: number): boolean {
    if (!this.#take(seq, true)) return false;
    if (seq > this.#lastRemoved) this.#lastRemoved = seq;
    if (this.#count > 0) this.#count -= 1;
    this.#settle();
    return true;
  }

  /**
   * `seq` lies in a run but is no member: another kind of record, or a message that does not match. The count stays.
   * Later coarsening may join over it again, to a run that is to be scanned.
   */
  skip(seq: number): boolean {
    if (!this.#take(seq, false)) return false;
    this.#settle();
    return true;
  }

  /**
   * Everything up to `seq` is done. `members`: how many messages that is, if the caller knows; otherwise the count is
   * exact only while the runs have no other records in them.
   */
  dropThrough(seq: number, members?: number): void {
    const wasDense = this.#exact && this.#count === this.#span;
    const before = this.#span;
    while (this.#ring.length > 0 && this.#ring.to(0) <= seq) {
      this.#span -= this.#ring.to(0) - this.#ring.from(0) + 1;
      this.#drop(0);
    }
    if (this.#ring.length > 0 && this.#ring.from(0) <= seq) {
      this.#span -= seq + 1 - this.#ring.from(0);
      this.#ring.setFrom(0, seq + 1, this.#ring.isScan(0));
    }
    if (seq > this.#lastRemoved) this.#lastRemoved = seq;
    const dropped = before - this.#span;
    if (dropped === 0) return;
    if (wasDense) this.#count -= dropped;
    else if (members !== undefined) this.#count = Math.max(0, this.#count - members);
    else this.#exact = false;
    this.#settle();
  }

  forEachRun(visit: (from: number, to: number, scan: boolean) => void): void {
    for (let run = 0; run < this.#ring.length; run++)
      visit(this.#ring.from(run), this.#ring.to(run), this.#ring.isScan(run));
  }

  /** For a snapshot: from, to, flags (1 scan, 2 closed gap before it, 4 closed gap behind the last one), repeated. */
  save(): number[] {
    const saved: number[] = [];
    for (let run = 0; run < this.#ring.length; run++) {
      const closedBehind = run === this.#ring.length - 1 && this.#lastRemoved > this.#ring.to(run);
      const flags =
        (this.#ring.isScan(run) ? scanFlag : 0) |
        (this.#ring.isClosed(run) ? closedFlag : 0) |
        (closedBehind ? closedBehindFlag : 0);
      saved.push(this.#ring.from(run), this.#ring.to(run), flags);
    }
    return saved;
  }

  /**
   * Replaces everything by what `save` gave. `count` as it was then; without it the count is what the runs can hold at
   * most. Throws when the runs do not ascend: they come from our own journal, so that is damage.
   */
  load(runs: readonly number[], count?: number): void {
    this.clear();
    for (let i = 0; i < runs.length; i += 3) {
      const from = runs[i] as number;
      const to = runs[i + 1] as number;
      const flags = runs[i + 2] as number;
      const end = this.#ring.length === 0 ? 0 : this.#ring.to(this.#ring.length - 1);
      if (!(from > end && to >= from && Number.isSafeInteger(from) && Number.isSafeInteger(to))) {
        throw new Error(`A saved backlog is damaged: run ${from}..${to} after ${end}.`);
      }
      const run = this.#ring.length;
      this.#ring.insert(run);
      this.#ring.setFrom(run, from, (flags & scanFlag) !== 0);
      this.#ring.setTo(run, to, (flags & closedFlag) !== 0);
      this.#span += to - from + 1;
      if ((flags & closedBehindFlag) !== 0) this.#lastRemoved = to + 1;
    }
    this.#count = count === undefined ? this.#span : Math.min(count, this.#span);
    this.#exact = count !== undefined || this.#span === 0;
  }

  clear(): void {
    this.#ring.clear();
    this.#span = 0;
    this.#count = 0;
    this.#exact = true;
    this.#lastRemoved = 0;
    this.#coarsenAt = this.#runsMax;
  }

  #insertBehind(seq: number): void {
    const run = this.#runAt(seq);
    if (this.#ring.from(run) <= seq) return;
    const closed = this.#ring.isClosed(run);
    this.#ring.insert(run);
    this.#ring.setFrom(run, seq, false);
    this.#ring.setTo(run, seq, closed);
    this.#span += 1;
    this.#count += 1;
    if (this.#ring.length > this.#coarsenAt) this.#coarsen();
  }

  /** Takes `seq` out of its run; the gap it leaves is closed when `closes`. */
  #take(seq: number, closes: boolean): boolean {
    const run = this.#runOf(seq);
    if (run < 0) return false;
    const from = this.#ring.from(run);
    const to = this.#ring.to(run);
    const scan = this.#ring.isScan(run);
    const closed = this.#ring.isClosed(run);
    this.#span -= 1;
    if (from === to) {
      this.#drop(run);
      if (run < this.#ring.length)
        this.#ring.setTo(run, this.#ring.to(run), this.#ring.isClosed(run) || closed || closes);
    } else if (seq === from) {
      this.#ring.setFrom(run, from + 1, scan);
      this.#ring.setTo(run, to, closed || closes);
    } else if (seq === to) {
      this.#ring.setTo(run, to - 1, closed);
      if (closes && run + 1 < this.#ring.length) this.#ring.setTo(run + 1, this.#ring.to(run + 1), true);
    } else {
      this.#ring.insert(run + 1);
      this.#ring.setFrom(run + 1, seq + 1, scan);
      this.#ring.setTo(run + 1, to, closes);
      this.#ring.setTo(run, seq - 1, closed);
      if (this.#ring.length > this.#coarsenAt) this.#coarsen();
    }
    return true;
  }

  /** No more members than room for them. */
  #settle(): void {
    if (this.#count > this.#span) this.#count = this.#span;
    if (this.#ring.length > 0) return;
    this.#exact = true;
    this.#count = 0;
    this.#coarsenAt = this.#runsMax;
    this.#ring.clear();
  }

  /**
   * Joins the neighbours with the smallest open gaps, oldest first, down to seven eighths of `runsMax`: in batches, so
   * that an append costs the same on average however the messages lie.
   */
  #coarsen(): void {
    const target = this.#runsMax - (this.#runsMax >> 3);
    const gaps = new Float64Array(this.#ring.length - 1);
    let open = 0;
    for (let run = 1; run < this.#ring.length; run++)
      if (!this.#ring.isClosed(run)) gaps[open++] = this.#gapBefore(run);
    const joins = Math.min(open, this.#ring.length - target);
    if (joins > 0) {
      const sorted = gaps.subarray(0, open).sort();
      const widest = sorted[joins - 1] as number;
      let ofWidest = 0;
      for (let i = 0; i < joins; i++) if (sorted[i] === widest) ofWidest += 1;
      this.#join(widest, ofWidest);
      this.#exact = false;
    }
    this.#coarsenAt = this.#coarsenLimit();
  }

  /** Where to coarsen next: at `runsMax`, or some runs on when closed gaps alone are that many. */
  #coarsenLimit(): number {
    return Math.max(this.#runsMax, this.#ring.length + (this.#runsMax >> 3));
  }

  /**
   * Joins over all open gaps narrower than `widest`, and over the first `ofWidest` that are just as wide.
   * Runs move to lower places only, and to those already looked at, so a gap is always read from unmoved runs.
   */
  #join(widest: number, ofWidest: number): void {
    let left = ofWidest;
    let kept = 0;
    for (let run = 1; run < this.#ring.length; run++) {
      const gap = this.#gapBefore(run);
      const joins = !this.#ring.isClosed(run) && (gap < widest || (gap === widest && left > 0));
      const to = this.#ring.to(run);
      const from = this.#ring.from(run);
      const scan = this.#ring.isScan(run);
      const closed = this.#ring.isClosed(run);
      if (joins) {
        if (gap === widest) left -= 1;
        this.#span += from - this.#ring.to(kept) - 1;
        this.#ring.setFrom(kept, this.#ring.from(kept), true);
        this.#ring.setTo(kept, to, this.#ring.isClosed(kept));
      } else {
        kept += 1;
        this.#ring.setFrom(kept, from, scan);
        this.#ring.setTo(kept, to, closed);
      }
    }
    this.#ring.truncate(kept + 1);
  }

  #gapBefore(run: number): number {
    return this.#ring.from(run) - this.#ring.to(run - 1) - 1;
  }

  /** The first run that ends at `seq` or later; the number of runs when none does. */
  #runAt(seq: number): number {
    if (this.#ring.length === 0 || this.#ring.to(0) >= seq) return 0;
    let low = 1;
    let high = this.#ring.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#ring.to(middle) < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The run that holds `seq`, or -1. */
  #runOf(seq: number): number {
    const run = this.#runAt(seq);
    return run < this.#ring.length && this.#ring.from(run) <= seq ? run : -1;
  }

  #drop(run: number): void {
    this.#ring.remove(run);
    if (this.#coarsenAt > this.#runsMax) this.#coarsenAt = Math.min(this.#coarsenAt, this.#coarsenLimit());
  }
}
