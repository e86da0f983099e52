/**
 * QoS 2 from publishers: the message is durable with its packet id before PUBREC, and counts from PUBREL on, when the
 * right to publish is asked for again (MQTT 5.0 section 4.3.3, LESSONS 17).
 */

import { readAttribute } from "../model/attributes.ts";
import { ownerOf } from "../model/derived-principal.ts";
import { Reason } from "../model/engine.ts";
import { type MessageDraft, MessageView, messageSize, writeMessage } from "../model/message.ts";
import { RecordKind } from "../model/record.ts";
import type { Audit } from "./audit.ts";
import { confineMessage, isErased } from "./erasing.ts";
import type { Outbox } from "./outbox.ts";
import type { Publishing } from "./publishing.ts";
import type { QueueAppending } from "./queue-appending.ts";
import { auditRefusal } from "./refusal-audit.ts";
import type { RetainedKeeper } from "./retained-keeper.ts";
import { allowed } from "./rights.ts";
import type { Session } from "./session.ts";
import type { State } from "./state.ts";
import type { Topic } from "./topic.ts";

export interface HoldingParts {
  readonly state: State;
  readonly outbox: Outbox;
  readonly publishing: Publishing;
  readonly retained: RetainedKeeper;
  readonly queues: QueueAppending;
  readonly audit: Audit;
}

/** u32 session, u16 packet id, u16 0 in front of the message. */
const prefixBytes = 8;

export class Holding {
  readonly #parts: HoldingParts;
  readonly #state: State;
  readonly #view: MessageView = new MessageView();

  constructor(parts: HoldingParts) {
    this.#parts = parts;
    this.#state = parts.state;
  }

