/** What consumers are done with: taken out of the backlog at once, written to the journal with the next frame (D6: durable within 100 ms). */
import { RecordKind } from "../model/record.ts";
import type { Outbox } from "./outbox.ts";
import type { Lane, Queue } from "./queue.ts";
import { freeKey } from "./queue-places.ts";
import { type QueueAcked, queueAckedBytes, writeQueueAcked } from "./queue-records.ts";
import type { State } from "./state.ts";

/** An acknowledgement waits for company at most this long. */
const ackDelayMs = 50;

export class QueueAcks {
  readonly #state: State;
  readonly #pending: Queue[] = [];
  /** Run once what is pending is durable. */
  #waiting: ((isDurable: boolean) => void)[] = [];

  constructor(state: State) {
    this.#state = state;
  }

  /** The message is done for good: acknowledged, dead-lettered, or nobody's any more. The next of its key may go. */
  done(queue: Queue, seq: number, bytes: number, key: string | undefined): void {
    const isFirst = queue.first() === seq;
    queue.work?.laneOf.delete(seq);
    if (queue.remove(seq)) {
      queue.uncount(seq, bytes);
      queue.noteAcked(seq, isFirst);
      this.#note(queue);
      this.#state.journal.commitWithin(ackDelayMs);
    }
    freeKey(queue, key, seq);
  }

  /** `seq` is no message of this queue. In history that is progress, which must not be walked again after a restart. */
  skip(queue: Queue, lane: Lane, seq: number): void {
    const isFirst = seq <= queue.historyThrough && queue.first() === seq;
    lane.backlog.skip(seq);
    if (!isFirst) return;
    queue.noteAcked(seq, true);
    this.#note(queue);
  }

  /** Runs when all that is done by now is durable; with false when the journal has failed. */
  whenDurable(run: (isDurable: boolean) => void): void {
    this.#waiting.push(run);
    this.#state.journal.commit();
  }

  /** Adds what is done since the last frame to the open one. */
  write(outbox: Outbox): void {
    for (const queue of this.#pending.splice(0)) if (!queue.deleted) this.#writeOne(queue);
    if (this.#waiting.length === 0) return;
    for (const run of this.#waiting.splice(0)) outbox.promise(run);
  }

  /** The journal failed. */
  refuse(): void {
    for (const run of this.#waiting.splice(0)) run(false);
  }

  #writeOne(queue: Queue): void {
    const acked: QueueAcked = {
      number: queue.number,
      floor: queue.ackedFloor,
      messages: queue.messages,
      bytes: queue.bytes,
      beyond: queue.ackedBeyond,
    };
    const at = this.#state.journal.reserve(RecordKind.queueAcked, queueAckedBytes(acked));
    writeQueueAcked(this.#state.journal.openBytes, at, acked);
    queue.ackWritten();
  }

  #note(queue: Queue): void {
    if (queue.ackPending) return;
    queue.ackPending = true;
    this.#pending.push(queue);
  }
}
