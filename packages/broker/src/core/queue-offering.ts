/** One message of a declared subscription: whose it is, whether its time and its key have come, and who gets it. */
import type { JournalFrame } from "../model/journal.ts";
import { MessageView, noExpiry } from "../model/message.ts";
import { LOST_KIND } from "../model/record.ts";
import type { DeadLetters } from "./dead-letters.ts";
import { isErased } from "./erasing.ts";
import { readMessage } from "./frame-reading.ts";
import { topicOf } from "./matching.ts";
import type { Lane, Queue } from "./queue.ts";
import type { QueueAcks } from "./queue-acks.ts";
import { bytesOf } from "./queue-appending.ts";
import { isOthers, keyOf, mayBeMember } from "./queue-members.ts";
import type { QueueSettling } from "./queue-settling.ts";
import { type Attached, HeldLease, type QueueWork } from "./queue-work.ts";
import type { RandomPool } from "./random-pool.ts";
import { allowed } from "./rights.ts";
import type { State } from "./state.ts";
import type { Topic } from "./topic.ts";

export interface QueueOfferingParts {
  readonly state: State;
  readonly acks: QueueAcks;
  readonly dead: DeadLetters;
  readonly random: RandomPool;
}

/** Where the walk is. */
export interface Place {
  readonly queue: Queue;
  readonly work: QueueWork;
  readonly lane: Lane;
  readonly frame: JournalFrame;
  readonly seq: number;
}

/** What became of the message at hand. */
const dealtWith = 0;
export const mustWait = 1;
/** A message that only consumers who are busy may read stands aside for so long. */
const asideMs = 1_000;

export class QueueOffering {
  readonly #parts: QueueOfferingParts;
  readonly #state: State;
  readonly #message: MessageView = new MessageView();
  #settling: QueueSettling | undefined;

  constructor(parts: QueueOfferingParts) {
    this.#parts = parts;
    this.#state = parts.state;
  }

  connect(settling: QueueSettling): void {
    this.#settling = settling;
  }

