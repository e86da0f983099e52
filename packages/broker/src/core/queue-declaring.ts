/** Declared subscriptions come, change and go; their positions are set. The `apply` functions run in recovery too. */

import { jsonBytes, RecordKind } from "../model/record.ts";
import type { SubscriptionSettings } from "../model/settings.ts";
import { deadLetterPrefix } from "../model/settings.ts";
import type { Audit } from "./audit.ts";
import { Queue } from "./queue.ts";
import type { QueueConsuming } from "./queue-consuming.ts";
import type { QueueDelivering } from "./queue-delivering.ts";
import { releaseKeys } from "./queue-places.ts";
import type { PositionReset, SubscriptionDeclared, SubscriptionDeleted } from "./queue-records.ts";
import { SharedRules } from "./queue-rules.ts";
import type { QueueSettling } from "./queue-settling.ts";
import type { QueueTrimming } from "./queue-trimming.ts";
import type { State } from "./state.ts";

export interface QueueDeclaringParts {
  readonly state: State;
  readonly audit: Audit;
  readonly consuming: QueueConsuming;
  readonly settling: QueueSettling;
  readonly delivering: QueueDelivering;
  readonly trimming: QueueTrimming;
}

export interface Declaration {
  readonly name: string;
  readonly settings: SubscriptionSettings;
  readonly by: string;
  /** Of a new one: offset of the first message to be read, if it matches (`QueuePositions.resolve`). */
  readonly from: number;
}

export class QueueDeclaring {
  readonly #parts: QueueDeclaringParts;
  readonly #state: State;
  readonly #rules: SharedRules = new SharedRules();
  /** Those that are deleted when nobody consumes from them for long. */
  readonly #expiring: Set<Queue> = new Set();

  constructor(parts: QueueDeclaringParts) {
    this.#parts = parts;
    this.#state = parts.state;
  }

  /** Creates it, or gives it other settings; true when it is new. The caller commits. */
  declare(declaration: Declaration): boolean {
    const state = this.#state;
    const known = state.queues.get(declaration.name);
    const ordering = known?.rules.ordering;
    const through = this.#lastSeq();
    const declared: SubscriptionDeclared = {
      number: known?.number ?? state.lastQueueNumber + 1,
      name: declaration.name,
      settings: declaration.settings,
      by: declaration.by,
      at: state.clock.now(),
      from: known === undefined ? declaration.from : through + 1,
      through,
    };
    this.#record(RecordKind.subscriptionDeclared, declared);
    this.applyDeclared(declared);
    this.#parts.audit.act("subscription.declared", { name: declared.name, by: declared.by });
    if (known === undefined) return true;
    if (ordering !== declaration.settings.ordering) releaseKeys(known);
    // Somebody may lack a right on a filter that is new; others may have messages to take by the new ordering.
    this.#parts.consuming.rightsChanged();
    this.#parts.delivering.wake(known);
    this.#parts.trimming.trim(known);
    return false;
  }

  /** Its messages and dead letters go with it; consumers are ended. False when there is none. */
  delete(name: string, by: string): boolean {
    const queue = this.#state.queues.get(name);
    if (queue === undefined) return false;
    const deleted: SubscriptionDeleted = { number: queue.number, by };
    this.#record(RecordKind.subscriptionDeleted, deleted);
    this.applyDeleted(deleted);
    this.#parts.settling.void(queue);
    this.#parts.consuming.endOf(queue, "administrative", `the subscription "${name}" was deleted`);
    this.#parts.audit.act("subscription.deleted", { name, by });
    return true;
  }

  /** What lies from `from` on is read (again), what lies before is done. Open leases are void. */
  reset(queue: Queue, from: number, by: string): void {
    const reset: PositionReset = {
      number: queue.number,
      from,
      through: this.#lastSeq(),
      by,
      at: this.#state.clock.now(),
    };
    this.#record(RecordKind.positionReset, reset);
    this.#parts.settling.void(queue);
    this.applyReset(reset);
    queue.work?.forget();
    this.#parts.audit.act("subscription.reset", { name: queue.name, from, by });
    this.#parts.delivering.defer(queue);
  }

  /** Every few seconds: deletes what nobody consumed from for as long as it says. True when there was one. */
  expire(): boolean {
    const now = this.#state.clock.now();
    let isAny = false;
    for (const queue of this.#expiring) {
      const { idleSince, rules, name } = queue;
      if (idleSince === 0 || now - idleSince < rules.expiryMs) continue;
      isAny = true;
      this.#parts.audit.act("subscription.expired", { name, idleSince });
      this.delete(name, "mess");
    }
    return isAny;
  }

  applyDeclared(declared: SubscriptionDeclared): void {
    const state = this.#state;
    const known = state.queuesByNumber.get(declared.number);
    const { filters } = declared.settings;
    const rules = this.#rules.take(declared.settings, declared.by);
    state.lastQueueNumber = Math.max(state.lastQueueNumber, declared.number);
    if (known !== undefined) {
      this.#unlist(known);
      const before = known.rules;
      known.setRules(filters, rules, declared.through);
      this.#rules.giveBack(before);
      known.declaredAt = declared.at;
      this.#list(known);
      return;
    }
    const queue = new Queue({ ...declared, filters, rules }, state.limits.backlogRunsMax);
    state.queues.set(queue.name, queue);
    state.queuesByNumber.set(queue.number, queue);
    this.#list(queue);
    if (declared.from <= declared.through) queue.rewind(declared.from, declared.through);
  }

  applyDeleted({ number }: SubscriptionDeleted): void {
    const state = this.#state;
    const queue = state.queuesByNumber.get(number);
    if (queue === undefined) return;
    queue.deleted = true;
    state.queues.delete(queue.name);
    state.queuesByNumber.delete(number);
    this.#unlist(queue);
    this.#rules.giveBack(queue.rules);
  }

  applyReset(reset: PositionReset): void {
    this.#state.queuesByNumber.get(reset.number)?.rewind(reset.from, reset.through);
  }

  #list(queue: Queue): void {
    const state = this.#state;
    if (queue.rules.expiryMs > 0) this.#expiring.add(queue);
    for (const filter of queue.filters) {
      state.index.set(filter, queue, queue);
      state.subscriptionsChanged(filter);
    }
    state.subscriptionsChanged(deadLetterPrefix + queue.name);
  }

  #unlist(queue: Queue): void {
    const state = this.#state;
    this.#expiring.delete(queue);
    for (const filter of queue.filters) {
      state.index.remove(filter, queue);
      state.subscriptionsChanged(filter);
    }
    state.subscriptionsChanged(deadLetterPrefix + queue.name);
  }

  /** The last message there is, of any kind that a queue reads. */
  #lastSeq(): number {
    return Math.max(this.#state.lastMessageSeq, this.#state.lastQueuedSeq);
  }

  #record(kind: number, value: unknown): void {
    const body = jsonBytes(value);
    const at = this.#state.journal.reserve(kind, body.length);
    body.copy(this.#state.journal.openBytes, at);
    this.#state.journal.commit();
  }
}
