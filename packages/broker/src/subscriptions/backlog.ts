const noRing: Float64Array = new Float64Array(0);
const initialRuns = 4;
/** An emptied ring of more runs than this is given back. */
const keptRuns = 64;
const scanFlag = 1;
const closedFlag = 2;

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
  /** Two numbers a run: from (negative: scan) and to (negative: the gap before the run is closed). */
  #ring: Float64Array = noRing;
  #head = 0;
  #runs = 0;
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
    return this.#runs;
  }

  /** The smallest number in a run, 0 when nothing waits. */
  first(): number {
    return this.#runs === 0 ? 0 : this.#from(0);
  }

  /**
   * The message `seq` waits from now on. `previousMessageSeq`: the message before it in the journal, whoever reads it.
   * A number at or below the last one is put in its place, and changes nothing when a run covers it: recovery may
   * apply a record again.
   */
  append(seq: number, previousMessageSeq: number): void {
    const last = this.#runs - 1;
    const end = last < 0 ? 0 : this.#to(last);
    if (last >= 0 && seq <= end) {
      this.#insertBehind(seq);
      return;
    }
    this.#count += 1;
    if (last >= 0 && end === previousMessageSeq) {
      this.#setTo(last, seq, this.#isClosed(last));
      this.#span += seq - end;
      return;
    }
    this.#openSlot(this.#runs);
    this.#setFrom(last + 1, seq, false);
    this.#setTo(last + 1, seq, this.#lastRemoved > end);
    this.#span += 1;
    if (this.#runs > this.#coarsenAt) this.#coarsen();
  }

  /** The smallest number above `after` that lies in a run, 0 when there is none. The record there tells whether it is a member. */
  nextFrom(after: number): number {
    const run = this.#runAt(after + 1);
    if (run === this.#runs) return 0;
    const from = this.#from(run);
    return from > after ? from : after + 1;
  }

  /** The last number of the run that holds `seq`, 0 when none does. */
  runEnd(seq: number): number {
    const run = this.#runOf(seq);
    return run < 0 ? 0 : this.#to(run);
  }

  contains(seq: number): boolean {
    return this.#runOf(seq) >= 0;
  }

  /** True when `seq` lies in a run whose members have to be matched again. */
  isScan(seq: number): boolean {
    const run = this.#runOf(seq);
    return run >= 0 && this.#isScanRun(run);
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
    while (this.#runs > 0 && this.#to(0) <= seq) {
      this.#span -= this.#to(0) - this.#from(0) + 1;
      this.#closeSlot(0);
    }
    if (this.#runs > 0 && this.#from(0) <= seq) {
      this.#span -= seq + 1 - this.#from(0);
      this.#setFrom(0, seq + 1, this.#isScanRun(0));
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
    for (let run = 0; run < this.#runs; run++) visit(this.#from(run), this.#to(run), this.#isScanRun(run));
  }

  /** For a snapshot: from, to, flags (1 scan, 2 closed gap before it), repeated. */
  save(): number[] {
    const saved: number[] = [];
    for (let run = 0; run < this.#runs; run++) {
      const flags = (this.#isScanRun(run) ? scanFlag : 0) | (this.#isClosed(run) ? closedFlag : 0);
      saved.push(this.#from(run), this.#to(run), flags);
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
      const end = this.#runs === 0 ? 0 : this.#to(this.#runs - 1);
      if (!(from > end && to >= from && Number.isSafeInteger(from) && Number.isSafeInteger(to))) {
        throw new Error(`A saved backlog is damaged: run ${from}..${to} after ${end}.`);
      }
      const run = this.#runs;
      this.#openSlot(run);
      this.#setFrom(run, from, (flags & scanFlag) !== 0);
      this.#setTo(run, to, (flags & closedFlag) !== 0);
      this.#span += to - from + 1;
    }
    // What was removed behind the last run was not saved: the gap there counts as closed.
    if (this.#runs > 0) this.#lastRemoved = this.#to(this.#runs - 1) + 1;
    this.#count = count === undefined ? this.#span : Math.min(count, this.#span);
    this.#exact = count !== undefined || this.#span === 0;
  }

  clear(): void {
    this.#ring = noRing;
    this.#head = 0;
    this.#runs = 0;
    this.#span = 0;
    this.#count = 0;
    this.#exact = true;
    this.#lastRemoved = 0;
    this.#coarsenAt = this.#runsMax;
  }

  #insertBehind(seq: number): void {
    const run = this.#runAt(seq);
    if (this.#from(run) <= seq) return;
    const closed = this.#isClosed(run);
    this.#openSlot(run);
    this.#setFrom(run, seq, false);
    this.#setTo(run, seq, closed);
    this.#span += 1;
    this.#count += 1;
    if (this.#runs > this.#coarsenAt) this.#coarsen();
  }

  /** Takes `seq` out of its run; the gap it leaves is closed when `closes`. */
  #take(seq: number, closes: boolean): boolean {
    const run = this.#runOf(seq);
    if (run < 0) return false;
    const from = this.#from(run);
    const to = this.#to(run);
    const scan = this.#isScanRun(run);
    const closed = this.#isClosed(run);
    this.#span -= 1;
    if (from === to) {
      this.#closeSlot(run);
      if (run < this.#runs) this.#setTo(run, this.#to(run), this.#isClosed(run) || closed || closes);
    } else if (seq === from) {
      this.#setFrom(run, from + 1, scan);
      this.#setTo(run, to, closed || closes);
    } else if (seq === to) {
      this.#setTo(run, to - 1, closed);
      if (closes && run + 1 < this.#runs) this.#setTo(run + 1, this.#to(run + 1), true);
    } else {
      this.#openSlot(run + 1);
      this.#setFrom(run + 1, seq + 1, scan);
      this.#setTo(run + 1, to, closes);
      this.#setTo(run, seq - 1, closed);
      if (this.#runs > this.#coarsenAt) this.#coarsen();
    }
    return true;
  }

  /** No more members than room for them. */
  #settle(): void {
    if (this.#count > this.#span) this.#count = this.#span;
    if (this.#runs > 0) return;
    this.#exact = true;
    this.#count = 0;
    this.#head = 0;
    this.#coarsenAt = this.#runsMax;
    if (this.#ring.length > keptRuns * 2) this.#ring = noRing;
  }

  /**
   * Joins the neighbours with the smallest open gaps, oldest first, down to seven eighths of `runsMax`: in batches, so
   * that an append costs the same on average however the messages lie.
   */
  #coarsen(): void {
    const target = this.#runsMax - (this.#runsMax >> 3);
    const gaps = new Float64Array(this.#runs - 1);
    let open = 0;
    for (let run = 1; run < this.#runs; run++) if (!this.#isClosed(run)) gaps[open++] = this.#gapBefore(run);
    const joins = Math.min(open, this.#runs - target);
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
    return Math.max(this.#runsMax, this.#runs + (this.#runsMax >> 3));
  }

  /**
   * Joins over all open gaps narrower than `widest`, and over the first `ofWidest` that are just as wide.
   * Runs move to lower places only, and to those already looked at, so a gap is always read from unmoved runs.
   */
  #join(widest: number, ofWidest: number): void {
    let left = ofWidest;
    let kept = 0;
    for (let run = 1; run < this.#runs; run++) {
      const gap = this.#gapBefore(run);
      const joins = !this.#isClosed(run) && (gap < widest || (gap === widest && left > 0));
      const to = this.#to(run);
      const from = this.#from(run);
      const scan = this.#isScanRun(run);
      const closed = this.#isClosed(run);
      if (joins) {
        if (gap === widest) left -= 1;
        this.#span += from - this.#to(kept) - 1;
        this.#setFrom(kept, this.#from(kept), true);
        this.#setTo(kept, to, this.#isClosed(kept));
      } else {
        kept += 1;
        this.#setFrom(kept, from, scan);
        this.#setTo(kept, to, closed);
      }
    }
    this.#runs = kept + 1;
  }

  #gapBefore(run: number): number {
    return this.#from(run) - this.#to(run - 1) - 1;
  }

  /** The first run that ends at `seq` or later; `#runs` when none does. */
  #runAt(seq: number): number {
    if (this.#runs === 0 || this.#to(0) >= seq) return 0;
    let low = 1;
    let high = this.#runs;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#to(middle) < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The run that holds `seq`, or -1. */
  #runOf(seq: number): number {
    const run = this.#runAt(seq);
    return run < this.#runs && this.#from(run) <= seq ? run : -1;
  }

  #at(run: number): number {
    return (((this.#head + run) * 2) & (this.#ring.length - 1)) >>> 0;
  }

  #from(run: number): number {
    return Math.abs(this.#ring[this.#at(run)] as number);
  }

  #to(run: number): number {
    return Math.abs(this.#ring[this.#at(run) + 1] as number);
  }

  #isScanRun(run: number): boolean {
    return (this.#ring[this.#at(run)] as number) < 0;
  }

  #isClosed(run: number): boolean {
    return (this.#ring[this.#at(run) + 1] as number) < 0;
  }

  #setFrom(run: number, from: number, scan: boolean): void {
    this.#ring[this.#at(run)] = scan ? -from : from;
  }

  #setTo(run: number, to: number, closed: boolean): void {
    this.#ring[this.#at(run) + 1] = closed ? -to : to;
  }

  #copy(run: number, to: number): void {
    const source = this.#at(run);
    const target = this.#at(to);
    this.#ring[target] = this.#ring[source] as number;
    this.#ring[target + 1] = this.#ring[source + 1] as number;
  }

  /** Makes room for a run at `run`, moving the shorter side. */
  #openSlot(run: number): void {
    if (this.#runs * 2 === this.#ring.length) this.#grow();
    this.#runs += 1;
    if (run * 2 < this.#runs && run < this.#runs - 1) {
      this.#head = this.#wrapped(this.#head - 1);
      for (let i = 0; i < run; i++) this.#copy(i + 1, i);
    } else {
      for (let i = this.#runs - 1; i > run; i--) this.#copy(i - 1, i);
    }
  }

  /** Takes the run out, moving the shorter side. */
  #closeSlot(run: number): void {
    if (run * 2 < this.#runs) {
      for (let i = run; i > 0; i--) this.#copy(i - 1, i);
      this.#head = this.#wrapped(this.#head + 1);
    } else {
      for (let i = run; i < this.#runs - 1; i++) this.#copy(i + 1, i);
    }
    this.#runs -= 1;
    if (this.#coarsenAt > this.#runsMax) this.#coarsenAt = Math.min(this.#coarsenAt, this.#coarsenLimit());
  }

  #wrapped(head: number): number {
    return head & (this.#ring.length / 2 - 1);
  }

  #grow(): void {
    const larger = new Float64Array(Math.max(initialRuns * 2, this.#ring.length * 2));
    for (let run = 0; run < this.#runs; run++) {
      const at = this.#at(run);
      larger[run * 2] = this.#ring[at] as number;
      larger[run * 2 + 1] = this.#ring[at + 1] as number;
    }
    this.#ring = larger;
    this.#head = 0;
  }
}
