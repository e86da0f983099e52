/** Dead letters looked at, sent back to where they failed, and done away with. Who may was asked before. */
import { type MessageAttributes, readAttributes, writeAttributes } from "../model/attributes.ts";
import { MessageDraft, MessageView, messageSize, noExpiry, writeMessage } from "../model/message.ts";
import type { DeadResult, DeadSelection, MessagePage, StoredMessage } from "../model/queue-administration.ts";
import { RecordKind } from "../model/record.ts";
import { deadLetterPrefix } from "../model/settings.ts";
import type { Audit } from "./audit.ts";
import { type DeadVisitor, walkDead } from "./dead-walk.ts";
import { fillDraft } from "./draft-of-message.ts";
import { confineMessage, isErased } from "./erasing.ts";
import { messageAt } from "./frame-reading.ts";
import type { Outbox } from "./outbox.ts";
import type { Queue } from "./queue.ts";
import { bytesOf, type QueueAppending } from "./queue-appending.ts";
import { deadRemovedBytes, directedHeadBytes, writeDeadRemoved, writeNumber } from "./queue-records.ts";
import { readRecords } from "./record-reading.ts";
import type { State } from "./state.ts";
import { storedMessage } from "./stored-message.ts";

export interface RedrivingParts {
  readonly state: State;
  readonly outbox: Outbox;
  readonly audit: Audit;
  readonly appending: QueueAppending;
}

/** Dead letters that one call deals with, or a page holds. */
const atOnceMax = 1_000;
const atOnceBytesMax = 16 * 1024 * 1024;
/** Bytes of payload and headers that one page holds; the first message is there whatever its size. */
const pageBytesMax = 4 * 1024 * 1024;

export interface DeadAct {
  readonly by: string;
  readonly selection: DeadSelection;
}

/** True when it was done; false when there is no room for it. */
type Act = (message: MessageView) => boolean;
/** Undefined when the journal has failed. */
type Done = (result: DeadResult | undefined) => void;

export class Redriving {
  readonly #parts: RedrivingParts;
  readonly #state: State;
  readonly #view: MessageView = new MessageView();
  readonly #draft: MessageDraft = new MessageDraft();

  constructor(parts: RedrivingParts) {
    this.#parts = parts;
    this.#state = parts.state;
  }

