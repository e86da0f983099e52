/** How leases end: acknowledged, failed, rejected, given back, left behind, expired. */
import { backoff } from "../delivery/backoff.ts";
import type { Settlement, SettleResult } from "../model/queue.ts";
import { RecordKind } from "../model/record.ts";
import { type DeadLetters, reasonLengthMax } from "./dead-letters.ts";
import type { Outbox } from "./outbox.ts";
import type { Queue } from "./queue.ts";
import type { QueueAcks } from "./queue-acks.ts";
import type { QueueDelivering } from "./queue-delivering.ts";
import { makeReady } from "./queue-places.ts";
import { attemptFailedBytes, writeAttemptFailed } from "./queue-records.ts";
import type { Attached, HeldLease } from "./queue-work.ts";
import type { RandomPool } from "./random-pool.ts";
import type { State } from "./state.ts";

export interface QueueSettlingParts {
  readonly state: State;
  readonly outbox: Outbox;
  readonly acks: QueueAcks;
  readonly dead: DeadLetters;
  readonly delivering: QueueDelivering;
  readonly random: RandomPool;
}

type Done = (result: SettleResult) => void;

const nobody: Done = () => undefined;

export class QueueSettling {
  readonly #parts: QueueSettlingParts;
  readonly #state: State;

  constructor(parts: QueueSettlingParts) {
    this.#parts = parts;
    this.#state = parts.state;
  }

  byToken(principal: string, token: string, settlement: Settlement, done: Done): void {
    const lease = token === "" ? undefined : this.#state.leasesByToken.get(token);
    if (this.#state.journal.hasFailed) done("failed");
    else if (lease === undefined) done("gone");
    else if (lease.principal !== principal) done("forbidden");
    else this.settle(lease, settlement, done);
  }

  /** Of a lease that is held. */
  settle(lease: HeldLease, settlement: Settlement, done: Done = nobody): void {
    const { queue } = lease;
    switch (settlement.verb) {
      case "ack":
        this.#acknowledge(lease, done);
        break;
      case "nack":
        this.#release(lease);
        this.#state.counters.nacks++;
        this.#fail(lease, { reason: settlement.reason ?? "", delayMs: settlement.delayMs }, done);
        break;
      case "reject":
        this.#release(lease);
        this.#state.counters.nacks++;
        this.#bury(lease, { reason: settlement.reason ?? "rejected by its consumer", attempts: lease.attempt }, done);
        break;
      case "release":
        this.giveBack(lease);
        this.#parts.outbox.promise((isDurable) => done(isDurable ? "done" : "failed"));
        break;
      case "extend":
        this.#extend(lease, settlement.forMs);
        done("done");
        break;
    }
    this.#parts.delivering.wake(queue);
  }

  /** Unprocessed: the next to be delivered again, and no attempt. */
  giveBack(lease: HeldLease): void {
    const { queue, offset } = lease;
    this.#release(lease);
    makeReady(queue, offset);
  }

  /** Its leases go back, or stay until they expire or are settled by token. */
  left(attached: Attached, keepLeases: boolean): void {
    for (const lease of [...attached.leases]) {
      if (keepLeases && lease.token !== "") lease.holder = undefined;
      else this.giveBack(lease);
    }
    attached.leases.clear();
    attached.leaseBytes = 0;
  }

  /** Nobody settled it in time. The lease is taken out of its queue already. */
  expired(lease: HeldLease): void {
    this.#forget(lease);
    this.#state.counters.expiredLeases++;
    this.#fail(lease, { reason: "its lease expired", delayMs: undefined }, nobody);
  }

  /** Every lease is void: the subscription was reset or deleted. */
  void(queue: Queue): void {
    const { work } = queue;
    if (work === undefined) return;
    for (const lease of [...work.leases.values()]) this.#release(lease);
  }

  #acknowledge(lease: HeldLease, done: Done): void {
    this.#release(lease);
    this.#state.counters.acks++;
    this.#parts.acks.done(lease.queue, lease.offset, lease.bytes, lease.key);
    if (done !== nobody) this.#parts.acks.whenDurable((isDurable) => done(isDurable ? "done" : "failed"));
  }

  #extend(lease: HeldLease, forMs: number | undefined): void {
    const { queue } = lease;
    const milliseconds = Math.min(Math.max(0, forMs ?? queue.rules.ackWaitMs), this.#state.limits.leaseMsMax);
    queue.work?.leases.move(lease, this.#state.clock.monotonic() + milliseconds);
    lease.expiresAt = this.#state.clock.now() + milliseconds;
    this.#parts.delivering.setAlarm(queue);
  }

  /** One more failed attempt: written at once, so that a crash forgets none. */
  #fail(lease: HeldLease, why: { readonly reason: string; readonly delayMs: number | undefined }, done: Done): void {
    const { queue, offset } = lease;
    const { rules } = queue;
    const { clock, journal, limits } = this.#state;
    const failed = lease.attempt;
    const isLast = failed >= rules.maxDeliveries;
    const delayMs = why.delayMs ?? backoff(failed, rules.backoffMs, this.#parts.random.fraction());
    const retryAt = isLast ? 0 : clock.now() + Math.min(Math.max(0, delayMs), limits.delayMsMax);
    const reason = why.reason.slice(0, reasonLengthMax);
    const record = { number: queue.number, failed, seq: offset, retryAt, reason };
    const at = journal.reserve(RecordKind.attemptFailed, attemptFailedBytes(record));
    writeAttemptFailed(journal.openBytes, at, record);
    queue.noteFailed(offset, failed, retryAt);
    journal.commit();
    if (isLast) {
      const last = reason === "" ? "" : `; the last: ${reason}`;
      this.#bury(lease, { reason: `${failed} failed attempts${last}`, attempts: failed }, done);
      return;
    }
    queue.work?.standAside(offset, retryAt, lease.key);
    if (done !== nobody) this.#parts.outbox.promise((isDurable) => done(isDurable ? "done" : "failed"));
  }

  #bury(lease: HeldLease, death: { readonly reason: string; readonly attempts: number }, done: Done): void {
    const { queue, offset, key } = lease;
    this.#parts.dead.bury(queue, offset, { ...death, key }, (isBuried) => {
      this.#parts.delivering.wake(queue);
      if (done === nobody) return;
      const result = isBuried ? "dead" : "gone";
      this.#parts.acks.whenDurable((isDurable) => done(isDurable ? result : "failed"));
    });
  }

  #release(lease: HeldLease): void {
    lease.queue.work?.leases.remove(lease);
    this.#forget(lease);
  }

  /** It is in no list but that of its queue any more. */
  #forget(lease: HeldLease): void {
    if (lease.token !== "") this.#state.leasesByToken.delete(lease.token);
    const { holder } = lease;
    if (holder === undefined || !holder.leases.delete(lease)) return;
    holder.leaseBytes -= lease.bytes;
    lease.holder = undefined;
    const { work } = lease.queue;
    if (work?.consumers.has(holder) === true && holder.hasCredit) work.turns.add(holder);
  }
}
