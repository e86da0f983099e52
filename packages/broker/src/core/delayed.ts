/**
 * Messages that count later (`mess-delay`, `mess-at`). Accepted, they are a record and an entry of the heap; when they are
 * due they are published anew, at the place in the order that they have from then on, with the offset they were accepted
 * under as their origin. So they pin nothing, and recovery takes the one that was released out of the heap.
 */
import type { DelayedEntry } from "../delivery/delayed-heap.ts";
import { ownerOf } from "../model/derived-principal.ts";
import type { JournalFrame } from "../model/journal.ts";
import { MessageDraft, MessageView, messageHeaderBytes, readAttributes, writeAttributes } from "../model/message.ts";
import type { DelayedPage, DelayedView } from "../model/queue-administration.ts";
import { RecordKind } from "../model/record.ts";
import type { Audit } from "./audit.ts";
import { fillDraft } from "./draft-of-message.ts";
import { isErased } from "./erasing.ts";
import { messageAt } from "./frame-reading.ts";
import { mayPublish } from "./matching.ts";
import type { Outbox } from "./outbox.ts";
import { nothingPlanned } from "./publish-checks.ts";
import { type Publisher, publisherOf } from "./publisher.ts";
import type { Publishing } from "./publishing.ts";
import { readRecords } from "./record-reading.ts";
import { allowed } from "./rights.ts";
import type { State } from "./state.ts";

export interface DelayedParts {
  readonly state: State;
  readonly outbox: Outbox;
  readonly publishing: Publishing;
  readonly audit: Audit;
}

/** Released in one turn of the loop; what else is due follows when that is durable. */
const releasedAtOnce = 1_000;
/** One that finds no room is tried again after so long, and a thousand of them a second at most. */
const postponedMs = 1_000;
const betweenPostponedMs = 1;
/** Read ahead of their time: so far, so many, and so many bytes. */
const aheadMs = 60_000;
const aheadMax = 20_000;
const aheadBytesMax = 16 * 1024 * 1024;
/** What one that was read costs beside its bytes. */
const readOverheadBytes = 200;

export class Delayed {
  readonly #parts: DelayedParts;
  readonly #state: State;
  readonly #view: MessageView = new MessageView();
  readonly #draft: MessageDraft = new MessageDraft();
  /** Messages read ahead, by number. */
  readonly #read: Map<number, Buffer> = new Map();
  #readBytes = 0;
  #reading = false;
  /** Time of the last one that was put off. */
  #postponedTo = 0;
  /** `release` runs again when what is written now is durable. */
  #continues = false;
  #publisher: Publisher = publisherOf({ principal: "", number: 0 });
  /** As the message has it. */
  #publisherName = "";

  constructor(parts: DelayedParts) {
    this.#parts = parts;
    this.#state = parts.state;
  }

  /** Publishes what is due, in order of time; some now, the rest when that is durable. */
  release(): void {
    if (this.#continues) return;
    const { delayed, clock } = this.#state;
    const now = clock.now();
    for (let released = 0; ; ) {
      const dueAt = delayed.earliest();
      if (dueAt === undefined || dueAt > now || this.#mustWait()) return;
      if (released === releasedAtOnce) break;
      const seq = delayed.first();
      const message = this.#read.get(seq);
      if (message === undefined) {
        this.#readAhead(now);
        if (this.#read.has(seq) || delayed.first() !== seq) continue;
        // Its record is not durable yet, or it is being read.
        if (!this.#reading) this.#goOn();
        return;
      }
      this.#publish(seq, message);
      released++;
    }
    this.#goOn();
  }

  /** False when no such message waits. */
  cancel(seq: number): boolean {
    const { delayed, journal } = this.#state;
    const message = this.#read.get(seq);
    if (message !== undefined) this.#unread(seq, message);
    if (!delayed.remove(seq)) return false;
    const at = journal.reserve(RecordKind.delayedCancelled, 8);
    journal.openBytes.writeDoubleLE(seq, at);
    journal.commit();
    return true;
  }

  /** What waits, by due time. It may be fewer than `limit` before the end. */
  page(after: DelayedPage["next"], limit: number, done: (page: DelayedPage) => void): void {
    const from = { dueAt: after?.dueAt ?? Number.NEGATIVE_INFINITY, seq: after?.offset ?? 0 };
    // Nothing is shown that a power cut could take back.
    this.#parts.outbox.action(() => {
      const entries = this.#state.delayed.following(from, limit);
      const last = entries.length < limit ? undefined : entries.at(-1);
      const next = last === undefined ? undefined : { dueAt: last.dueAt, offset: last.seq };
      this.#views(entries, (messages) => done({ messages, next }));
    });
  }

  /** The one that was accepted under this offset, if it still waits. */
  find(offset: number, done: (view: DelayedView | undefined) => void): void {
    this.#parts.outbox.action(() => {
      const entry = this.#state.delayed.get(offset);
      this.#views(entry === undefined ? [] : [entry], (views) => done(views[0]));
    });
  }