  page(queue: Queue, page: { readonly from: number; readonly limit: number }, done: (page: MessagePage) => void): void {
    const messages: StoredMessage[] = [];
    const limit = Math.min(atOnceMax, Math.max(1, page.limit));
    let bytes = 0;
    walkDead(this.#state, queue, Math.max(1, page.from), {
      visit: (seq, message) => {
        if (isErased(this.#state, message)) return true;
        const size = bytesOf(message);
        if (messages.length >= limit || (messages.length > 0 && bytes + size > pageBytesMax)) return false;
        bytes += size;
        messages.push(storedMessage(message, seq));
        return true;
      },
      turn: () => undefined,
      done: (next) => done({ messages, next: next === 0 ? undefined : next }),
    });
  }

  /** Back to the subscription they failed in, attempts forgotten, as far as its quota goes. `done` when that is durable. */
  redrive(queue: Queue, act: DeadAct, done: Done): void {
    const direct: Act = (message) => {
      if (isErased(this.#state, message)) {
        this.#state.counters.droppedErased++;
        return true;
      }
      const { maxMessages, maxBytes } = queue.rules;
      if (queue.messages >= maxMessages || queue.bytes + bytesOf(message) > maxBytes) return false;
      this.#direct(queue, message);
      this.#state.counters.redriven++;
      return true;
    };
    this.#act(queue, { ...act, event: "dead.redriven", act: direct }, done);
  }

  purge(queue: Queue, act: DeadAct, done: Done): void {
    this.#act(queue, { ...act, event: "dead.purged", act: () => true }, done);
  }

  #act(queue: Queue, what: DeadAct & { readonly event: string; readonly act: Act }, done: Done): void {
    const { by, selection, event, act } = what;
    const removed: number[] = [];
    let count = 0;
    let bytes = 0;
    let isFull = false;
    const visitor: DeadVisitor = {
      visit: (seq, message) => {
        if (!hasReason(message, selection.reason)) return true;
        isFull = count >= atOnceMax || bytes >= atOnceBytesMax || !act(message);
        if (isFull) return false;
        count++;
        bytes += bytesOf(message);
        removed.push(seq);
        return true;
      },
      // In the same frame as what was made of them: a crash keeps both or neither.
      turn: () => this.#removeDead(queue, removed.splice(0)),
      done: () => {
        if (count > 0) this.#parts.audit.act(event, { name: queue.name, count, by });
        const remaining = isFull ? leftOf(queue, selection.offsets) : 0;
        this.#parts.outbox.promise((isDurable) => done(isDurable ? { done: count, remaining } : undefined));
      },
    };
    if (selection.offsets === undefined) walkDead(this.#state, queue, 1, visitor);
    else
      this.#visitOffsets(
        queue,
        [...new Set(selection.offsets)].sort((a, b) => a - b),
        visitor,
      );
  }

  #visitOffsets(queue: Queue, offsets: readonly number[], visitor: DeadVisitor): void {
    const topic = deadLetterPrefix + queue.name;
    const view = new MessageView();
    let stoppedAt = 0;
    readRecords(this.#state.journal, offsets, {
      record: (at, frame) => {
        const message = frame === undefined ? undefined : messageAt(view, frame, at);
        const isDead = message?.topic === topic && !queue.deleted && queue.dead?.contains(at) === true;
        if (stoppedAt !== 0 || message === undefined || !isDead) return;
        if (!visitor.visit(at, message)) stoppedAt = at;
        visitor.turn();
      },
      done: () => visitor.done(stoppedAt),
    });
  }

  #removeDead(queue: Queue, seqs: readonly number[]): void {
    if (seqs.length === 0 || queue.deleted) return;
    const { journal } = this.#state;
    const removed = { number: queue.number, seqs };
    const at = journal.reserve(RecordKind.deadRemoved, deadRemovedBytes(removed));
    writeDeadRemoved(journal.openBytes, at, removed);
    for (const seq of seqs) queue.removeDead(seq);
    journal.commit();
  }

  #direct(queue: Queue, message: MessageView): void {
    const { journal, clock } = this.#state;
    const draft = this.#draft;
    const { key, priority, origin, originTopic, domain } = readAttributes(message);
    const attributes: MessageAttributes = {
      ...(key === undefined ? {} : { key }),
      ...(priority === undefined ? {} : { priority }),
      ...(origin === undefined ? {} : { origin }),
      ...(domain === undefined ? {} : { domain }),
    };
    fillDraft(draft, message);
    draft.expirySeconds = noExpiry;
    draft.topicBytes = Buffer.from(originTopic ?? "", "utf8");
    draft.topicStart = 0;
    draft.topicEnd = draft.topicBytes.length;
    draft.attributes = writeAttributes(attributes);
    const principalBytes = message.bytes.subarray(message.principalStart, message.principalEnd);
    const length = directedHeadBytes + messageSize(draft, principalBytes);
    const at = journal.reserve(RecordKind.messageDirected, length);
    const out = journal.openBytes;
    writeNumber(out, at, queue.number);
    const start = at + directedHeadBytes;
    writeMessage(out, start, draft, { principalBytes, number: message.publisherNumber }, clock.now());
    confineMessage(this.#state, start, at + length);
    this.#parts.appending.direct(queue, journal.lastSeq, this.#view.read(out, start, at + length));
  }
}

function hasReason(message: MessageView, reason: string | undefined): boolean {
  return reason === undefined || (readAttributes(message).reason ?? "").includes(reason);
}

function leftOf(queue: Queue, offsets: readonly number[] | undefined): number {
  if (offsets === undefined) return queue.deadCount;
  return offsets.filter((seq) => queue.dead?.contains(seq) === true).length;
}
