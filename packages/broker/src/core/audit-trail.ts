/** Where the audit records lie: an index of runs of them, small enough to be kept for years of records. */

/** Audit records that are read, carried and forgotten together. Their numbers ascend. */
export interface AuditRun {
  /** Numbers that its first and last record had when they were written; they keep them when they are carried. */
  from: number;
  to: number;
  count: number;
  bytes: number;
  /** Wall-clock milliseconds of the last one. */
  lastAt: number;
  /** 0: its records are where they were written. Else the record that holds copies of all of them. */
  place: number;
}

export interface AuditBounds {
  readonly keepMs: number;
  readonly bytesMax: number;
}

/** Records of a run: so much is copied at a time when their segment goes. */
const runRecordsMax = 256;
const runBytesMax = 64 * 1024;
/** A run does not reach over more numbers than these, so that reading it reads little else. */
const runReachMax = 4_096;
/** Nor over a longer pause, so that old records do not stay for the sake of new ones. */
const runPauseMs = 600_000;

/** Numbers of one run as `save` gives them. */
const savedNumbers = 6;

export class AuditTrail {
  /** In the order of their first numbers. */
  #runs: AuditRun[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get runs(): readonly AuditRun[] {
    return this.#runs;
  }

  /** An audit record was written. */
  note(seq: number, at: number, bytes: number): void {
    const last = this.#runs.at(-1);
    const fits =
      last !== undefined &&
      last.place === 0 &&
      last.count < runRecordsMax &&
      last.bytes + bytes <= runBytesMax &&
      seq - last.from < runReachMax &&
      at - last.lastAt < runPauseMs;
    this.#bytes += bytes;
    if (!fits) {
      this.#runs.push({ from: seq, to: seq, count: 1, bytes, lastAt: at, place: 0 });
      return;
    }
    last.to = seq;
    last.count++;
    last.bytes += bytes;
    last.lastAt = Math.max(last.lastAt, at);
  }

  /** Copies of records of one run, from its first one on, were written. What they leave of it stays where it is. */
  carried(copy: AuditRun): void {
    const index = this.#runs.findIndex(({ to }) => to >= copy.from);
    const run = this.#runs[index];
    // Forgotten meanwhile.
    if (run === undefined || run.from > copy.to) return;
    if (run.to <= copy.to) {
      this.#runs[index] = copy;
      return;
    }
    run.from = copy.to + 1;
    run.count -= copy.count;
    run.bytes -= copy.bytes;
    this.#runs.splice(index, 0, copy);
  }

  /** Forgets the oldest runs past their time, and while there is more than may be. */
  trim(now: number, { keepMs, bytesMax }: AuditBounds): void {
    let gone = 0;
    while (gone < this.#runs.length) {
      const run = this.#runs[gone] as AuditRun;
      if (run.lastAt + keepMs > now && this.#bytes <= bytesMax) break;
      this.#bytes -= run.bytes;
      gone++;
    }
    if (gone > 0) this.#runs = this.#runs.slice(gone);
  }

  save(): number[] {
    return this.#runs.flatMap(({ from, to, count, bytes, lastAt, place }) => [from, to, count, bytes, lastAt, place]);
  }

  /** Adds what `save` gave, a whole or a part of it in its order. */
  load(numbers: readonly number[]): void {
    for (let at = 0; at + savedNumbers <= numbers.length; at += savedNumbers) {
      const [from, to, count, bytes, lastAt, place] = numbers.slice(at, at + savedNumbers) as [
        number,
        number,
        number,
        number,
        number,
        number,
      ];
      this.#bytes += bytes;
      this.#runs.push({ from, to, count, bytes, lastAt, place });
    }
  }
}
