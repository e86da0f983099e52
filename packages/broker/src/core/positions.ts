/** Where to begin to read: a position as the number of the first message that is meant. */
import type { JournalFrame } from "../model/journal.ts";
import { MessageView } from "../model/message.ts";
import { messageOffset, RecordKind } from "../model/record.ts";
import type { Position } from "../model/settings.ts";
import { readMessage } from "./frame-reading.ts";
import type { State } from "./state.ts";

/** The oldest record that is still there. */
export function oldestSeq(state: State): number {
  return state.journal.segments()[0]?.firstSeq ?? 1;
}

/**
 * `done` gets the offset of the first message to be read: at once, but for a time, which is looked for in the journal by
 * halves. Times ascend with the numbers, as long as the clock was not set back.
 */
export function resolvePosition(state: State, position: Position, done: (from: number) => void): void {
  if (position === "latest") done(state.journal.lastSeq + 1);
  else if (position === "earliest") done(oldestSeq(state));
  else if ("offset" in position) done(Math.max(1, Math.floor(position.offset)));
  else findTime(state, position.at, done);
}

/** Frames below `low` are older than the time, those from `high` on are not. */
interface Search {
  readonly at: number;
  low: number;
  high: number;
  found: number;
}

function findTime(state: State, at: number, done: (from: number) => void): void {
  const low = oldestSeq(state);
  const search: Search = { at, low, high: state.journal.durableSeq, found: state.journal.durableSeq + 1 };
  halve(state, search, done);
}

function halve(state: State, search: Search, done: (from: number) => void): void {
  const { journal } = state;
  while (search.low <= search.high) {
    const middle = Math.floor((search.low + search.high) / 2);
    const frame = journal.cached(middle);
    if (frame === undefined) {
      journal.fetch(middle, (fetched) => {
        narrow(search, middle, fetched);
        halve(state, search, done);
      });
      return;
    }
    narrow(search, middle, frame);
  }
  done(search.found);
}

/** A frame that cannot be had, or holds no message, counts as older: what follows is looked at. */
function narrow(search: Search, middle: number, frame: JournalFrame | undefined): void {
  if (frame === undefined) {
    search.low = middle + 1;
    return;
  }
  const first = firstFrom(frame, search.at);
  if (first === 0) {
    search.low = frame.firstSeq + frame.count;
    return;
  }
  search.found = Math.min(search.found, first);
  search.high = frame.firstSeq - 1;
}

const view = new MessageView();

/** The first message of the frame that was published at `at` or later; 0 when there is none. */
function firstFrom(frame: JournalFrame, at: number): number {
  for (let i = 0; i < frame.count; i++) {
    const kind = frame.kinds[i] as number;
    if (messageOffset(kind) < 0 || kind === RecordKind.messageCarried) continue;
    if (readMessage(view, frame, i).publishedAt >= at) return frame.firstSeq + i;
  }
  return 0;
}