  /** When everything written so far is durable. */
  #goOn(): void {
    this.#continues = true;
    this.#parts.outbox.action(() => {
      this.#continues = false;
      this.release();
    });
  }

  #mustWait(): boolean {
    const { journal } = this.#state;
    return this.#parts.publishing.diskFull || journal.congested || journal.hasFailed;
  }

  #publish(seq: number, message: Buffer): void {
    const { publishing } = this.#parts;
    const view = this.#view.read(message, 0, message.length);
    if (isErased(this.#state, view)) {
      this.#state.counters.droppedErased++;
      this.cancel(seq);
      return;
    }
    const topic = publishing.topicNamed(view.topic);
    const publisher = this.#publisherOf(view);
    const isAllowed =
      mayPublish(this.#state, publisher, topic) &&
      (!view.retain || allowed(this.#state, publisher.principal, "retain", topic.name));
    if (!isAllowed) {
      this.#state.counters.deniedPublish++;
      this.#parts.audit.denied("publish", publisher.principal, topic.name);
      this.cancel(seq);
      return;
    }
    const draft = this.#draftOf(view, seq);
    if (publishing.checks.quota.refusal(topic, draft, undefined) !== "") {
      this.#postpone(seq);
      return;
    }
    this.#unread(seq, message);
    this.#state.delayed.remove(seq);
    this.#state.counters.released++;
    // It was promised, so it goes out; what there is no room for any more is to keep it for those who come later.
    if (draft.retain && publishing.checks.retainedReason(publisher, topic, draft, nothingPlanned) !== 0)
      draft.retain = false;
    publishing.store(publisher, topic, draft);
  }

  /** A subscription that refuses when it is full has no room: again in a second, or later where many have to. */
  #postpone(seq: number): void {
    const now = this.#state.clock.now();
    const soonest = now + postponedMs;
    // The clock may have been set back.
    const last = Math.min(this.#postponedTo, soonest + this.#state.delayed.size * betweenPostponedMs);
    this.#postponedTo = Math.max(soonest, last + betweenPostponedMs);
    this.#state.delayed.reschedule(seq, this.#postponedTo);
  }

  #publisherOf(view: MessageView): Publisher {
    const { principal, publisherNumber } = view;
    const known = this.#publisher;
    if (this.#publisherName === principal && known.number === publisherNumber) return known;
    this.#publisherName = principal;
    // The token it came with may be over by now, which takes nothing back: its owner's right decides.
    const owner = publisherOf({ principal: ownerOf(principal), number: publisherNumber });
    this.#publisher = { ...owner, principalBytes: Buffer.from(principal, "utf8") };
    return this.#publisher;
  }

  #draftOf(view: MessageView, seq: number): MessageDraft {
    const draft = this.#draft;
    const { deliverAt: _, ...attributes } = readAttributes(view);
    fillDraft(draft, view);
    draft.attributes = writeAttributes({ ...attributes, origin: seq });
    return draft;
  }

  /** Reads what is due next and not read yet, each frame once: a frame may hold thousands that are due one by one. */
  #readAhead(now: number): void {
    if (this.#reading) return;
    const wanted = this.#wanted(now);
    if (wanted.length === 0) return;
    this.#reading = true;
    let isLater = false;
    readRecords(this.#state.journal, wanted, {
      record: (at, frame) => this.#take(at, frame),
      done: () => {
        this.#reading = false;
        if (isLater) this.release();
      },
    });
    isLater = true;
  }

  /** Places of the next ones, in order. Without room for the first one, everything that was read is given up. */
  #wanted(now: number): number[] {
    const { journal, delayed } = this.#state;
    if (this.#readBytes > aheadBytesMax) this.#unreadAll();
    const places: number[] = [];
    let bytes = this.#readBytes;
    let visited = 0;
    delayed.inOrder(({ seq, at, dueAt, bytes: own }) => {
      if (dueAt > now + aheadMs || (places.length > 0 && bytes > aheadBytesMax)) return false;
      if (at <= journal.durableSeq && !this.#read.has(seq)) {
        places.push(at);
        bytes += own + readOverheadBytes;
      }
      return ++visited < aheadMax;
    });
    return places.sort((a, b) => a - b);
  }

  #take(at: number, frame: JournalFrame | undefined): void {
    const { delayed } = this.#state;
    const entry = delayed.atPlace(at);
    // Cancelled, or carried elsewhere meanwhile.
    if (entry === undefined) return;
    const message = frame === undefined ? undefined : messageAt(this.#view, frame, at);
    if (message !== undefined && isErased(this.#state, message)) {
      this.#state.counters.droppedErased++;
      this.cancel(entry.seq);
      return;
    }
    if (frame === undefined || message === undefined) {
      this.#parts.audit.write("delayed.lost", { offset: entry.seq });
      this.cancel(entry.seq);
      return;
    }
    const start = message.principalStart - messageHeaderBytes;
    const copy = Buffer.from(frame.bytes.subarray(start, message.payloadEnd));
    this.#read.set(entry.seq, copy);
    this.#readBytes += copy.length + readOverheadBytes;
  }

  #unread(seq: number, message: Buffer): void {
    this.#read.delete(seq);
    this.#readBytes -= message.length + readOverheadBytes;
  }

  #unreadAll(): void {
    this.#read.clear();
    this.#readBytes = 0;
  }

  #views(entries: readonly DelayedEntry[], done: (views: DelayedView[]) => void): void {
    const { journal } = this.#state;
    const byPlace = entries.filter(({ at }) => at <= journal.durableSeq).sort((a, b) => a.at - b.at);
    const found = new Map<number, DelayedView>();
    let next = 0;
    readRecords(
      journal,
      byPlace.map(({ at }) => at),
      {
        record: (at, frame) => {
          const { seq: offset, dueAt, bytes } = byPlace[next++] as DelayedEntry;
          const message = frame === undefined ? undefined : messageAt(this.#view, frame, at);
          if (message === undefined || isErased(this.#state, message)) return;
          found.set(offset, { offset, topic: message.topic, publisher: message.principal, dueAt, bytes });
        },
        done: () => done(entries.flatMap(({ seq }) => found.get(seq) ?? [])),
      },
    );
  }
}
