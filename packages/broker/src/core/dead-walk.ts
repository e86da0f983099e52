/** Goes through the dead letters of a subscription, in order, wherever they lie. */
import type { JournalFrame } from "../model/journal.ts";
import { MessageView } from "../model/message.ts";
import { deadLetterPrefix } from "../model/settings.ts";
import { holds, messageAt } from "./frame-reading.ts";
import type { Queue } from "./queue.ts";
import type { State } from "./state.ts";

/** Records that one walk looks at in one turn of the loop. */
const recordsPerTurn = 512;

export interface DeadVisitor {
  /** The view is valid during the call. False: stop before this one. */
  visit(seq: number, message: MessageView): boolean;
  /** All that was visited since the last call lies in one turn of the loop: write what goes together now. */
  turn(): void;
  /** Where the walk stopped; 0 at the end. */
  done(next: number): void;
}

/** Those that are dead when it begins. */
export function walkDead(state: State, queue: Queue, from: number, visitor: DeadVisitor): void {
  const { journal } = state;
  const topic = deadLetterPrefix + queue.name;
  const view = new MessageView();
  // What is sent back may die again at once: the walk must not follow it for ever.
  const last = journal.durableSeq;
  const go = (start: number, fetched: JournalFrame | undefined): void => {
    let frame = fetched;
    let at = next(queue, start);
    for (let left = recordsPerTurn; at !== 0 && at <= last; left--) {
      const here = at;
      // What is done with them may fill the open frame: it has to be taken first.
      if (left === 0 || journal.congested) {
        visitor.turn();
        state.defer(() => go(here, undefined));
        return;
      }
      if (frame === undefined || !holds(frame, here)) frame = journal.cached(here);
      if (frame === undefined) {
        visitor.turn();
        // A record that is not to be had any more (damaged) is stepped over.
        journal.fetch(here, (found) => go(found === undefined ? here + 1 : here, found));
        return;
      }
      const message = messageAt(view, frame, here);
      if (message === undefined || message.topic !== topic) queue.dead?.skip(here);
      else if (!visitor.visit(here, message)) break;
      at = next(queue, here + 1);
    }
    visitor.turn();
    visitor.done(at > last ? 0 : at);
  };
  go(from, undefined);
}

function next(queue: Queue, from: number): number {
  return queue.deleted ? 0 : (queue.dead?.nextFrom(from - 1) ?? 0);
}