  /** PUBLISH QoS 2. A repeat of an id that is held is acknowledged again and stored once [MQTT-4.3.3-10]. */
  hold(session: Session, topic: Topic, draft: MessageDraft, packetId: number): number {
    if (session.held.has(packetId) && !this.#state.journal.hasFailed) return Reason.success;
    const refusal = this.#refusal(session, topic, draft);
    if (refusal !== 0) return refusal;
    const state = this.#state;
    state.counters.publishedQoS2++;
    const given = draft.attributes;
    draft.attributes = this.#parts.publishing.completed(topic, draft);
    const length = prefixBytes + messageSize(draft, session.principalBytes);
    const at = state.journal.reserve(RecordKind.messageHeld, length);
    const bytes = state.journal.openBytes;
    writePrefix(bytes, at, session.number, packetId);
    writeMessage(bytes, at + prefixBytes, draft, session, state.clock.now());
    if (draft.attributes.length > 0) confineMessage(state, at + prefixBytes, at + length);
    draft.attributes = given;
    const copy = Buffer.from(bytes.subarray(at + prefixBytes, at + length));
    const { checks } = this.#parts.publishing;
    const use = checks.useOf(session, draft);
    if (use !== undefined) checks.signatures.taken(use);
    session.held.set(packetId, copy);
    state.heldBytes += copy.length;
    state.journal.commit();
    return this.#parts.publishing.hasReaders(topic) ? Reason.success : Reason.noMatchingSubscribers;
  }

  /** PUBREL. */
  release(session: Session, packetId: number): void {
    const { link } = session;
    const held = session.held.get(packetId);
    if (link === undefined) return;
    if (held === undefined) {
      this.#parts.outbox.completed(link, packetId, Reason.packetIdNotFound);
      return;
    }
    session.held.delete(packetId);
    this.#state.heldBytes -= held.length;
    const message = this.#view.read(held, 0, held.length);
    const name = message.topic;
    if (!this.#mayRelease(session, name, message.retain)) {
      this.#drop(session, packetId);
      this.#parts.outbox.completed(link, packetId, Reason.packetIdNotFound);
      return;
    }
    if (isErased(this.#state, message)) {
      // It was taken, and erased before it counted.
      this.#state.counters.droppedErased++;
      this.#drop(session, packetId);
      this.#parts.outbox.completed(link, packetId, Reason.success);
      return;
    }
    if (message.hasAttributes && this.#isRepeat(session, message)) {
      this.#drop(session, packetId);
      this.#parts.outbox.completed(link, packetId, Reason.success);
      return;
    }
    const dueAt = message.hasAttributes ? (readAttribute(message, "deliverAt") ?? 0) : 0;
    if (dueAt > this.#state.clock.now()) {
      this.#drop(session, packetId);
      this.#parts.publishing.delayHeld(held, dueAt);
      this.#rememberId(session, message, this.#state.journal.lastSeq);
      this.#parts.outbox.completed(link, packetId, Reason.success);
      return;
    }
    this.#write(session, packetId, held);
    const seq = this.#state.journal.lastSeq;
    if (message.hasAttributes) this.#rememberId(session, message, seq);
    if (message.retain) this.#parts.retained.apply(seq, message, name);
    const topic = this.#parts.publishing.topicNamed(name);
    if (this.#state.topicSettings.proves(topic)) this.#state.journal.prove();
    if (this.#state.topicSettings.retaining > 0)
      this.#state.topicSettings.keep(topic, { seq, bytes: held.length, at: message.publishedAt });
    this.#parts.publishing.apply(topic, seq, message.qos, session.number);
    if (topic.queues.length > 0) this.#parts.queues.append(topic, seq, message);
    this.#parts.outbox.completed(link, packetId, Reason.success);
  }

  /** Its id counts from here on: until then it could have been given up. */
  #isRepeat(session: Session, message: MessageView): boolean {
    const id = readAttribute(message, "id");
    if (id === undefined || this.#state.messageIds.find(ownerOf(session.principal), id) === 0) return false;
    this.#state.counters.repeated++;
    return true;
  }

  /** Past the limit too: it was promised when it was held, and those are bounded by themselves. */
  #rememberId(session: Session, message: MessageView, seq: number): void {
    const id = readAttribute(message, "id");
    const ageMs = Math.max(0, this.#state.clock.now() - message.publishedAt);
    if (id !== undefined) this.#state.messageIds.add(ownerOf(session.principal), id, seq, ageMs);
  }

  #refusal(session: Session, topic: Topic, draft: MessageDraft): number {
    const { publishing, audit } = this.#parts;
    const reason = publishing.refusal(session, topic, draft);
    if (reason !== 0) {
      auditRefusal(audit, publishing.checks, { reason, principal: session.principal, topic: topic.name });
      return reason;
    }
    const payloadBytes = draft.payloadEnd - draft.payloadStart;
    const { heldBytesMax } = this.#state.limits;
    if (this.#state.heldBytes + payloadBytes <= heldBytesMax) return 0;
    return publishing.checks.refuse(
      Reason.quotaExceeded,
      `${heldBytesMax} bytes of messages of QoS 2 wait for their release`,
    );
  }

  #mayRelease(session: Session, topic: string, retain: boolean): boolean {
    const permitted =
      allowed(this.#state, session.principal, "publish", topic) &&
      (!retain || allowed(this.#state, session.principal, "retain", topic));
    if (permitted) return true;
    this.#state.counters.deniedPublish++;
    this.#parts.audit.denied("publish", session.principal, topic);
    return false;
  }

  #drop(session: Session, packetId: number): void {
    const { journal } = this.#state;
    const at = journal.reserve(RecordKind.holdDropped, prefixBytes);
    writePrefix(journal.openBytes, at, session.number, packetId);
    journal.commit();
  }

  #write(session: Session, packetId: number, held: Buffer): void {
    const { journal } = this.#state;
    const at = journal.reserve(RecordKind.messageReleased, prefixBytes + held.length);
    writePrefix(journal.openBytes, at, session.number, packetId);
    held.copy(journal.openBytes, at + prefixBytes);
    confineMessage(this.#state, at + prefixBytes, at + prefixBytes + held.length);
    journal.commit();
  }
}

function writePrefix(out: Buffer, at: number, number: number, packetId: number): void {
  out.writeUInt32LE(number, at);
  out.writeUInt16LE(packetId, at + 4);
  out.writeUInt16LE(0, at + 6);
}
