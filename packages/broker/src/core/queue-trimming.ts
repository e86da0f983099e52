/**
 * Makes room in full subscriptions: what has expired goes first where publishes are refused; the oldest goes where that is
 * declared. Each is journaled like any other end of a message. What a consumer has is not touched.
 */
import type { JournalFrame } from "../model/journal.ts";
import { MessageView, noExpiry } from "../model/message.ts";
import type { DeadLetters } from "./dead-letters.ts";
import { holds, readMessage } from "./frame-reading.ts";
import { topicOf } from "./matching.ts";
import type { Outbox } from "./outbox.ts";
import type { Lane, Queue } from "./queue.ts";
import type { QueueAcks } from "./queue-acks.ts";
import { bytesOf, isOverfull } from "./queue-appending.ts";
import { isOthers, keyOf, mayBeMember } from "./queue-members.ts";
import type { State } from "./state.ts";

export interface QueueTrimmingParts {
  readonly state: State;
  readonly outbox: Outbox;
  readonly acks: QueueAcks;
  readonly dead: DeadLetters;
}

const recordsPerTurn = 512;
/** A subscription that refuses is looked through for what has expired at most so often. */
const sweepEveryMs = 1_000;

interface Round {
  readonly purpose: "trim" | "sweep";
  /** Where it is: the lowest priority goes first. */
  priority: number;
  after: number;
}

export class QueueTrimming {
  readonly #parts: QueueTrimmingParts;
  readonly #state: State;
  readonly #view: MessageView = new MessageView();
  readonly #busy: Set<Queue> = new Set();
  readonly #sweptAt: WeakMap<Queue, number> = new WeakMap();

  constructor(parts: QueueTrimmingParts) {
    this.#parts = parts;
    this.#state = parts.state;
  }

  /** It may have more than it should: the oldest go once what came is durable. */
  trim(queue: Queue): void {
    if (queue.rules.overflow === "reject" || !isOverfull(queue) || this.#busy.has(queue)) return;
    this.#busy.add(queue);
    this.#parts.outbox.action(() => this.#go(queue, { purpose: "trim", priority: 0, after: 0 }));
  }

  /** It refuses publishes: what has expired at its head is no reason to. */
  sweep(queue: Queue): void {
    const now = this.#state.clock.monotonic();
    if (this.#busy.has(queue) || now - (this.#sweptAt.get(queue) ?? -sweepEveryMs) < sweepEveryMs) return;
    this.#sweptAt.set(queue, now);
    this.#busy.add(queue);
    this.#state.defer(() => this.#go(queue, { purpose: "sweep", priority: 0, after: 0 }));
  }

  #go(queue: Queue, round: Round): void {
    const { journal } = this.#state;
    let frame: JournalFrame | undefined;
    for (let left = recordsPerTurn; ; left--) {
      const seq = queue.deleted || (round.purpose === "trim" && !isOverfull(queue)) ? 0 : nextOf(queue, round);
      if (seq === 0 || seq > journal.durableSeq) {
        this.#busy.delete(queue);
        // Not durable yet: once more when it is.
        if (seq !== 0) this.trim(queue);
        return;
      }
      if (left === 0) {
        this.#state.defer(() => this.#go(queue, round));
        return;
      }
      if (!isTouchable(queue, seq)) {
        round.after = seq;
        continue;
      }
      if (frame === undefined || !holds(frame, seq)) frame = journal.cached(seq);
      if (frame === undefined) {
        journal.fetch(seq, (found) => this.#fetched(queue, round, seq, found));
        return;
      }
      round.after = seq;
      if (!this.#take(queue, round, frame, seq)) {
        this.#busy.delete(queue);
        return;
      }
    }
  }

  /** What cannot be had is stepped over here, and lost when its turn comes to be delivered. */
  #fetched(queue: Queue, round: Round, seq: number, frame: JournalFrame | undefined): void {
    round.after = seq;
    const isOver = frame !== undefined && isTouchable(queue, seq) && !this.#take(queue, round, frame, seq);
    if (isOver) this.#busy.delete(queue);
    else this.#go(queue, round);
  }

  /** False when the purpose is fulfilled. */
  #take(queue: Queue, { purpose, priority }: Round, frame: JournalFrame, seq: number): boolean {
    const lane = queue.lanes.find((one) => one.priority === priority);
    if (lane === undefined) return true;
    const index = seq - frame.firstSeq;
    if (!mayBeMember(queue, frame, index)) {
      this.#parts.acks.skip(queue, lane, seq);
      return true;
    }
    const message = readMessage(this.#view, frame, index);
    if (isOthers(this.#state, { queue, lane, frame, seq }, topicOf(this.#state, message), message)) {
      this.#parts.acks.skip(queue, lane, seq);
      return true;
    }
    const hasExpired = message.expirySeconds !== noExpiry && message.secondsLeft(this.#state.clock.now()) === 0;
    if (purpose === "sweep" && !hasExpired) return false;
    if (purpose === "trim" && !isOverfull(queue)) return false;
    this.#end(queue, seq, message, hasExpired);
    return true;
  }

  #end(queue: Queue, seq: number, message: MessageView, hasExpired: boolean): void {
    const { acks, dead } = this.#parts;
    const { rules, work } = queue;
    const key = rules.ordering === "key" ? keyOf(message) : undefined;
    work?.retrying.delete(seq);
    if (key !== undefined) work?.keys.unpark(key, seq);
    const isDead = hasExpired ? rules.expired === "dead-letter" : rules.overflow === "dead-letter";
    if (hasExpired) this.#state.counters.droppedExpired++;
    else this.#state.counters.overflowed++;
    if (isDead) {
      const attempts = queue.attempts?.get(seq)?.failed ?? 0;
      const reason = hasExpired ? "it expired" : "the subscription was full, and it was the oldest";
      dead.record(queue, seq, message, { reason, attempts, key });
    } else acks.done(queue, seq, bytesOf(message), key);
  }
}

/** The next number of the round; 0 when it is through. */
function nextOf(queue: Queue, round: Round): number {
  const { lanes } = queue;
  for (let i = lanes.length - 1; i >= 0; i--) {
    const { priority, backlog } = lanes[i] as Lane;
    if (priority < round.priority) continue;
    if (priority > round.priority) {
      round.priority = priority;
      round.after = 0;
    }
    const seq = backlog.nextFrom(round.after);
    if (seq !== 0) return seq;
  }
  return 0;
}

/** It waits, and neither a consumer has it nor is it being buried. */
function isTouchable(queue: Queue, seq: number): boolean {
  const { work } = queue;
  if (queue.laneOf(seq) === undefined) return false;
  return work === undefined || (work.leases.get(seq) === undefined && !work.burying.has(seq));
}
