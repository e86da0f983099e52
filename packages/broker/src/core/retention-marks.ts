/**
 * Which records hold the messages that one declaration keeps for replay: ranges, in order, with their bytes and the time
 * of their last message. Ranges grow while messages lie close together; past a number of them the closest are joined.
 */
import type { Retention } from "../model/settings.ts";

interface Mark {
  from: number;
  to: number;
  bytes: number;
  firstAt: number;
  /** Wall-clock time of its last message. */
  lastAt: number;
}

export type SavedMark = readonly [from: number, to: number, bytes: number, firstAt: number, lastAt: number];

const bytesPerMark = 1024 * 1024;
/** So many records of others may lie between two messages of one range: they are kept with it. */
const gapMax = 4_096;

export class RetentionMarks {
  #marks: Mark[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get length(): number {
    return this.#marks.length;
  }

  /** A message; numbers ascend. */
  note(message: { readonly seq: number; readonly bytes: number; readonly at: number }, retention: Retention): void {
    const { seq, bytes, at } = message;
    this.#bytes += bytes;
    const last = this.#marks.at(-1);
    if (last === undefined || isFull(last, seq, at, retention)) {
      this.#marks.push({ from: seq, to: seq, bytes, firstAt: at, lastAt: at });
      return;
    }
    last.to = seq;
    last.bytes += bytes;
    last.lastAt = Math.max(last.lastAt, at);
  }

  /** Forgets what is older than it says, and the oldest of what is more than it says. */
  expire(retention: Retention, now: number): void {
    const { ageMs, bytes } = retention;
    let gone = 0;
    for (const mark of this.#marks) {
      const isOld = ageMs !== undefined && mark.lastAt + ageMs < now;
      const isTooMuch = bytes !== undefined && this.#bytes - mark.bytes >= bytes;
      if (!isOld && !isTooMuch) break;
      this.#bytes -= mark.bytes;
      gone++;
    }
    if (gone > 0) this.#marks.splice(0, gone);
  }

  /** Joins those that lie closest, down to seven eighths of `most`, if there are more than that. */
  bound(most: number): void {
    const marks = this.#marks;
    if (marks.length <= most) return;
    const joins = marks.length - Math.max(1, most - (most >> 3));
    const gaps = marks.slice(1).map(({ from }, i) => from - (marks[i] as Mark).to);
    const widest = [...gaps].sort((a, b) => a - b)[joins - 1] as number;
    let left = joins;
    const kept: Mark[] = [];
    for (const [i, mark] of marks.entries()) {
      const before = kept.at(-1);
      if (before === undefined || left === 0 || (gaps[i - 1] as number) > widest) kept.push(mark);
      else {
        before.to = mark.to;
        before.bytes += mark.bytes;
        before.lastAt = Math.max(before.lastAt, mark.lastAt);
        left--;
      }
    }
    this.#marks = kept;
  }

  forEach(visit: (from: number, to: number) => void): void {
    for (const { from, to } of this.#marks) visit(from, to);
  }

  save(): SavedMark[] {
    return this.#marks.map(({ from, to, bytes, firstAt, lastAt }) => [from, to, bytes, firstAt, lastAt]);
  }

  load(saved: readonly SavedMark[]): void {
    this.#marks = saved.map(([from, to, bytes, firstAt, lastAt]) => ({ from, to, bytes, firstAt, lastAt }));
    this.#bytes = this.#marks.reduce((sum, { bytes }) => sum + bytes, 0);
  }
}

/** A range goes as a whole, so it is a small part of what is kept. */
function isFull(mark: Mark, seq: number, at: number, { ageMs, bytes }: Retention): boolean {
  const bytesMax = bytes === undefined ? bytesPerMark : Math.min(bytesPerMark, bytes / 16);
  const spanMax = ageMs === undefined ? Number.POSITIVE_INFINITY : Math.max(1_000, ageMs / 64);
  return mark.bytes >= bytesMax || at - mark.firstAt >= spanMax || seq - mark.to > gapMax;
}
