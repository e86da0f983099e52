/**
 * Delivery Service for declared subscriptions: what is ready goes to a consumer that has credit and may read it. Bounded
 * work a turn: whoever has more to do goes on in the next one, behind the others.
 */
import type { JournalFrame } from "../model/journal.ts";
import { holds } from "./frame-reading.ts";
import { HeldFrames } from "./held-frames.ts";
import type { Outbox } from "./outbox.ts";
import type { Lane, Queue } from "./queue.ts";
import type { QueueAcks } from "./queue-acks.ts";
import { isReady, mustWait, type QueueOffering } from "./queue-offering.ts";
import { makeReady } from "./queue-places.ts";
import type { QueueSettling } from "./queue-settling.ts";
import type { QueueWork } from "./queue-work.ts";
import type { State } from "./state.ts";

export interface QueueDeliveringParts {
  readonly state: State;
  readonly outbox: Outbox;
  readonly acks: QueueAcks;
  readonly offering: QueueOffering;
}

/** Records that one queue looks at in one turn, and all of them together. */
const recordsPerTurn = 512;
const recordsPerRound = 4_096;
/** Leases and retries of one queue that one alarm deals with. */
const dueAtOnce = 1_000;
/** Queues that wait for the disk at a time: more would push one another's frames out of the cache. */
const fetchesMax = 8;

export class QueueDelivering {
  readonly #parts: QueueDeliveringParts;
  readonly #state: State;
  #settling: QueueSettling | undefined;
  /** The view of the message at hand is in use until its consumer has it. */
  #walking = false;
  #walked: Queue | undefined;
  /** Those that go on in the next turn. */
  #deferred: Queue[] = [];
  #roundIsSet = false;
  #fetching = 0;
  readonly #held: HeldFrames<Queue>;
  #waitingForDisk: Queue[] = [];

  constructor(parts: QueueDeliveringParts) {
    this.#parts = parts;
    this.#state = parts.state;
    this.#held = new HeldFrames(parts.state.limits.frameCacheBytes / 2);
  }

  /** Its running side is over. */
  forget(queue: Queue): void {
    this.#held.drop(queue);
  }

  connect(settling: QueueSettling): void {
    this.#settling = settling;
  }

  /** Something changed: deliver what may go now. Returns how many records were looked at. */
  wake(queue: Queue): number {
    const { work } = queue;
    if (work === undefined || work.fetching || queue.deleted) return 0;
    if (this.#walking) {
      // From inside of `deliver`. The walk under way sees for itself what changed in its own queue.
      if (queue !== this.#walked) this.defer(queue);
      return 0;
    }
    this.#walking = true;
    this.#walked = queue;
    let used = 0;
    try {
      used = this.#walk(queue, work);
    } finally {
      this.#walking = false;
      this.#walked = undefined;
    }
    if (queue.work === work) this.setAlarm(queue);
    return used;
  }

  /** Messages for these are durable. Those for which there is no time now go on in the next turn. */
  committed(queues: readonly Queue[]): void {
    let left = recordsPerRound;
    for (const queue of queues) {
      if (left <= 0) this.defer(queue);
      else left -= 1 + this.wake(queue);
    }
  }

  /** The same, in another turn of the loop. */
  defer(queue: Queue): void {
    const { work } = queue;
    if (work === undefined || work.deferred) return;
    work.deferred = true;
    this.#deferred.push(queue);
    if (this.#roundIsSet) return;
    this.#roundIsSet = true;
    this.#state.defer(() => this.#round());
  }

  /** Sees to it that the next lease that expires, or retry that is due, is noticed. */
  setAlarm(queue: Queue): void {
    const { work } = queue;
    if (work === undefined) return;
    const { clock, deadlines } = this.#state;
    const monotonic = clock.monotonic();
    const retry = work.retries.earliest();
    // Without consumers nobody waits for a retry.
    const retryAt =
      retry === undefined || work.consumers.size === 0 ? Number.POSITIVE_INFINITY : monotonic + retry - clock.now();
    const next = Math.min(work.leases.earliest() ?? Number.POSITIVE_INFINITY, retryAt);
    if (next === Number.POSITIVE_INFINITY) return;
    const { alarm } = work;
    if (alarm?.pending !== true) work.alarm = deadlines.set(next, () => this.#alarmed(queue, work));
    else if (next < alarm.time) deadlines.move(alarm, next);
  }

  #alarmed(queue: Queue, work: QueueWork): void {
    work.alarm = undefined;
    if (queue.deleted || queue.work !== work) return;
    work.leases.expire(this.#state.clock.monotonic(), (lease) => this.#settling?.expired(lease), dueAtOnce);
    this.wake(queue);
    this.setAlarm(queue);
  }

  #round(): void {
    this.#roundIsSet = false;
    const queues = this.#deferred;
    this.#deferred = [];
    let left = recordsPerRound;
    for (const queue of queues) {
      const { work } = queue;
      if (work !== undefined) work.deferred = false;
      if (left <= 0) this.defer(queue);
      else left -= 1 + this.wake(queue);
    }
  }

  #walk(queue: Queue, work: QueueWork): number {
    const { journal } = this.#state;
    let frame: JournalFrame | undefined;
    this.#retryDue(queue, work);
    for (let used = 0; ; used++) {
      if (queue.work !== work || !this.#hasReady(queue, work)) return used;
      const lane = this.#nextLane(queue, work);
      if (lane === undefined) return used;
      if (used >= recordsPerTurn) {
        this.defer(queue);
        return used;
      }
      const isReady = lane.ready.size > 0;
      const seq = isReady ? lane.ready.peek() : lane.backlog.nextFrom(lane.sentThrough);
      if (isReady ? !lane.backlog.contains(seq) : this.#standsAside(queue, work, lane, seq)) {
        if (isReady) lane.ready.pop();
        continue;
      }
      if (frame === undefined || !holds(frame, seq)) frame = journal.cached(seq) ?? this.#held.get(queue, seq);
      if (frame === undefined) {
        this.#fetch(queue, work, lane, seq);
        return used;
      }
      if (isReady) lane.ready.pop();
      else lane.sentThrough = seq;
      if (this.#parts.offering.offer({ queue, work, lane, frame, seq }) === mustWait) {
        lane.ready.push(seq);
        return used;
      }
    }
  }

  /** Retries whose time has come join what is ready. */
  #retryDue(queue: Queue, work: QueueWork): void {
    const now = this.#state.clock.now();
    for (let seq = work.retries.popDue(now); seq !== 0; seq = work.retries.popDue(now)) {
      // What was dropped meanwhile is not there any more.
      if (work.retrying.delete(seq)) makeReady(queue, seq);
    }
  }

  #hasReady(queue: Queue, work: QueueWork): boolean {
    if (queue.rules.ordering === "exclusive") {
      const { active } = work;
      return active !== undefined && isReady(active);
    }
    return work.turns.some(isReady);
  }

