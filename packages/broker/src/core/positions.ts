/** Where to begin to read: positions as offsets. */
import type { JournalFrame } from "../model/journal.ts";
import { MessageView } from "../model/message.ts";
import type { Position } from "../model/settings.ts";
import { readMessage } from "./frame-reading.ts";
import { earliestSeq, walkFrames } from "./frame-walk.ts";
import { isShown } from "./shown.ts";
import type { State } from "./state.ts";

export interface PositionProblem {
  /** For people. */
  readonly problem: string;
}

const skewMs = 60_000;
/** Frames that are read to find the first message of a time, beyond what the index says; then it is near enough. */
const framesMax = 256;

export class Positions {
  readonly #state: State;
  readonly #view: MessageView = new MessageView();

  constructor(state: State) {
    this.#state = state;
  }

  /**
   * Offset of the first record to look at. Of a time it may be too early by some seconds, or minutes where the journal is
   * long: messages before that time are to be passed over.
   */
  near(position: Position): number | PositionProblem {
    const { journal, clock, times } = this.#state;
    const end = journal.lastSeq + 1;
    if (position === "latest") return end;
    const earliest = earliestSeq(journal);
    if (position === "earliest") return earliest;
    if ("offset" in position) {
      if (position.offset > end)
        return { problem: `there is no offset ${position.offset} yet: the last one is ${end - 1}` };
      return Math.max(position.offset, earliest);
    }
    const aheadMs = position.at - clock.now();
    // Whoever means "now" may have a clock that is ahead of ours.
    if (aheadMs > 0) return aheadMs <= skewMs ? end : { problem: "the time to begin at lies in the future" };
    return Math.max(times.before(position.at), earliest);
  }

  /** The same, of a time exactly: `done` may be called later. */
  resolve(position: Position, done: (offset: number | PositionProblem) => void): void {
    const near = this.near(position);
    if (typeof near !== "number" || typeof position === "string" || "offset" in position) {
      done(near);
      return;
    }
    let found = 0;
    let frames = 0;
    walkFrames(this.#state.journal, near, {
      frame: (frame, from) => {
        found = this.#firstAt(frame, from, position.at);
        return found === 0 && ++frames < framesMax;
      },
      done: (next) => done(found === 0 ? next : found),
    });
  }

  /** 0 when the frame holds no message of that time or later. */
  #firstAt(frame: JournalFrame, from: number, at: number): number {
    for (let i = Math.max(0, from - frame.firstSeq); i < frame.count; i++) {
      if (!isShown(frame.kinds[i] as number)) continue;
      if (readMessage(this.#view, frame, i).publishedAt >= at) return frame.firstSeq + i;
    }
    return 0;
  }
}
