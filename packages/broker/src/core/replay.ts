/** Recovery: the same `apply` functions that run live, fed from the journal. Decides nothing, sends nothing. */

import { awaitingPubcomp, awaitingPubrec } from "../delivery/in-flight.ts";
import { readAttribute } from "../model/attributes.ts";
import type { JournalFrame } from "../model/journal.ts";
import { MessageView, messageHeaderBytes } from "../model/message.ts";
import {
  type BacklogState,
  type CertificateIssued,
  type CertificateRevoked,
  type CounterState,
  type DeliveryNote,
  type DomainsErased,
  type KeyCreated,
  type KeyRevoked,
  messageOffset,
  type PasswordRemoved,
  type PasswordSet,
  type PolicyApplied,
  RecordKind,
  type RetainedDue,
  type RetainedState,
  readAcked,
  readDeliveryNote,
  readJson,
  type SessionDetached,
  type SessionOpened,
  type SubscriptionRemoved,
  type SubscriptionSet,
} from "../model/record.ts";
import { isFilterProblem, parseFilter } from "../topics/topic-filter.ts";
import type { AckKeeper } from "./ack-keeper.ts";
import type { Attaching } from "./attaching.ts";
import { applyAudit } from "./audit-records.ts";
import type { Credentials } from "./credentials.ts";
import type { Erasing } from "./erasing.ts";
import type { Group } from "./group.ts";
import type { Publishing } from "./publishing.ts";
import { restorePublishing } from "./publishing-state.ts";
import type { QueueAppending } from "./queue-appending.ts";
import type { QueueReplay } from "./queue-replay.ts";
import type { RetainedKeeper } from "./retained-keeper.ts";
import { fromBacklog, fromGroup, fromRetained, type Session } from "./session.ts";
import { restoreNonce } from "./signature-checks.ts";
import type { RetainedEntry, State } from "./state.ts";
import type { Subscribing } from "./subscribing.ts";
import { Topic } from "./topic.ts";

export interface ReplayParts {
  readonly state: State;
  readonly publishing: Publishing;
  readonly retained: RetainedKeeper;
  readonly subscribing: Subscribing;
  readonly attaching: Attaching;
  readonly acks: AckKeeper;
  readonly credentials: Credentials;
  readonly appending: QueueAppending;
  readonly queues: QueueReplay;
  readonly erasing: Erasing;
}

/** How the connection of a session ended, as far as the journal knows. */
export interface LastSeen {
  /** Undefined: it was connected when the records end. */
  detached: SessionDetached | undefined;
}

export class Replay {
  readonly #parts: ReplayParts;
  readonly #state: State;
  readonly #message: MessageView = new MessageView();
  readonly lastSeen: Map<Session, LastSeen> = new Map();
  records = 0;
  /** The record at hand is a message whose headers and payload are erased. */
  #isBlank = false;
  /** The latest time that a message was published at. */
  #latest = 0;

  constructor(parts: ReplayParts) {
    this.#parts = parts;
    this.#state = parts.state;
  }

  /** Applies the records of the snapshot that begins at `from`; false once its end was seen. */
  snapshotFrame(frame: JournalFrame, from: number): boolean {
    for (let i = Math.max(0, from - frame.firstSeq); i < frame.count; i++) {
      const kind = frame.kinds[i] as number;
      if (kind === RecordKind.snapshotEnded) return false;
      if (kind !== RecordKind.snapshotPart) continue;
      const start = frame.starts[i] as number;
      this.#isBlank = frame.erased?.[i] === 1;
      this.apply(frame.bytes[start] as number, frame.firstSeq + i, frame.bytes, start + 1, frame.ends[i] as number);
      this.#isBlank = false;
    }
    return true;
  }

  /** Applies every record of the frame from number `from` on, but those of snapshots. */
  frame(frame: JournalFrame, from: number): void {
    for (let i = Math.max(0, from - frame.firstSeq); i < frame.count; i++) {
      const kind = frame.kinds[i] as number;
      if (kind >= RecordKind.snapshotBegun && kind <= RecordKind.snapshotEnded) continue;
      this.#isBlank = frame.erased?.[i] === 1;
      this.apply(kind, frame.firstSeq + i, frame.bytes, frame.starts[i] as number, frame.ends[i] as number);
      this.#isBlank = false;
      this.records++;
    }
    this.#state.times.note(frame.firstSeq + frame.count, this.#latest);
  }

