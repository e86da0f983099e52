/** Audit records have a retention of their own: they are copied out of segments that nothing else needs (DESIGN section 6). */
import type { JournalFrame, SegmentInfo } from "../model/journal.ts";
import { RecordKind } from "../model/record.ts";
import { type AuditEntry, copiesBytes, eachCopy, runOfCopies, writeCopies } from "./audit-copies.ts";
import type { AuditRun } from "./audit-trail.ts";
import { walkFrames } from "./frame-walk.ts";
import type { State } from "./state.ts";

/** Fewer bytes are copied whatever else is in the segment. */
const carriedBytesMax = 1024 * 1024;

export class AuditCarrying {
  readonly #state: State;
  /** First numbers of the runs that are being read. */
  readonly #underWay: Set<number> = new Set();

  constructor(state: State) {
    this.#state = state;
  }

  /** Forgets what is past its time. */
  trim(): void {
    const { limits, clock, auditTrail } = this.#state;
    auditTrail.trim(clock.now(), { keepMs: limits.auditSecondsMax * 1000, bytesMax: limits.auditBytesMax });
  }

  /**
   * True when the segment holds no audit record that is kept; otherwise copying has begun and it may go next time.
   * While they are many and most of it, it stays: copying them would free little, and again and again.
   */
  carry({ firstSeq, lastSeq, bytes }: SegmentInfo): boolean {
    const here = this.#state.auditTrail.runs.filter(({ from, to, place }) =>
      place === 0 ? from <= lastSeq && to >= firstSeq : place >= firstSeq && place <= lastSeq,
    );
    if (here.length === 0) return true;
    const kept = here.reduce((sum, run) => sum + run.bytes, 0);
    if (kept > carriedBytesMax && kept * 2 > bytes) return false;
    for (const run of here) this.#carryRun(run);
    return false;
  }

  /** Whole, so that one that reaches over several segments is read once. */
  #carryRun(run: AuditRun): void {
    const { from, to, place } = run;
    if (this.#underWay.has(from)) return;
    this.#underWay.add(from);
    const entries: AuditEntry[] = [];
    const last = place === 0 ? to : place;
    walkFrames(this.#state.journal, place === 0 ? from : place, {
      frame: (frame, at) => {
        if (place === 0) collect(frame, at, last, entries);
        else if (frame.firstSeq <= place) collectCopies(frame, place, entries);
        return frame.firstSeq + frame.count <= last;
      },
      done: () => {
        this.#underWay.delete(from);
        // It may have been forgotten while it was read.
        if (!this.#state.auditTrail.runs.includes(run)) return;
        if (entries.length > 0) this.#write(entries);
        else if (last <= this.#state.journal.durableSeq) run.from = last + 1;
      },
    });
  }

  #write(entries: readonly AuditEntry[]): void {
    const { journal, auditTrail } = this.#state;
    if (journal.hasFailed) return;
    const at = journal.reserve(RecordKind.auditCarried, copiesBytes(entries));
    writeCopies(journal.openBytes, at, entries);
    auditTrail.carried(runOfCopies(journal.lastSeq, journal.openBytes, at));
    journal.commitWithin(100);
  }
}

function collect(frame: JournalFrame, from: number, through: number, entries: AuditEntry[]): void {
  const end = Math.min(frame.count, through - frame.firstSeq + 1);
  for (let i = Math.max(0, from - frame.firstSeq); i < end; i++) {
    // Copies of others that lie between are a run of their own.
    if (frame.kinds[i] !== RecordKind.audited) continue;
    const body = Buffer.from(frame.bytes.subarray(frame.starts[i], frame.ends[i]));
    entries.push({ seq: frame.firstSeq + i, body });
  }
}

function collectCopies(frame: JournalFrame, place: number, entries: AuditEntry[]): void {
  eachCopy(frame.bytes, frame.starts[place - frame.firstSeq] as number, (seq, bytes, start, end) => {
    entries.push({ seq, body: Buffer.from(bytes.subarray(start, end)) });
  });
}
