/**
 * Replay for a session (`mess-from`): its backlog becomes what the journal holds from a position on, to be matched message
 * by message, and what is published from here on follows it. So the session may have no other plain subscription: what
 * waits is one list, and the messages of the others would come again.
 */
import { Reason } from "../model/engine.ts";
import { type BacklogState, jsonBytes, RecordKind, type SubscriptionReplay } from "../model/record.ts";
import type { Position } from "../model/settings.ts";
import type { ParsedFilter } from "../topics/topic-filter.ts";
import type { Positions } from "./positions.ts";
import { fromBacklog, type Session } from "./session.ts";
import type { State } from "./state.ts";
import type { SubscribeAnswer } from "./subscribing.ts";

export interface ReplayPlan extends SubscriptionReplay {
  readonly from: number;
}

/** As `Backlog.save` has them: whoever reads the run matches each message again; what lies before, or behind, it is done. */
const scanRun = 1;
const closedGap = 2;
const closedBehind = 4;

export class SessionReplay {
  readonly #state: State;
  readonly #positions: Positions;

  constructor(state: State, positions: Positions) {
    this.#state = state;
    this.#positions = positions;
  }

  /** What to replay, or why it is refused. `undefined`: nothing, what comes from now on is all. */
  plan(session: Session, parsed: ParsedFilter, position: Position): ReplayPlan | SubscribeAnswer | undefined {
    if (parsed.shareName !== undefined)
      return no("a shared subscription begins with what is published from now on: it cannot be replayed");
    if (position === "latest") return undefined;
    if (hasOthers(session, parsed.text))
      return no("this session has other subscriptions: a replay needs a connection of its own");
    if (isUnderWay(session)) return no("deliveries are under way in this session: acknowledge them before a replay");
    const from = this.#positions.near(position);
    if (typeof from !== "number") return no(from.problem);
    const through = this.#state.lastMessageSeq;
    const { backlogMessagesMax } = this.#state.limits;
    if (through - from >= backlogMessagesMax)
      return {
        code: Reason.quotaExceeded,
        text: `a replay goes over ${backlogMessagesMax} records at most; begin at offset ${through - backlogMessagesMax + 1} or later`,
      };
    const since = typeof position === "object" && "at" in position ? position.at : 0;
    return { from, through, since };
  }

  /** Why a session that replays takes no other subscription. */
  refusal(session: Session, parsed: ParsedFilter): SubscribeAnswer | undefined {
    if (parsed.shareName !== undefined || session.replayThrough === 0 || session.subscriptions.has(parsed.text))
      return undefined;
    const first = session.backlog.first();
    if (first === 0 || first > session.replayThrough) return undefined;
    return no("a replay is under way in this session: subscribe when it is done, or on another connection");
  }

  /** After the subscription was recorded. */
  begin(session: Session, { from, through }: ReplayPlan): void {
    const runs: number[] = [];
    for (const { firstSeq, lastSeq } of this.#kept()) {
      const start = Math.max(from, firstSeq);
      const end = Math.min(through, lastSeq);
      if (start > end) continue;
      if (runs.length > 0 && (runs.at(-2) as number) + 1 === start) runs[runs.length - 2] = end;
      else runs.push(start, end, scanRun);
    }
    const count = runs.reduce((sum, to, i) => (i % 3 === 1 ? sum + to - (runs[i - 1] as number) + 1 : sum), 0);
    session.rewind(from - 1);
    this.#replace(session, runs, count);
  }

  /**
   * The replay is done, and another subscription begins: what of the run was passed over in silence must not be matched
   * again after a restart, or it would bring that one old messages.
   */
  close(session: Session): void {
    if (session.replayThrough === 0) return;
    session.replayThrough = 0;
    this.#replace(session, session.backlog.save(), session.backlog.count);
  }

  /** The subscription that replays is gone: nothing waits but what is under way. */
  drop(session: Session, filter: string): void {
    if (session.replayThrough === 0 || hasOthers(session, filter)) return;
    session.replayThrough = 0;
    const kept: number[] = [];
    session.inFlight.inOrder((packetId) => {
      const isOurs = session.inFlight.sourceOf(packetId) === fromBacklog;
      const seq = session.inFlight.seqOf(packetId);
      if (isOurs && session.backlog.contains(seq)) kept.push(seq);
    });
    kept.sort((a, b) => a - b);
    const last = kept.length - 1;
    const runs = kept.flatMap((seq, i) => [seq, seq, i === last ? closedGap | closedBehind : closedGap]);
    this.#replace(session, runs, kept.length);
  }

  #replace(session: Session, runs: number[], count: number): void {
    session.backlog.load(runs, count);
    if (!session.durable) return;
    const saved: BacklogState = { number: session.number, group: "", runs, count };
    const body = jsonBytes(saved);
    const at = this.#state.journal.reserve(RecordKind.backlogState, body.length);
    body.copy(this.#state.journal.openBytes, at);
    this.#state.journal.commit();
  }

  /** Of the segment that is written the catalogue may know less than was written. */
  #kept(): { firstSeq: number; lastSeq: number }[] {
    const { journal } = this.#state;
    return journal
      .segments()
      .map(({ firstSeq, lastSeq, active }) => ({ firstSeq, lastSeq: active ? journal.lastSeq : lastSeq }));
  }
}

/** Plain subscriptions beside this one. */
function hasOthers(session: Session, filter: string): boolean {
  for (const { text, group, queue } of session.subscriptions.values())
    if (text !== filter && group === undefined && queue === undefined) return true;
  return false;
}

function isUnderWay(session: Session): boolean {
  let found = session.underWayBefore.size > 0;
  session.inFlight.inOrder((packetId) => {
    if (session.inFlight.sourceOf(packetId) === fromBacklog) found = true;
  });
  return found;
}

function no(text: string): SubscribeAnswer {
  return { code: Reason.implementationSpecific, text };
}
