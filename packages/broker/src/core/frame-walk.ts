/** Walks the durable frames of the journal in order, over gaps where segments were dropped. */
import type { Journal, JournalFrame } from "../model/journal.ts";

export interface FrameWalk {
  /** The frame that holds `from`, or begins behind it. False to stop. */
  frame(frame: JournalFrame, from: number): boolean;
  /** Called once. `next`: where to go on; beyond the last durable record at the end. */
  done(next: number): void;
}

/** Frames in memory are visited before this returns. */
export function walkFrames(journal: Journal, from: number, walk: FrameWalk): void {
  let next = from;
  while (true) {
    if (next > journal.durableSeq) {
      walk.done(next);
      return;
    }
    const frame = journal.cached(next);
    if (frame === undefined) {
      fetchFrame(journal, next, walk);
      return;
    }
    const goesOn = walk.frame(frame, next);
    next = frame.firstSeq + frame.count;
    if (goesOn) continue;
    walk.done(next);
    return;
  }
}

function fetchFrame(journal: Journal, from: number, walk: FrameWalk): void {
  journal.fetch(from, (frame) => {
    if (frame === undefined) {
      walkFrames(journal, nextKept(journal, from), walk);
      return;
    }
    const next = frame.firstSeq + frame.count;
    if (walk.frame(frame, from)) walkFrames(journal, next, walk);
    else walk.done(next);
  });
}

/** The first record of the next segment that is kept; past the end when there is none. A damaged frame is passed over with its segment. */
function nextKept(journal: Journal, after: number): number {
  for (const { firstSeq, lastSeq } of journal.segments()) if (firstSeq > after && lastSeq >= firstSeq) return firstSeq;
  return journal.lastSeq + 1;
}

/** The oldest record that is kept. */
export function earliestSeq(journal: Journal): number {
  for (const { firstSeq, lastSeq } of journal.segments()) if (lastSeq >= firstSeq) return firstSeq;
  return journal.lastSeq + 1;
}
