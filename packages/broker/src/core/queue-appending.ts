/** A message comes to the declared subscriptions that match it: live and in recovery. Decides nothing. */
import { readAttribute } from "../model/attributes.ts";
import type { MessageView } from "../model/message.ts";
import { priorityDefault, priorityMax } from "../model/settings.ts";
import { refresh } from "./matching.ts";
import type { Outbox } from "./outbox.ts";
import type { Queue } from "./queue.ts";
import type { State } from "./state.ts";
import type { Topic } from "./topic.ts";

/** What a message counts against quota and credit: payload and headers. */
export function bytesOf(message: MessageView): number {
  return message.payloadEnd - message.headerStart;
}

interface Place {
  readonly seq: number;
  /** The message before it that a declared subscription could have got. */
  readonly previous: number;
}

export class QueueAppending {
  readonly #state: State;
  #outbox: Outbox | undefined;
  /** Not in recovery: what is dropped there is dropped by a record. */
  onOverfull: ((queue: Queue) => void) | undefined;

  constructor(state: State) {
    this.#state = state;
  }

  connect(outbox: Outbox): void {
    this.#outbox = outbox;
  }

  /** After the topic was refreshed. A dead letter goes to the subscription that it died in. */
  append(topic: Topic, seq: number, message: MessageView): void {
    const { queues } = topic;
    const { messageBefore, lastQueuedSeq } = this.#state;
    const previous = Math.max(messageBefore, lastQueuedSeq);
    if (topic.reserved) for (const queue of queues) queue.addDead(seq, previous);
    else this.#addToAll(queues, { seq, previous }, message);
  }

  /** A QoS 0 message: sessions had it live, declared subscriptions keep it. */
  queued(topic: Topic, seq: number, message: MessageView): void {
    const previous = this.#state.messageCame(seq);
    refresh(this.#state, topic);
    if (!topic.reserved) this.#addToAll(topic.queues, { seq, previous }, message);
  }

  #addToAll(queues: readonly Queue[], place: Place, message: MessageView): void {
    const size = bytesOf(message);
    let priority = -1;
    for (let i = 0; i < queues.length; i++) {
      const queue = queues[i] as Queue;
      const { rules } = queue;
      if (!isWanted(this.#state, rules.where, message)) continue;
      if (rules.priorities && priority < 0) priority = priorityOf(message);
      this.#add(queue, place, rules.priorities ? priority : priorityDefault, size);
    }
  }

  /** For one subscription alone: a redriven dead letter. */
  direct(queue: Queue, seq: number, message: MessageView): void {
    const priority = queue.rules.priorities ? priorityOf(message) : priorityDefault;
    const previous = this.#state.messageCame(seq);
    this.#add(queue, { seq, previous }, priority, bytesOf(message));
  }

  #add(queue: Queue, { seq, previous }: Place, priority: number, bytes: number): void {
    queue.append(seq, priority, bytes, previous);
    if (queue.work !== undefined) this.#outbox?.wakeQueue(queue);
    if (this.onOverfull !== undefined && isOverfull(queue)) this.onOverfull(queue);
  }
}

/** Has the message the user properties that the subscription asks for? */
export function isWanted(state: State, where: Readonly<Record<string, string>>, message: MessageView): boolean {
  // What it had is erased. It counts as before, and nobody is given it.
  if (message.isBlank) return true;
  for (const name in where) if (state.headers.userProperty(message, name) !== where[name]) return false;
  return true;
}

/** 0 to 9. */
export function priorityOf(message: MessageView): number {
  if (!message.hasAttributes) return priorityDefault;
  const priority = readAttribute(message, "priority") ?? priorityDefault;
  return Math.min(priorityMax, Math.max(0, Math.trunc(priority)));
}

/** Has it more than it may? */
export function isOverfull(queue: Queue): boolean {
  return queue.messages > queue.rules.maxMessages || queue.bytes > queue.rules.maxBytes;
}