  apply(kind: number, seq: number, bytes: Buffer, start: number, end: number): void {
    if (messageOffset(kind) >= 0) this.#applyMessage(kind, seq, bytes, start, end);
    else if (kind === RecordKind.delayedCancelled) this.#cancelDelayed(bytes, start, end);
    else if (kind === RecordKind.deliveriesAcked) this.#parts.acks.apply(readAcked(bytes, start, end));
    else if (kind === RecordKind.retainedSettled) this.#settleRetained(readDeliveryNote(bytes, start, end));
    else if (kind >= RecordKind.deliveryReserved && kind <= RecordKind.deliveryCompleted) {
      this.#applyDelivery(kind, readDeliveryNote(bytes, start, end));
    } else if (kind === RecordKind.holdDropped) {
      this.#dropHold(bytes.readUInt32LE(start), bytes.readUInt16LE(start + 4));
    } else if (!applyAudit(this.#state.auditTrail, { kind, seq, bytes, start, end }))
      this.#applyRare(kind, bytes, start, end);
  }

  #applyMessage(kind: number, seq: number, bytes: Buffer, start: number, end: number): void {
    const message = this.#message.read(bytes, start + messageOffset(kind), end);
    message.isBlank = this.#isBlank;
    if (message.hasAttributes && this.#state.erasure.lastNumber > 0)
      this.#state.erasure.note(readAttribute(message, "domain") ?? 0, seq);
    if (message.publishedAt > this.#latest) this.#latest = message.publishedAt;
    if (kind === RecordKind.messageDirected) {
      this.#parts.queues.directed(seq, bytes.readUInt32LE(start), message);
      return;
    }
    if (kind === RecordKind.messageQueued) {
      this.#parts.queues.queued(seq, message);
      return;
    }
    if (kind === RecordKind.messageCarried) {
      const entry = this.#state.retained.get(message.topic);
      const first = bytes.readDoubleLE(start);
      if (entry !== undefined && entry.seq === first) entry.at = seq;
      else this.#state.delayed.move(first, seq);
      return;
    }
    if (kind === RecordKind.messageDelayed) {
      this.#parts.publishing.restoreDelayed(seq, message, end - start);
      return;
    }
    if (kind === RecordKind.messageHeld) {
      const session = this.#state.sessionsByNumber.get(bytes.readUInt32LE(start));
      if (session === undefined) return;
      const copy = Buffer.from(bytes.subarray(start + 8, end));
      if (message.hasAttributes) restoreNonce(this.#state, message);
      session.held.set(bytes.readUInt16LE(start + 4), copy);
      this.#state.heldBytes += copy.length;
      return;
    }
    if (kind === RecordKind.messageReleased) this.#dropHold(bytes.readUInt32LE(start), bytes.readUInt16LE(start + 4));
    const topic = this.#topicOf(message);
    if (message.retain) this.#parts.retained.apply(seq, message, topic.name);
    if (message.hasAttributes) this.#parts.publishing.restoreWish(seq, message);
    if (this.#state.topicSettings.retaining > 0) {
      const { principalStart, payloadEnd, publishedAt } = message;
      this.#state.topicSettings.keep(topic, {
        seq,
        bytes: payloadEnd - principalStart + messageHeaderBytes,
        at: publishedAt,
      });
    }
    this.#parts.publishing.apply(topic, seq, message.qos, message.publisherNumber);
    if (topic.queues.length > 0) this.#parts.appending.append(topic, seq, message);
  }

  #cancelDelayed(bytes: Buffer, start: number, end: number): void {
    for (let at = start; at + 8 <= end; at += 8) this.#state.delayed.remove(bytes.readDoubleLE(at));
  }

  #dropHold(number: number, packetId: number): void {
    const session = this.#state.sessionsByNumber.get(number);
    const held = session?.held.get(packetId);
    if (session === undefined || held === undefined) return;
    this.#state.heldBytes -= held.length;
    session.held.delete(packetId);
  }

