/** Everything about declared subscriptions, put together: what doors ask (`Queues`), and what the administrator does. */
import type { DeclaredRate, Refusal } from "../model/engine.ts";
import type { MessageDraft } from "../model/message.ts";
import type {
  ConsumeRequest,
  Consumer,
  ConsumerHandle,
  PublishOrigin,
  PublishResult,
  Queues,
  Settlement,
  SettleResult,
} from "../model/queue.ts";
import type { DeadResult, MessagePage, SubscriptionView } from "../model/queue-administration.ts";
import type { Position } from "../model/settings.ts";
import type { Audit } from "./audit.ts";
import type { Batch } from "./batch.ts";
import { DeadLetters } from "./dead-letters.ts";
import type { Outbox } from "./outbox.ts";
import type { PositionProblem, Positions } from "./positions.ts";
import { publisherOf } from "./publisher.ts";
import type { Publishing } from "./publishing.ts";
import type { Queue } from "./queue.ts";
import { QueueAcks } from "./queue-acks.ts";
import type { QueueAppending } from "./queue-appending.ts";
import { QueueConsuming } from "./queue-consuming.ts";
import { type Declaration, QueueDeclaring } from "./queue-declaring.ts";
import { QueueDelivering } from "./queue-delivering.ts";
import { QueueOffering } from "./queue-offering.ts";
import { QueueReplay } from "./queue-replay.ts";
import { QueueSettling } from "./queue-settling.ts";
import { QueueTrimming } from "./queue-trimming.ts";
import { viewOf } from "./queue-view.ts";
import type { Attached } from "./queue-work.ts";
import { RandomPool } from "./random-pool.ts";
import { type DeadAct, Redriving } from "./redriving.ts";
import type { State } from "./state.ts";

export interface DeclaredQueuesParts {
  readonly state: State;
  readonly outbox: Outbox;
  readonly audit: Audit;
  readonly publishing: Publishing;
  readonly appending: QueueAppending;
  readonly batch: Batch;
  readonly positions: Positions;
}

export class DeclaredQueues implements Queues {
  readonly #state: State;
  readonly #batch: Batch;
  readonly #positions: Positions;
  readonly acks: QueueAcks;
  readonly delivering: QueueDelivering;
  readonly consuming: QueueConsuming;
  readonly settling: QueueSettling;
  readonly replay: QueueReplay;
  readonly #declaring: QueueDeclaring;
  readonly #trimming: QueueTrimming;
  readonly #appending: QueueAppending;
  readonly #publishing: Publishing;
  readonly #redriving: Redriving;
  /** Names in order, while they are the same. */
  #names: readonly string[] | undefined;

