/**
 * What may be dropped: whole segments that hold nothing anybody waits for. A retained message in an otherwise dead
 * segment is copied forward; a snapshot must stand after the segment, so that recovery needs none of it.
 */

import type { JournalFrame, SegmentInfo } from "../model/journal.ts";
import { messageOffset, RecordKind } from "../model/record.ts";
import type { Backlog } from "../subscriptions/backlog.ts";
import type { AckKeeper } from "./ack-keeper.ts";
import { AuditCarrying } from "./audit-carrying.ts";
import { confineMessage } from "./erasing.ts";
import { earliestSeq } from "./frame-walk.ts";
import { readRecords } from "./record-reading.ts";
import type { SnapshotWriter } from "./snapshot.ts";
import type { RetainedEntry, State } from "./state.ts";

/** Retained messages carried out of one segment at most; with more it stays, and is asked again later. */
const carriedMax = 10_000;

export class Retention {
  readonly #state: State;
  readonly #snapshot: SnapshotWriter;
  readonly #acks: AckKeeper;
  readonly #audit: AuditCarrying;
  /** First record of the newest durable snapshot. */
  snapshotSeq = 0;
  #snapshotBytes = 0;

  constructor(state: State, snapshot: SnapshotWriter, acks: AckKeeper) {
    this.#state = state;
    this.#acks = acks;
    this.#snapshot = snapshot;
    this.#audit = new AuditCarrying(state);
  }

  /** Called every few seconds. */
  run(): void {
    const { journal, limits } = this.#state;
    if (journal.hasFailed) return;
    const written = journal.statistics().bytesWritten;
    if (written - this.#snapshotBytes >= limits.segmentBytes) this.snapshot();
    this.#audit.trim();
    const dead = this.#deadSegments();
    for (const segment of dead) journal.dropSegment(segment.id);
    if (dead.length > 0) this.#state.times.forgetBefore(earliestSeq(journal));
  }

  snapshot(): void {
    this.#snapshotBytes = this.#state.journal.statistics().bytesWritten;
    this.#snapshot.begin();
  }

  #deadSegments(): SegmentInfo[] {
    const candidates = this.#state.journal.segments().filter((s) => !s.active && s.lastSeq < this.snapshotSeq);
    if (candidates.length === 0) return [];
    const alive = new Set<number>();
    for (const session of this.#state.sessionsByNumber.values()) {
      mark(candidates, session.backlog, alive);
      session.inFlight.inOrder((packetId) => {
        // A retained message under way may have been carried, and replaced meanwhile: its bytes are where they were then.
        const carried = this.#acks.retainedUnderWay(session, packetId)?.item.at;
        markSeq(candidates, carried ?? session.inFlight.seqOf(packetId), alive);
      });
    }
    for (const group of this.#state.groups.values()) mark(candidates, group.backlog, alive);
    this.#state.topicSettings.forEachKept(this.#state.clock.now(), (from, to) => markRun(candidates, from, to, alive));
    for (const queue of this.#state.queues.values()) {
      for (const { backlog } of queue.lanes) mark(candidates, backlog, alive);
      if (queue.dead !== undefined) mark(candidates, queue.dead, alive);
    }
    const retainedIn = this.#retainedIn(candidates);
    return candidates.filter((segment) => {
      if (alive.has(segment.id)) return false;
      const hasNoRetained = this.#carry(retainedIn.get(segment.id) ?? []);
      const hasNoAudit = this.#audit.carry(segment);
      return this.#carryDelayed(segment) && hasNoRetained && hasNoAudit;
    });
  }

  #retainedIn(candidates: readonly SegmentInfo[]): Map<number, RetainedEntry[]> {
    const found = new Map<number, RetainedEntry[]>();
    this.#state.retained.forEach((entry) => {
      const segment = segmentOf(candidates, entry.at);
      if (segment === undefined) return;
      const list = found.get(segment.id);
      if (list === undefined) found.set(segment.id, [entry]);
      else list.push(entry);
    });
    return found;
  }

  /** True when nothing retained is left in the segment; otherwise copying has begun and it may go next time. */
  #carry(entries: readonly RetainedEntry[]): boolean {
    if (entries.length === 0) return true;
    for (const entry of entries.slice(0, carriedMax)) this.#carryOne(entry);
    return false;
  }

  #carryOne(entry: RetainedEntry): void {
    const { journal } = this.#state;
    const from = entry.at;
    journal.fetch(from, (frame) => {
      if (frame === undefined || entry.at !== from || this.#state.retained.get(entry.topic) !== entry) return;
      entry.at = this.#copy(frame, from, entry.seq);
    });
  }

  /**
   * True when no delayed message is left in the segment. While they are most of it, it stays: copying them would free
   * little, and again and again.
   */
  #carryDelayed(segment: SegmentInfo): boolean {
    const { journal, delayed } = this.#state;
    const bytes = delayed.bytesIn(segment.firstSeq, segment.lastSeq);
    if (bytes === 0) return true;
    if (bytes * 2 > segment.bytes) return false;
    const places: number[] = [];
    delayed.inPlaces(segment.firstSeq, segment.lastSeq, ({ at }) => places.push(at) < carriedMax);
    readRecords(journal, places, {
      record: (at, frame) => {
        const entry = delayed.atPlace(at);
        if (frame !== undefined && entry !== undefined) delayed.move(entry.seq, this.#copy(frame, at, entry.seq));
      },
      done: () => undefined,
    });
    return false;
  }

  /** Where it is now. */
  #copy(frame: JournalFrame, from: number, seq: number): number {
    const { journal } = this.#state;
    const index = from - frame.firstSeq;
    const start = (frame.starts[index] as number) + messageOffset(frame.kinds[index] as number);
    const end = frame.ends[index] as number;
    const at = journal.reserve(RecordKind.messageCarried, 8 + end - start);
    journal.openBytes.writeDoubleLE(seq, at);
    frame.bytes.copy(journal.openBytes, at + 8, start, end);
    confineMessage(this.#state, at + 8, at + 8 + end - start);
    journal.commitWithin(100);
    return journal.lastSeq;
  }
}

/** The first segment that ends at `seq` or later: they ascend. Their number when there is none. */
function firstFrom(segments: readonly SegmentInfo[], seq: number): number {
  let low = 0;
  let high = segments.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((segments[middle] as SegmentInfo).lastSeq < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

function segmentOf(segments: readonly SegmentInfo[], seq: number): SegmentInfo | undefined {
  const segment = segments[firstFrom(segments, seq)];
  return segment !== undefined && segment.firstSeq <= seq ? segment : undefined;
}

function markSeq(segments: readonly SegmentInfo[], seq: number, alive: Set<number>): void {
  const segment = segmentOf(segments, seq);
  if (segment !== undefined) alive.add(segment.id);
}

function mark(segments: readonly SegmentInfo[], backlog: Backlog, alive: Set<number>): void {
  backlog.forEachRun((from, to) => markRun(segments, from, to, alive));
}

function markRun(segments: readonly SegmentInfo[], from: number, to: number, alive: Set<number>): void {
  for (let i = firstFrom(segments, from); i < segments.length; i++) {
    const segment = segments[i] as SegmentInfo;
    if (segment.firstSeq > to) return;
    alive.add(segment.id);
  }
}
