/** May a publish be added to the subscriptions that it matches, or is one of them full that refuses? */
import { type MessageDraft, MessageView } from "../model/message.ts";
import { refresh } from "./matching.ts";
import type { Queue } from "./queue.ts";
import { isWanted } from "./queue-appending.ts";
import type { State } from "./state.ts";
import type { Topic } from "./topic.ts";

/** What a batch brings a subscription so far. */
export interface Planned {
  messages: number;
  bytes: number;
}

const nothing: Planned = { messages: 0, bytes: 0 };

export class QueueQuota {
  readonly #state: State;
  readonly #view: MessageView = new MessageView();
  /** Told of a subscription that refused: what has expired in it may make room. */
  onFull: ((queue: Queue) => void) | undefined;

  constructor(state: State) {
    this.#state = state;
  }

  /** Why not; empty when there is room. `planned`: of a batch, counted as if it were stored, and added to. */
  refusal(topic: Topic, draft: MessageDraft, planned: Map<Queue, Planned> | undefined): string {
    refresh(this.#state, topic);
    if (topic.queues.length === 0 || topic.reserved) return "";
    const bytes = draft.payloadEnd - draft.payloadStart + draft.headerEnd - draft.headerStart;
    for (const queue of topic.queues) {
      const text = problemOf(queue, bytes, planned?.get(queue) ?? nothing);
      if (text === "" || !this.#isWantedBy(queue, draft)) continue;
      this.onFull?.(queue);
      this.#state.counters.quotaRefused++;
      return text;
    }
    if (planned !== undefined) for (const queue of topic.queues) plan(planned, queue, bytes);
    return "";
  }

  #isWantedBy(queue: Queue, draft: MessageDraft): boolean {
    const view = this.#view;
    const { headerBytes } = draft;
    view.bytes = Buffer.from(headerBytes.buffer, headerBytes.byteOffset, headerBytes.byteLength);
    view.headerStart = draft.headerStart;
    view.headerEnd = draft.headerEnd;
    return isWanted(this.#state, queue.rules.where, view);
  }
}

function problemOf(queue: Queue, bytes: number, planned: Planned): string {
  const { maxMessages, maxBytes, overflow } = queue.rules;
  if (bytes > maxBytes)
    return `the message has ${bytes} bytes; the subscription "${queue.name}" holds ${maxBytes} at most`;
  if (overflow !== "reject") return "";
  if (queue.messages + planned.messages >= maxMessages)
    return `the subscription "${queue.name}" is full: ${maxMessages} messages wait in it or are under way`;
  if (queue.bytes + planned.bytes + bytes > maxBytes)
    return `the subscription "${queue.name}" is full: its messages have ${maxBytes} bytes`;
  return "";
}

function plan(planned: Map<Queue, Planned>, queue: Queue, bytes: number): void {
  const known = planned.get(queue);
  if (known === undefined) planned.set(queue, { messages: 1, bytes });
  else {
    known.messages++;
    known.bytes += bytes;
  }
}