  constructor(parts: DeclaredQueuesParts) {
    const { state, outbox, audit, publishing, appending } = parts;
    this.#state = state;
    this.#batch = parts.batch;
    this.#positions = parts.positions;
    this.#appending = appending;
    this.#publishing = publishing;
    const random = new RandomPool(state.random);
    this.acks = new QueueAcks(state);
    const dead = new DeadLetters({ state, acks: this.acks, publishing, appending });
    const offering = new QueueOffering({ state, acks: this.acks, dead, random });
    this.delivering = new QueueDelivering({ state, outbox, acks: this.acks, offering });
    this.settling = new QueueSettling({ state, outbox, acks: this.acks, dead, random, delivering: this.delivering });
    // Expired leases are found while delivering, and what they leave is delivered: one of the two is told later.
    this.delivering.connect(this.settling);
    offering.connect(this.settling);
    this.consuming = new QueueConsuming({
      state,
      outbox,
      audit,
      delivering: this.delivering,
      settling: this.settling,
    });
    this.#trimming = new QueueTrimming({ state, outbox, acks: this.acks, dead });
    this.#declaring = new QueueDeclaring({
      state,
      audit,
      consuming: this.consuming,
      settling: this.settling,
      delivering: this.delivering,
      trimming: this.#trimming,
    });
    this.#redriving = new Redriving({ state, outbox, audit, appending });
    this.replay = new QueueReplay({ state, publishing, appending, declaring: this.#declaring });
  }

  // ── Queues ───────────────────────────────────────────────────────────────────────────────────────────────────

  consume(consumer: Consumer, request: ConsumeRequest): ConsumerHandle | Refusal {
    return this.consuming.consume(consumer, request);
  }

  leave(handle: ConsumerHandle, keepLeases: boolean): void {
    this.consuming.leave(handle as Attached, keepLeases);
  }

  resume(handle: ConsumerHandle): void {
    this.consuming.resume(handle as Attached);
  }

  settle(principal: string, token: string, settlement: Settlement, done: (result: SettleResult) => void): void {
    this.settling.byToken(principal, token, settlement, done);
  }

  rateOf(principal: string, topic: string): DeclaredRate | undefined {
    if (this.#state.topicSettings.rated === 0) return undefined;
    return this.#publishing.rateOf(publisherOf({ principal, number: 0 }), this.#publishing.topicNamed(topic));
  }

  publishBatch(
    origin: PublishOrigin,
    drafts: readonly MessageDraft[],
    done: (results: readonly PublishResult[]) => void,
  ): void {
    this.#batch.publish(origin, drafts, done);
  }

  // ── administration: who may was asked before; the caller waits for `whenDurable` ───────────────────────────────

  /** Creates it, or gives it other settings; true when it is new. */
  declare(declaration: Declaration): boolean {
    const isNew = this.#declaring.declare(declaration);
    if (isNew) this.#names = undefined;
    return isNew;
  }

  /** Its messages and dead letters go with it. False when there is none. */
  delete(name: string, by: string): boolean {
    this.#names = undefined;
    return this.#declaring.delete(name, by);
  }

  /** Offset of the first message to be read. False when there is no such subscription. */
  reset(name: string, from: number, by: string): boolean {
    const queue = this.#state.queues.get(name);
    if (queue !== undefined) this.#declaring.reset(queue, from, by);
    return queue !== undefined;
  }

  /** Offset of the first message that a position means. At once, but for a time, which is looked up in the journal. */
  resolve(position: Position, done: (from: number | PositionProblem) => void): void {
    this.#positions.resolve(position, done);
  }

  /** Dead letters from an offset on. Nothing where there is no such subscription. */
  dead(name: string, page: { readonly from: number; readonly limit: number }, done: (page: MessagePage) => void): void {
    const queue = this.#state.queues.get(name);
    if (queue === undefined) done({ messages: [], next: undefined });
    else this.#redriving.page(queue, page, done);
  }

  /** `done` when it is durable; with undefined when the journal has failed. `remaining` is at least 1 while more is to do. */
  redrive(name: string, act: DeadAct, done: (result: DeadResult | undefined) => void): void {
    const queue = this.#state.queues.get(name);
    if (queue === undefined) done({ done: 0, remaining: 0 });
    else this.#redriving.redrive(queue, act, done);
  }

  /** As `redrive`. */
  purge(name: string, act: DeadAct, done: (result: DeadResult | undefined) => void): void {
    const queue = this.#state.queues.get(name);
    if (queue === undefined) done({ done: 0, remaining: 0 });
    else this.#redriving.purge(queue, act, done);
  }

  view(name: string): SubscriptionView | undefined {
    const queue = this.#state.queues.get(name);
    return queue === undefined ? undefined : viewOf(queue);
  }

  /** Sorted by code units. */
  get names(): readonly string[] {
    this.#names ??= [...this.#state.queues.keys()].sort();
    return this.#names;
  }

  // ── clockwork ────────────────────────────────────────────────────────────────────────────────────────────────

  /** After recovery. */
  begin(): void {
    this.replay.begin();
    this.#appending.onOverfull = (queue) => this.#trimming.trim(queue);
    this.#publishing.checks.quota.onFull = (queue) => this.#trimming.sweep(queue);
    for (const queue of this.#state.queues.values()) this.#trimming.trim(queue);
  }

  tidy(): void {
    this.consuming.tidy();
    if (this.#declaring.expire()) this.#names = undefined;
  }

  committed(queues: readonly Queue[]): void {
    this.delivering.committed(queues);
  }
}
