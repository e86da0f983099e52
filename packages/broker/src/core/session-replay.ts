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

/** As `Backlog.save` has it: whoever reads the run matches each message again. */
const scanRun = 1;

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
    const others = [...session.subscriptions.values()].some(
      ({ text, group, queue }) => text !== parsed.text && group === undefined && queue === undefined,
    );
    if (others) return no("this session has other subscriptions: a replay needs a connection of its own");
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
