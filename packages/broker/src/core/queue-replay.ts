/** Recovery of declared subscriptions: each record through the `apply` that runs live. */
import type { MessageView } from "../model/message.ts";
import { RecordKind, readJson } from "../model/record.ts";
import type { Publishing } from "./publishing.ts";
import type { Queue } from "./queue.ts";
import type { QueueAppending } from "./queue-appending.ts";
import type { QueueDeclaring } from "./queue-declaring.ts";
import {
  type PositionReset,
  type QueueState,
  readAttemptFailed,
  readDeadRemoved,
  readQueueAcked,
  type SubscriptionDeclared,
  type SubscriptionDeleted,
  type SubscriptionIdle,
} from "./queue-records.ts";
import type { State } from "./state.ts";

export interface QueueReplayParts {
  readonly state: State;
  readonly publishing: Publishing;
  readonly appending: QueueAppending;
  readonly declaring: QueueDeclaring;
}

export class QueueReplay {
  readonly #parts: QueueReplayParts;
  readonly #state: State;

  constructor(parts: QueueReplayParts) {
    this.#parts = parts;
    this.#state = parts.state;
  }

  /** A redriven dead letter: for one subscription alone. */
  directed(seq: number, number: number, message: MessageView): void {
    const queue = this.#state.queuesByNumber.get(number);
    if (queue !== undefined) this.#parts.appending.direct(queue, seq, message);
    else this.#state.messageCame(seq);
  }

  /** A QoS 0 message that only declared subscriptions keep. */
  queued(seq: number, message: MessageView): void {
    this.#parts.appending.queued(this.#parts.publishing.topicNamed(message.topic), seq, message);
  }

  apply(kind: number, bytes: Buffer, start: number, end: number): void {
    const { declaring } = this.#parts;
    switch (kind) {
      case RecordKind.queueAcked: {
        const acked = readQueueAcked(bytes, start, end);
        this.#queue(acked.number)?.applyAcked(acked.floor, acked.beyond, acked);
        break;
      }
      case RecordKind.attemptFailed: {
        const attempt = readAttemptFailed(bytes, start, end);
        this.#queue(attempt.number)?.noteFailed(attempt.seq, attempt.failed, attempt.retryAt);
        break;
      }
      case RecordKind.deadRemoved: {
        const removed = readDeadRemoved(bytes, start, end);
        for (const seq of removed.seqs) this.#queue(removed.number)?.removeDead(seq);
        break;
      }
      case RecordKind.subscriptionDeclared:
        declaring.applyDeclared(readJson<SubscriptionDeclared>(bytes, start, end));
        break;
      case RecordKind.subscriptionDeleted:
        declaring.applyDeleted(readJson<SubscriptionDeleted>(bytes, start, end));
        break;
      case RecordKind.positionReset:
        declaring.applyReset(readJson<PositionReset>(bytes, start, end));
        break;
      case RecordKind.subscriptionIdle: {
        const idle = readJson<SubscriptionIdle>(bytes, start, end);
        const queue = this.#queue(idle.number);
        if (queue !== undefined) queue.idleSince = idle.at ?? 0;
        break;
      }
      case RecordKind.queueState:
        this.#restore(readJson<QueueState>(bytes, start, end));
        break;
    }
  }

  /** All records are applied: nobody consumes now. */
  begin(): void {
    const now = this.#state.clock.now();
    for (const queue of this.#state.queuesByNumber.values()) if (queue.idleSince === 0) queue.idleSince = now;
  }

  #restore(saved: QueueState): void {
    const queue = this.#queue(saved.number);
    if (queue === undefined) return;
    for (const [priority, runs, count] of saved.lanes) queue.laneFor(priority).backlog.load(runs, count);
    queue.messages = saved.messages;
    queue.bytes = saved.bytes;
    queue.historyThrough = saved.historyThrough;
    queue.eras = saved.eras;
    queue.ackedFloor = saved.ackedFloor;
    for (const [seq, failed, retryAt] of saved.attempts) queue.noteFailed(seq, failed, retryAt);
    queue.loadDead(saved.dead, saved.deadCount);
    queue.idleSince = saved.idleSince ?? 0;
  }

  #queue(number: number): Queue | undefined {
    return this.#state.queuesByNumber.get(number);
  }
}
