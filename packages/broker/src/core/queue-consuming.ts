/** Consumers come and go: who may, how many, and what ends them. */
import { Reason, type Refusal } from "../model/engine.ts";
import type { EndReason } from "../model/link.ts";
import type { ConsumeRequest, Consumer } from "../model/queue.ts";
import { jsonBytes, RecordKind } from "../model/record.ts";
import type { Audit } from "./audit.ts";
import { CredentialDeadline, expiredText, hasExpired } from "./credential-deadline.ts";
import type { Outbox } from "./outbox.ts";
import type { Queue } from "./queue.ts";
import type { QueueDelivering } from "./queue-delivering.ts";
import { dropStrangers } from "./queue-places.ts";
import type { SubscriptionIdle } from "./queue-records.ts";
import type { QueueSettling } from "./queue-settling.ts";
import { Attached, QueueWork } from "./queue-work.ts";
import { allowed, allowedFilter } from "./rights.ts";
import { SessionConsumer } from "./session-consumer.ts";
import type { State } from "./state.ts";

export interface QueueConsumingParts {
  readonly state: State;
  readonly outbox: Outbox;
  readonly audit: Audit;
  readonly delivering: QueueDelivering;
  readonly settling: QueueSettling;
}

/** How long a subscription remembers where it was while nobody consumes from it. */
const rememberedMs = 10_000;

export class QueueConsuming {
  readonly #parts: QueueConsumingParts;
  readonly #state: State;
  readonly #attached: Set<Attached> = new Set();
  /** Subscriptions with a running side. */
  readonly #working: Set<Queue> = new Set();

  constructor(parts: QueueConsumingParts) {
    this.#parts = parts;
    this.#state = parts.state;
  }

  /** Consumers of all subscriptions. */
  get count(): number {
    return this.#attached.size;
  }