  /** The highest lane that has something to look at. */
  #nextLane(queue: Queue, work: QueueWork): Lane | undefined {
    const mayWalk = work.aside < this.#state.limits.blockedPerSubscriptionMax;
    for (const lane of queue.lanes) {
      if (lane.ready.size > 0) return lane;
      if (!mayWalk) continue;
      const seq = lane.backlog.nextFrom(lane.sentThrough);
      if (seq !== 0 && seq <= this.#state.journal.durableSeq) return lane;
    }
    return undefined;
  }

  /** After a restart of the walk: what failed before waits for its time. With keys it has to be read, to hold its key. */
  #standsAside(queue: Queue, work: QueueWork, lane: Lane, seq: number): boolean {
    if (queue.rules.ordering === "key") return false;
    const retryAt = queue.attempts?.get(seq)?.retryAt ?? 0;
    if (retryAt <= this.#state.clock.now()) return false;
    lane.sentThrough = seq;
    work.take(queue, lane, seq);
    work.standAside(seq, retryAt, undefined);
    return work.retrying.has(seq);
  }

  /** A record that is not to be had any more (dropped, damaged) is stepped over: never stand still. */
  #fetch(queue: Queue, work: QueueWork, lane: Lane, seq: number): void {
    if (this.#fetching >= fetchesMax) {
      work.fetching = true;
      this.#waitingForDisk.push(queue);
      return;
    }
    work.fetching = true;
    this.#fetching++;
    this.#state.journal.fetch(seq, (frame) => {
      this.#fetching--;
      work.fetching = false;
      const isStill = queue.work === work && !queue.deleted && lane.backlog.contains(seq);
      if (frame !== undefined && isStill) this.#held.hold(queue, frame);
      if (frame === undefined && isStill) this.#lost(queue, lane, seq);
      this.wake(queue);
      this.#nextFetch();
    });
  }

  #lost(queue: Queue, lane: Lane, seq: number): void {
    if (lane.ready.peek() === seq) lane.ready.pop();
    else if (seq > lane.sentThrough) lane.sentThrough = seq;
    this.#parts.acks.done(queue, seq, 0, queue.work?.keys.keyOf(seq));
  }

  #nextFetch(): void {
    while (this.#fetching < fetchesMax) {
      const queue = this.#waitingForDisk.shift();
      if (queue === undefined) return;
      const { work } = queue;
      if (work === undefined) continue;
      work.fetching = false;
      this.wake(queue);
    }
  }
}
