/**
 * The way to the dead letters: a message on `$mess/dead/NAME` with the headers, payload and publisher of the original, in
 * the same frame as the acknowledgement of the original. So a crash keeps both or neither.
 */
import { type MessageAttributes, readAttributes, writeAttributes } from "../model/attributes.ts";
import { MessageDraft, MessageView, messageSize, noExpiry, writeMessage } from "../model/message.ts";
import { RecordKind } from "../model/record.ts";
import { deadLetterPrefix } from "../model/settings.ts";
import { fillDraft } from "./draft-of-message.ts";
import { confineMessage, isErased } from "./erasing.ts";
import { messageAt } from "./frame-reading.ts";
import type { Publishing } from "./publishing.ts";
import type { Queue } from "./queue.ts";
import type { QueueAcks } from "./queue-acks.ts";
import { bytesOf, type QueueAppending } from "./queue-appending.ts";
import type { State } from "./state.ts";

/** Why a message died. */
export interface Death {
  readonly reason: string;
  /** Failed attempts. */
  readonly attempts: number;
  readonly key: string | undefined;
}

export interface DeadLettersParts {
  readonly state: State;
  readonly acks: QueueAcks;
  readonly publishing: Publishing;
  readonly appending: QueueAppending;
}

/** UTF-16 units of a reason that are kept. */
export const reasonLengthMax = 256;

export class DeadLetters {
  readonly #parts: DeadLettersParts;
  readonly #state: State;
  readonly #draft: MessageDraft = new MessageDraft();
  readonly #view: MessageView = new MessageView();

  constructor(parts: DeadLettersParts) {
    this.#parts = parts;
    this.#state = parts.state;
  }

  /**
   * Reads the message, from disk if it must be, and buries it. `then`: true when it is a dead letter now; false when the
   * subscription was deleted or reset meanwhile, or the message is not to be had any more.
   */
  bury(queue: Queue, seq: number, death: Death, then: (isBuried: boolean) => void): void {
    const { journal } = this.#state;
    const { work } = queue;
    const cached = journal.cached(seq);
    if (cached !== undefined || work === undefined) {
      then(this.#buryIn(queue, seq, cached, death));
      return;
    }
    work.burying.add(seq);
    journal.fetch(seq, (frame) => {
      // After a reset or a deletion it is not this message's burial any more.
      if (queue.deleted || queue.work !== work || !work.burying.delete(seq)) then(false);
      else then(this.#buryIn(queue, seq, frame, death));
    });
  }

  /** The message is at hand. It is no more leased, nor does it stand aside. */
  record(queue: Queue, seq: number, message: MessageView, death: Death): void {
    const { journal, clock, counters } = this.#state;
    if (isErased(this.#state, message)) {
      counters.droppedErased++;
      this.#parts.acks.done(queue, seq, bytesOf(message), death.key);
      return;
    }
    const draft = this.#draft;
    fillDraft(draft, message);
    // What died is kept for whoever looks after it, also where its publisher promised nothing.
    draft.qos = message.qos === 0 ? 1 : message.qos;
    draft.retain = false;
    draft.expirySeconds = noExpiry;
    draft.topicBytes = Buffer.from(deadLetterPrefix + queue.name, "utf8");
    draft.topicStart = 0;
    draft.topicEnd = draft.topicBytes.length;
    draft.attributes = writeAttributes(attributesOf(seq, message, death));
    const bytes = bytesOf(message);
    const principalBytes = Buffer.from(message.bytes.subarray(message.principalStart, message.principalEnd));
    const number = message.publisherNumber;
    const topic = this.#parts.publishing.topicNamed(deadLetterPrefix + queue.name);
    const length = messageSize(draft, principalBytes);
    const at = journal.reserve(RecordKind.messagePublished, length);
    writeMessage(journal.openBytes, at, draft, { principalBytes, number }, clock.now());
    confineMessage(this.#state, at, at + length);
    const deadSeq = journal.lastSeq;
    this.#parts.publishing.apply(topic, deadSeq, draft.qos, number);
    this.#parts.appending.append(topic, deadSeq, this.#view.read(journal.openBytes, at, at + length));
    counters.deadLetters++;
    this.#parts.acks.done(queue, seq, bytes, death.key);
    journal.commit();
  }

  #buryIn(queue: Queue, seq: number, frame: Parameters<typeof messageAt>[1] | undefined, death: Death): boolean {
    const message = frame === undefined ? undefined : messageAt(new MessageView(), frame, seq);
    if (message === undefined) {
      this.#parts.acks.done(queue, seq, 0, death.key);
      return false;
    }
    this.record(queue, seq, message, death);
    return true;
  }
}

/** The id is left behind: it is the original's, and would make of the dead letter a repeat. */
function attributesOf(seq: number, message: MessageView, death: Death): MessageAttributes {
  const { key, priority, origin, domain } = message.hasAttributes ? readAttributes(message) : ({} as MessageAttributes);
  return {
    ...(key === undefined ? {} : { key }),
    ...(priority === undefined ? {} : { priority }),
    origin: origin ?? seq,
    originTopic: message.topic,
    reason: death.reason.slice(0, reasonLengthMax),
    attempts: death.attempts,
    ...(domain === undefined ? {} : { domain }),
  };
}