  /** Messages that consumers have. */
  get leased(): number {
    let leased = 0;
    for (const queue of this.#working) leased += queue.work?.leases.size ?? 0;
    return leased;
  }

  /** Nothing is delivered before this returns. */
  consume(consumer: Consumer, request: ConsumeRequest): Attached | Refusal {
    const state = this.#state;
    const queue = state.queues.get(request.subscription);
    const refusal = this.#refusal(queue, request);
    if (refusal !== undefined || queue === undefined) return refusal ?? unknown(request.subscription);
    const { leasesPerConsumerMax, leaseBytesPerConsumerMax } = state.limits;
    const attached = new Attached(queue, consumer, {
      ...request,
      messages: clamp(request.messages, leasesPerConsumerMax),
      bytes: clamp(request.bytes, leaseBytesPerConsumerMax),
    });
    const work = queue.work ?? this.#begin(queue);
    work.join(attached);
    this.#attached.add(attached);
    this.#watchCredential(attached, request.expiresAt);
    this.#noteIdle(queue, 0);
    this.#parts.outbox.action(() => this.#parts.delivering.defer(queue));
    return attached;
  }

  leave(attached: Attached, keepLeases: boolean): void {
    if (attached.gone) return;
    attached.gone = true;
    attached.credentialDeadline?.cancel();
    this.#attached.delete(attached);
    const { queue } = attached;
    const { work } = queue;
    work?.part(attached);
    this.#parts.settling.left(attached, keepLeases);
    if (work === undefined || queue.deleted) return;
    if (work.consumers.size === 0) this.#noteIdle(queue, this.#state.clock.now());
    this.#parts.delivering.wake(queue);
  }

  #watchCredential(attached: Attached, expiresAt: number | undefined): void {
    if (expiresAt === undefined) return;
    const end = (): void => this.end(attached, "not-authorized", expiredText);
    attached.credentialDeadline = new CredentialDeadline(this.#state, expiresAt, end);
  }

  /** It takes nothing more and keeps what it has; `leave` follows. The next one of an exclusive subscription takes over. */
  retire(attached: Attached): void {
    const { queue } = attached;
    const { work } = queue;
    if (attached.gone || attached.retired || work === undefined) return;
    attached.retired = true;
    work.part(attached);
    if (work.consumers.size === 0) this.#noteIdle(queue, this.#state.clock.now());
    this.#parts.delivering.wake(queue);
  }

  resume(attached: Attached): void {
    if (!attached.gone) this.#parts.delivering.wake(attached.queue);
  }

  /** The engine ends a consumer: its leases go back. */
  end(attached: Attached, reason: EndReason, text: string): void {
    if (attached.gone) return;
    this.leave(attached, false);
    attached.consumer.end(reason, text);
  }

  endOf(queue: Queue, reason: EndReason, text: string): void {
    for (const attached of [...(queue.work?.consumers ?? [])]) this.end(attached, reason, text);
    this.#working.delete(queue);
    this.#silence(queue);
  }

  /** Of all but sessions, whose connections end by themselves. */
  endAll(reason: EndReason, text: string): void {
    for (const attached of [...this.#attached]) {
      if (attached.consumer instanceof SessionConsumer) continue;
      attached.gone = true;
      attached.consumer.end(reason, text);
    }
  }

  keyEnded(keyId: string, text: string): void {
    this.keysEnded(new Set([keyId]), text);
  }

  keysEnded(ids: ReadonlySet<string>, text: string): void {
    for (const attached of [...this.#attached]) if (ids.has(attached.keyId)) this.end(attached, "not-authorized", text);
  }

  /** Rights changed: who may not consume any more is told so. */
  rightsChanged(): void {
    for (const attached of [...this.#attached]) {
      const problem = this.#missingRight(attached.queue, attached.principal);
      if (problem === undefined) continue;
      this.#parts.audit.denied("consume", attached.principal, attached.subscription);
      this.end(attached, "not-authorized", problem);
    }
  }

  /** Every few seconds: what nobody works with is forgotten, and found again by walking. */
  tidy(): void {
    const now = this.#state.clock.monotonic();
    for (const queue of this.#working) {
      const { work } = queue;
      dropStrangers(queue);
      if (work === undefined || !work.isIdle) continue;
      if (work.idleSince === 0) work.idleSince = now;
      else if (now - work.idleSince >= rememberedMs) {
        this.#working.delete(queue);
        this.#silence(queue);
      }
    }
  }

  #begin(queue: Queue): QueueWork {
    const work = new QueueWork();
    queue.work = work;
    queue.restartWalk();
    this.#working.add(queue);
    return work;
  }

  #silence(queue: Queue): void {
    const alarm = queue.work?.alarm;
    if (alarm !== undefined) this.#state.deadlines.cancel(alarm);
    queue.work = undefined;
    queue.restartWalk();
    this.#parts.delivering.forget(queue);
  }

  /** Written only where it counts: for subscriptions that are deleted when nobody consumes. */
  #noteIdle(queue: Queue, since: number): void {
    if ((queue.idleSince === 0) === (since === 0)) return;
    queue.idleSince = since;
    if (queue.rules.expiryMs === 0 || this.#state.journal.hasFailed) return;
    const idle: SubscriptionIdle = { number: queue.number, at: since === 0 ? null : since };
    const body = jsonBytes(idle);
    const at = this.#state.journal.reserve(RecordKind.subscriptionIdle, body.length);
    body.copy(this.#state.journal.openBytes, at);
    this.#state.journal.commitWithin(1_000);
  }

  #refusal(queue: Queue | undefined, request: ConsumeRequest): Refusal | undefined {
    const state = this.#state;
    if (state.journal.hasFailed)
      return { reason: Reason.serverUnavailable, text: "storage has failed; the broker must be restarted" };
    if (hasExpired(state, request.expiresAt)) return { reason: Reason.notAuthorized, text: expiredText };
    const text = this.#missingRight(queue, request.principal, request.subscription);
    if (text !== undefined) {
      state.counters.deniedSubscribe++;
      this.#parts.audit.denied("consume", request.principal, request.subscription);
      return { reason: Reason.notAuthorized, text };
    }
    const consumersMax = state.limits.consumersPerSubscriptionMax;
    if (queue === undefined || (queue.work?.consumers.size ?? 0) < consumersMax) return undefined;
    this.#parts.audit.write("limit.hit", { limit: "consumersPerSubscriptionMax", principal: request.principal });
    return { reason: Reason.quotaExceeded, text: `a subscription may have ${consumersMax} consumers` };
  }

  /** Whether there is such a subscription is told to those alone who may consume from it. */
  #missingRight(queue: Queue | undefined, principal: string, name: string = queue?.name ?? ""): string | undefined {
    if (!allowed(this.#state, principal, "consume", name)) return `consume is not granted on "${name}"`;
    for (const filter of queue?.filters ?? []) {
      if (!allowedFilter(this.#state, principal, "subscribe", filter))
        return `subscribe is not granted on "${filter}", which "${name}" reads`;
    }
    return undefined;
  }
}

function unknown(name: string): Refusal {
  return { reason: Reason.implementationSpecific, text: `there is no subscription "${name}"; declare it first` };
}

/** Credit is at least one message, or nothing would ever come. */
function clamp(asked: number, most: number): number {
  return Math.min(most, Math.max(1, Math.floor(asked)));
}