  #applyDelivery(kind: number, note: DeliveryNote): void {
    const session = this.#state.sessionsByNumber.get(note.number);
    if (session === undefined) return;
    const { inFlight } = session;
    if (kind === RecordKind.deliveryCompleted) {
      inFlight.release(note.packetId);
      return;
    }
    if (kind === RecordKind.deliveryReceived) {
      inFlight.setState(note.packetId, awaitingPubcomp);
      this.#readerOf(session, inFlight.sourceOf(note.packetId))?.backlog.remove(note.seq);
      return;
    }
    const source = this.#sourceOf(note);
    if (!inFlight.restore(note.packetId, note.seq, awaitingPubrec, source)) return;
    if (note.isRetained) session.retained.settle(note.seq);
    // What was published while its reader was granted QoS 0 alone waited for nobody who was away, and so not here.
    const reader = this.#readerOf(session, source);
    if (reader?.backlog.contains(note.seq) === false) reader.backlog.append(note.seq, 0);
  }

  /** Where a delivery under way waits. */
  #readerOf(session: Session, source: number): Session | Group | undefined {
    return source === fromBacklog ? session : this.#state.groupsByNumber.get(source - fromGroup);
  }

  /** All records are applied: what is under way is not to be sent as if it were new. */
  markUnderWay(): void {
    for (const session of this.#state.sessionsByNumber.values()) {
      session.inFlight.inOrder((packetId) => {
        const source = session.inFlight.sourceOf(packetId);
        const group = this.#state.groupsByNumber.get(source - fromGroup);
        const seq = session.inFlight.seqOf(packetId);
        if (session.inFlight.stateOf(packetId) !== awaitingPubrec) return;
        if (source === fromBacklog) session.underWayBefore.set(seq, packetId);
        else group?.underWayBefore.add(seq);
      });
    }
  }

  #sourceOf(note: DeliveryNote): number {
    if (note.isRetained) return fromRetained;
    if (note.group === "") return fromBacklog;
    // No group has the number 0.
    return fromGroup + (this.#state.groups.get(note.group)?.number ?? 0);
  }

  #settleRetained(note: DeliveryNote): void {
    this.#state.sessionsByNumber.get(note.number)?.retained.settle(note.seq);
  }

  /** Comes behind the index of the snapshot: what is not there any more is due to nobody. */
  #restoreRetainedDue(due: RetainedDue): void {
    const session = this.#state.sessionsByNumber.get(due.number);
    if (session === undefined) return;
    let items: RetainedEntry[] = [];
    for (const [i, { seq, topic, filter }] of due.items.entries()) {
      const item = this.#state.retained.get(topic);
      if (item?.seq === seq) items.push(item);
      if (due.items[i + 1]?.filter === filter) continue;
      const subscription = session.subscriptions.get(filter);
      if (subscription !== undefined) session.retained.push(subscription, items);
      items = [];
    }
  }

  #applyRare(kind: number, bytes: Buffer, start: number, end: number): void {
    switch (kind) {
      case RecordKind.domainsErased:
        this.#parts.erasing.applyErased(readJson<DomainsErased>(bytes, start, end));
        break;
      case RecordKind.sessionOpened:
        this.#open(readJson<SessionOpened>(bytes, start, end));
        break;
      case RecordKind.sessionDetached:
        this.#detach(readJson<SessionDetached>(bytes, start, end));
        break;
      case RecordKind.sessionEnded:
        this.#end(readJson<{ number: number }>(bytes, start, end).number);
        break;
      case RecordKind.willTaken:
        this.#takeWill(readJson<{ number: number }>(bytes, start, end).number);
        break;
      case RecordKind.subscriptionSet:
        this.#subscribe(readJson<SubscriptionSet>(bytes, start, end));
        break;
      case RecordKind.subscriptionRemoved:
        this.#unsubscribe(readJson<SubscriptionRemoved>(bytes, start, end));
        break;
      case RecordKind.keyCreated:
        this.#parts.credentials.applyKeyCreated(readJson<KeyCreated>(bytes, start, end));
        break;
      case RecordKind.keyRevoked:
        this.#parts.credentials.applyKeyRevoked(readJson<KeyRevoked>(bytes, start, end));
        break;
      case RecordKind.certificateIssued:
        this.#parts.credentials.certificates.applyIssued(readJson<CertificateIssued>(bytes, start, end));
        break;
      case RecordKind.certificateRevoked:
        this.#parts.credentials.certificates.applyRevoked(readJson<CertificateRevoked>(bytes, start, end));
        break;
      case RecordKind.passwordSet:
        this.#parts.credentials.passwords.applySet(readJson<PasswordSet>(bytes, start, end));
        break;
      case RecordKind.passwordRemoved:
        this.#parts.credentials.passwords.applyRemoved(readJson<PasswordRemoved>(bytes, start, end));
        break;
      case RecordKind.policyApplied:
        this.#parts.credentials.applyPolicyApplied(readJson<PolicyApplied>(bytes, start, end));
        break;
      default:
        this.#applyState(kind, bytes, start, end);
    }
  }

  #applyState(kind: number, bytes: Buffer, start: number, end: number): void {
    if (restorePublishing(this.#state, kind, bytes, start, end)) return;
    if (kind === RecordKind.backlogState) {
      const saved = readJson<BacklogState>(bytes, start, end);
      const reader =
        saved.group === "" ? this.#state.sessionsByNumber.get(saved.number) : this.#state.groups.get(saved.group);
      reader?.backlog.load(saved.runs, saved.count);
    } else if (kind === RecordKind.retainedState) {
      this.#parts.retained.put(revived(readJson<RetainedState>(bytes, start, end)));
    } else if (kind === RecordKind.retainedDue) {
      this.#restoreRetainedDue(readJson<RetainedDue>(bytes, start, end));
    } else if (kind === RecordKind.counterState) {
      const counters = readJson<CounterState>(bytes, start, end);
      this.#state.lastMessageSeq = counters.lastMessageSeq;
      this.#state.lastSessionNumber = counters.lastSessionNumber;
      this.#state.lastQueuedSeq = counters.lastQueuedSeq ?? 0;
      this.#state.lastQueueNumber = counters.lastQueueNumber ?? 0;
    } else this.#parts.queues.apply(kind, bytes, start, end);
  }

  #open(opened: SessionOpened): void {
    const state = this.#state;
    const session =
      state.sessionsByNumber.get(opened.number) ?? state.newSession(opened.principal, opened.clientId, opened.number);
    session.journaled = true;
    session.expirySeconds = opened.expirySeconds;
    session.receiveMaximum = opened.receiveMaximum;
    session.keyId = opened.keyId ?? "";
    session.will = opened.will;
    this.#parts.attaching.setDurable(session, opened.expirySeconds > 0);
    state.lastSessionNumber = Math.max(state.lastSessionNumber, opened.number);
    this.lastSeen.set(session, { detached: undefined });
  }

  #detach(detached: SessionDetached): void {
    const session = this.#state.sessionsByNumber.get(detached.number);
    if (session === undefined) return;
    session.expirySeconds = detached.expirySeconds;
    if (detached.willAt === undefined) session.will = undefined;
    this.lastSeen.set(session, { detached });
  }

  #end(number: number): void {
    const session = this.#state.sessionsByNumber.get(number);
    if (session === undefined) return;
    this.lastSeen.delete(session);
    this.#parts.attaching.remove(session);
  }

  #takeWill(number: number): void {
    const session = this.#state.sessionsByNumber.get(number);
    if (session !== undefined) session.will = undefined;
  }

  #subscribe(set: SubscriptionSet): void {
    const session = this.#state.sessionsByNumber.get(set.number);
    const parsed = parseFilter(set.filter, this.#state.limits);
    if (session === undefined || isFilterProblem(parsed)) return;
    this.#parts.subscribing.apply(session, set, parsed);
  }

  #unsubscribe(removed: SubscriptionRemoved): void {
    const session = this.#state.sessionsByNumber.get(removed.number);
    const entry = session?.subscriptions.get(removed.filter);
    if (session !== undefined && entry !== undefined) this.#parts.subscribing.remove(session, entry);
  }

  #topicOf(message: MessageView): Topic {
    const { topics } = this.#state;
    return (
      topics.find(message.bytes, message.topicStart, message.topicEnd) ??
      topics.add(message.bytes, message.topicStart, message.topicEnd, new Topic(message.topic))
    );
  }
}

/** JSON has no Infinity: `null` comes back for "never". */
function revived(saved: RetainedState): RetainedState {
  return { ...saved, expiresAt: saved.expiresAt ?? Number.POSITIVE_INFINITY };
}