  /** May the consumer read the topic now? Asked for each delivery; remembers the last answer. */
  mayRead(attached: Attached, topic: Topic): boolean {
    const { rightsGeneration } = this.#state;
    if (attached.readTopic === topic && attached.readGeneration === rightsGeneration) return attached.readAllowed;
    attached.readTopic = topic;
    attached.readGeneration = rightsGeneration;
    attached.readAllowed =
      allowed(this.#state, attached.principal, "subscribe", topic.name) &&
      allowed(this.#state, attached.principal, "consume", attached.queue.name);
    return attached.readAllowed;
  }

  /** `dealtWith`, or `mustWait` when the walk has to stop here. */
  offer(at: Place): number {
    const { queue, work, lane, frame, seq } = at;
    const index = seq - frame.firstSeq;
    if (!mayBeMember(queue, frame, index)) {
      const isLost = frame.kinds[index] === LOST_KIND && seq > queue.historyThrough && !lane.backlog.isScan(seq);
      if (isLost) this.#lose(at);
      else this.#parts.acks.skip(queue, lane, seq);
      return dealtWith;
    }
    const message = readMessage(this.#message, frame, index);
    const topic = topicOf(this.#state, message);
    if (isOthers(this.#state, at, topic, message)) {
      this.#parts.acks.skip(queue, lane, seq);
      return dealtWith;
    }
    work.take(queue, lane, seq);
    const attempts = queue.attempts?.get(seq);
    const key = queue.rules.ordering === "key" ? keyOf(message) : undefined;
    if (key !== undefined && !work.keys.acquire(key, seq)) return dealtWith;
    if (isErased(this.#state, message)) {
      this.#state.counters.droppedErased++;
      this.#parts.acks.done(queue, seq, bytesOf(message), key);
      return dealtWith;
    }
    const now = this.#state.clock.now();
    const failed = attempts?.failed ?? 0;
    if (failed >= queue.rules.maxDeliveries) {
      this.#parts.dead.record(queue, seq, message, { reason: `${failed} failed attempts`, attempts: failed, key });
      return dealtWith;
    }
    const secondsLeft = message.expirySeconds === noExpiry ? noExpiry : message.secondsLeft(now);
    if (secondsLeft === 0) {
      this.#expire(queue, seq, message, { attempts: failed, key });
      return dealtWith;
    }
    if (attempts !== undefined && attempts.retryAt > now) {
      work.standAside(seq, attempts.retryAt, key);
      return dealtWith;
    }
    return this.#give(at, { topic, message, key, failed, secondsLeft });
  }

  /** Lost to damage, whatever it was. */
  #lose({ queue, work, lane, seq }: Place): void {
    work.take(queue, lane, seq);
    this.#parts.acks.done(queue, seq, 0, undefined);
  }

  #expire(
    queue: Queue,
    seq: number,
    message: MessageView,
    what: { readonly attempts: number; readonly key: string | undefined },
  ): void {
    this.#state.counters.droppedExpired++;
    if (queue.rules.expired === "drop") this.#parts.acks.done(queue, seq, bytesOf(message), what.key);
    else this.#parts.dead.record(queue, seq, message, { reason: "it expired", ...what });
  }

  #give(at: Place, what: Offered): number {
    const { queue, work, seq } = at;
    const bytes = bytesOf(what.message);
    const attached = this.#consumerFor(at, what.topic, bytes);
    if (attached === undefined) return this.#nobodyTakes(at, what);
    const { clock, limits, counters, leasesByToken } = this.#state;
    const ackWaitMs = Math.min(queue.rules.ackWaitMs, limits.leaseMsMax);
    const lease = new HeldLease({
      holder: attached,
      offset: seq,
      attempt: what.failed + 1,
      token: attached.tokens ? this.#parts.random.token() : "",
      key: what.key,
      bytes,
      secondsLeft: what.secondsLeft,
      expiresAt: clock.now() + ackWaitMs,
      deadline: clock.monotonic() + ackWaitMs,
    });
    // Before it is told: the consumer may settle it, or leave, while it is told.
    work.give(lease, attached);
    if (attached.tokens) leasesByToken.set(lease.token, lease);
    counters.leases++;
    if (attached.consumer.deliver(what.message, lease)) {
      counters.delivered++;
      return dealtWith;
    }
    counters.leases--;
    attached.refusedSeq = seq;
    if (work.leases.get(seq) === lease) this.#settling?.giveBack(lease);
    return dealtWith;
  }

  #consumerFor({ queue, work, seq }: Place, topic: Topic, bytes: number): Attached | undefined {
    const takes = (attached: Attached): boolean =>
      isReady(attached) && attached.refusedSeq !== seq && attached.fits(bytes) && this.mayRead(attached, topic);
    if (queue.rules.ordering !== "exclusive") return work.turns.nextReady(takes);
    const { active } = work;
    return active !== undefined && takes(active) ? active : undefined;
  }

  /** Who could take it has no room now: wait. Who could take it is busy: let others go on. Nobody ever could: it is dead. */
  #nobodyTakes({ queue, work, seq }: Place, what: Offered): number {
    const { topic, message, key, failed } = what;
    const isExclusive = queue.rules.ordering === "exclusive";
    let mayAny = false;
    let couldAny = false;
    for (const attached of work.consumers) {
      if (!this.mayRead(attached, topic)) continue;
      mayAny = true;
      if (attached.refusedSeq === seq) continue;
      couldAny = true;
      if (isReady(attached) && !(isExclusive && attached !== work.active)) return mustWait;
    }
    if (couldAny) {
      work.standAside(seq, this.#state.clock.now() + asideMs, key);
      return dealtWith;
    }
    if (!mayAny) this.#state.counters.deniedDelivery++;
    else this.#state.counters.droppedTooLarge++;
    const reason = mayAny ? "it is larger than any consumer takes" : "no consumer may read its topic";
    this.#parts.dead.record(queue, seq, message, { reason, attempts: failed, key });
    return dealtWith;
  }
}

interface Offered {
  readonly topic: Topic;
  readonly message: MessageView;
  readonly key: string | undefined;
  /** Attempts before. */
  readonly failed: number;
  readonly secondsLeft: number;
}

export function isReady(attached: Attached): boolean {
  return attached.hasCredit && attached.consumer.ready;
}
