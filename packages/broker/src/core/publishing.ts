/** Publish: decide (rights, quotas), write the record, apply it. `apply` is what recovery runs too. */

import { readAttribute } from "../model/attributes.ts";
import { ownerOf } from "../model/derived-principal.ts";
import { type DeclaredRate, Reason } from "../model/engine.ts";
import type { LiveRun, LiveSource } from "../model/link.ts";
import {
  MessageDraft,
  MessageView,
  messageSize,
  readAttributes,
  withoutAttributes,
  writeAttributes,
  writeMessage,
} from "../model/message.ts";
import { RecordKind } from "../model/record.ts";
import type { DeclaredTopic } from "./declared-topic.ts";
import { fillDraft } from "./draft-of-message.ts";
import { confineMessage, withDomain } from "./erasing.ts";
import type { Group } from "./group.ts";
import type { GroupDelivering } from "./group-delivering.ts";
import { mayPublish, memberMayRead, refresh } from "./matching.ts";
import type { Outbox } from "./outbox.ts";
import { nothingPlanned, PublishChecks, type PublishPlan } from "./publish-checks.ts";
import type { Publisher } from "./publisher.ts";
import type { QueueAppending } from "./queue-appending.ts";
import type { RetainedKeeper } from "./retained-keeper.ts";
import { allowed } from "./rights.ts";
import { identifiersOf, type Sending } from "./sending.ts";
import type { Session } from "./session.ts";
import { restoreNonce } from "./signature-checks.ts";
import type { State } from "./state.ts";
import { Topic } from "./topic.ts";

export interface PublishingParts {
  readonly state: State;
  readonly outbox: Outbox;
  readonly sending: Sending;
  readonly groups: GroupDelivering;
  readonly retained: RetainedKeeper;
  readonly queues: QueueAppending;
}

export class Publishing {
  readonly #state: State;
  readonly #outbox: Outbox;
  readonly #sending: Sending;
  readonly #groups: GroupDelivering;
  readonly #retained: RetainedKeeper;
  readonly #queues: QueueAppending;
  readonly checks: PublishChecks;
  readonly #view: MessageView = new MessageView();
  readonly #draft: MessageDraft = new MessageDraft();
  /** True while the disk budget is used up: publishers are refused, consumers go on. */
  diskFull = false;
  /** Of the last `publish`: as `Link.confirm` has it. */
  receipt = 0;

  constructor(parts: PublishingParts) {
    this.#state = parts.state;
    this.#outbox = parts.outbox;
    this.#sending = parts.sending;
    this.#groups = parts.groups;
    this.#retained = parts.retained;
    this.#queues = parts.queues;
    this.checks = new PublishChecks(parts.state, parts.retained);
  }

  /** The interned topic of a checked name. */
  topicNamed(name: string): Topic {
    const bytes = Buffer.from(name, "utf8");
    return (
      this.#state.topics.find(bytes, 0, bytes.length) ?? this.#state.topics.add(bytes, 0, bytes.length, new Topic(name))
    );
  }

  /** QoS 0, not retained: straight from the read buffer of one door into the write buffers of others. */
  live(session: Session, topic: Topic, run: LiveRun, source: LiveSource): number {
    const state = this.#state;
    if (!mayPublish(state, session, topic)) {
      state.counters.deniedPublish += run.count;
      return this.checks.refuse(Reason.notAuthorized, "");
    }
    if (state.topicSettings.size > 0 && state.topicSettings.of(topic)?.concernsLive === true)
      return this.#liveDeclared(session, topic, run, source);
    this.#forward(session, topic, run, source);
    return Reason.success;
  }

  /** Nobody learns of rates, or uses them up, where it may not publish. */
  rateOf(publisher: Publisher, topic: Topic): DeclaredRate | undefined {
    const { topicSettings } = this.#state;
    if (topicSettings.rated === 0) return undefined;
    const declared = topicSettings.of(topic);
    const meter = declared?.meter;
    if (declared === undefined || meter === undefined || !mayPublish(this.#state, publisher, topic)) return undefined;
    return { filter: declared.filter, meter };
  }

  #forward(session: Session, topic: Topic, run: LiveRun, source: LiveSource): void {
    const state = this.#state;
    refresh(state, topic);
    state.counters.publishedQoS0 += run.count;
    const receivers = topic.receivers;
    for (let i = 0; i < receivers.length; i++) {
      const receiver = receivers[i];
      if (receiver === undefined) break;
      const link = receiver.session.link;
      if (link === undefined || (receiver.noLocal && receiver.session === session)) continue;
      link.forward(run, source, receiver.identifiers);
    }
    if (topic.groups.length > 0) this.#liveToGroups(topic, run, source);
    if (topic.queues.length > 0) source.eachMessage(run, (message) => this.#keepLive(session, topic, message));
  }

  /** What its topic asks of QoS 0 messages as well: each is looked at, and kept in the journal if it is to be kept. */
  #liveDeclared(session: Session, topic: Topic, run: LiveRun, source: LiveSource): number {
    const { checks } = this;
    const declared = this.#state.topicSettings.of(topic) as DeclaredTopic;
    let reason = checks.unsignedReason(declared, false);
    let good = 0;
    source.eachMessage(run, (message) => {
      if (reason === 0) reason = checks.contentReason(declared, this.#draftOf(message));
      if (reason === 0) good++;
    });
    const isKept = declared.settings.retention !== undefined && this.#mayKeepLive;
    if (good === run.count && !isKept) {
      this.#forward(session, topic, run, source);
      return Reason.success;
    }
    let sent = 0;
    source.eachMessage(run, (message) => {
      if (sent++ >= good) return;
      const draft = this.#draftOf(message);
      const hasRoom = isKept && checks.quota.refusal(topic, draft, undefined) === "";
      if (hasRoom && checks.domainText(topic, draft) === "") this.publish(session, topic, draft);
      else this.#forwardOne(session, topic, message);
    });
    return reason;
  }

  #draftOf(message: MessageView): MessageDraft {
    fillDraft(this.#draft, message);
    return this.#draft;
  }

  /** One message of a run that does not go as a whole. */
  #forwardOne(session: Session, topic: Topic, message: MessageView): void {
    const state = this.#state;
    refresh(state, topic);
    state.counters.publishedQoS0++;
    for (const { session: reader, noLocal, identifiers } of topic.receivers) {
      if (reader.link === undefined || (noLocal && reader === session)) continue;
      this.#sending.live(reader.link, message, identifiers);
    }
    for (const group of topic.groups) this.#liveToGroup(group, topic, message);
    if (topic.queues.length > 0) this.#keepLive(session, topic, message);
  }

  /** Is there room on the disk for what nobody was promised? */
  get #mayKeepLive(): boolean {
    const { journal } = this.#state;
    return !this.diskFull && !journal.overfull && !journal.hasFailed;
  }

  /** Declared subscriptions keep QoS 0 messages too (DESIGN principle 3), where there is room: nothing else was promised. */
  #keepLive(session: Session, topic: Topic, message: MessageView): void {
    const { journal, clock } = this.#state;
    const draft = this.#draftOf(message);
    if (!this.#mayKeepLive) return;
    if (this.checks.quota.refusal(topic, draft, undefined) !== "") return;
    if (this.checks.domainText(topic, draft) !== "") return;
    draft.attributes = this.completed(topic, draft);
    const length = messageSize(draft, session.principalBytes);
    const at = journal.reserve(RecordKind.messageQueued, length);
    writeMessage(journal.openBytes, at, draft, session, clock.now());
    if (draft.attributes.length > 0) confineMessage(this.#state, at, at + length);
    this.#queues.queued(topic, journal.lastSeq, this.#view.read(journal.openBytes, at, at + length));
    journal.commit();
  }

  /** Why a publish would be refused, or 0; `checks.text` says it to people. */
  refusal(publisher: Publisher, topic: Topic, draft: MessageDraft, plan: PublishPlan = nothingPlanned): number {
    const state = this.#state;
    const { checks } = this;
    if (state.journal.hasFailed) return checks.refuse(Reason.implementationSpecific, "the journal has failed");
    const permitted =
      mayPublish(state, publisher, topic) &&
      (!draft.retain || allowed(state, publisher.principal, "retain", topic.name));
    if (!permitted) {
      state.counters.deniedPublish++;
      return checks.refuse(Reason.notAuthorized, "");
    }
    if (draft.attributes.length > 0) {
      const reason = checks.signatureReason(publisher, draft, plan);
      if (reason !== 0) return reason;
      if (checks.known(publisher, draft) !== 0) return 0;
    }
    if (this.diskFull || state.journal.overfull) {
      state.counters.quotaRefused++;
      return checks.refuse(
        Reason.quotaExceeded,
        this.diskFull ? "the disk budget is used up" : "the broker is overloaded",
      );
    }
    return checks.reason(publisher, topic, draft, plan);
  }

  /** QoS 1, or QoS 0 with RETAIN. The reason is 0x00 or 0x10; refusals were made before. */
  publish(publisher: Publisher, topic: Topic, draft: MessageDraft): number {
    if (draft.qos === 0) this.#state.counters.publishedQoS0++;
    else this.#state.counters.publishedQoS1++;
    const { topicSettings } = this.#state;
    if (topicSettings.size > 0 && topicSettings.adds(topic)) return this.#publishWith(publisher, topic, draft);
    if (draft.attributes.length > 0) return this.#publishWish(publisher, topic, draft);
    return this.store(publisher, topic, draft);
  }

  /** The attributes of the draft, and what its topic adds: a key if it has none of its own, and its erasure domain. */
  completed(topic: Topic, draft: MessageDraft): Uint8Array {
    const { topicSettings } = this.#state;
    if (topicSettings.size === 0 || !topicSettings.adds(topic)) return draft.attributes;
    return withDomain(this.#state, topic, this.#keyed(topic, draft));
  }

  #keyed(topic: Topic, draft: MessageDraft): Uint8Array {
    const { topicSettings } = this.#state;
    const given = draft.attributes;
    const byTopic = topicSettings.size === 0 ? withoutAttributes : topicSettings.keyOf(topic);
    if (byTopic.length === 0 || given.length === 0) return given.length === 0 ? byTopic : given;
    const wish = this.checks.wishOf(draft);
    if (wish.key !== undefined) return given;
    const bytes = Buffer.from(byTopic.buffer, byTopic.byteOffset, byTopic.length);
    return writeAttributes({ ...readAttributes({ bytes, attributesStart: 0, headerStart: bytes.length }), ...wish });
  }

  /** A door's draft is given back as it came. */
  #publishWith(publisher: Publisher, topic: Topic, draft: MessageDraft): number {
    const given = draft.attributes;
    const isRepeat = given.length > 0 && this.checks.known(publisher, draft) !== 0;
    if (!isRepeat) draft.attributes = this.completed(topic, draft);
    const reason = this.#publishWish(publisher, topic, draft);
    draft.attributes = given;
    return reason;
  }

  /** It says something to the broker itself. */
  #publishWish(publisher: Publisher, topic: Topic, draft: MessageDraft): number {
    const { checks } = this;
    const first = checks.known(publisher, draft);
    const { id, deliverAt } = checks.wishOf(draft);
    const use = checks.useOf(publisher, draft);
    checks.forget();
    if (first !== 0) {
      this.#state.counters.repeated++;
      this.receipt = -Math.max(0, first);
      if (use !== undefined && first > 0) checks.signatures.takenWithout(use);
      return Reason.success;
    }
    const isLater = deliverAt !== undefined && deliverAt > this.#state.clock.now();
    const reason = isLater ? this.#delay(publisher, draft, deliverAt) : this.store(publisher, topic, draft);
    if (id !== undefined) this.#state.messageIds.add(ownerOf(publisher.principal), id, this.receipt, 0);
    if (use !== undefined) checks.signatures.taken(use);
    return reason;
  }

  #delay(publisher: Publisher, draft: MessageDraft, dueAt: number): number {
    const { journal, clock } = this.#state;
    const length = messageSize(draft, publisher.principalBytes);
    const at = journal.reserve(RecordKind.messageDelayed, length);
    writeMessage(journal.openBytes, at, draft, publisher, clock.now());
    confineMessage(this.#state, at, at + length);
    this.#delayed(dueAt, length);
    return Reason.success;
  }

  /** A message that was held until now, as its bytes. */
  delayHeld(held: Buffer, dueAt: number): void {
    const { journal } = this.#state;
    const at = journal.reserve(RecordKind.messageDelayed, held.length);
    held.copy(journal.openBytes, at);
    confineMessage(this.#state, at, at + held.length);
    this.#delayed(dueAt, held.length);
  }

  #delayed(dueAt: number, bytes: number): void {
    const { journal, delayed, counters } = this.#state;
    const seq = journal.lastSeq;
    this.receipt = seq;
    delayed.add({ seq, at: seq, dueAt, bytes });
    counters.delayed++;
    journal.commit();
  }

  /** The record, and what follows from it: rights and quotas were asked before. */
  store(publisher: Publisher, topic: Topic, draft: MessageDraft): number {
    const { journal, clock } = this.#state;
    const length = messageSize(draft, publisher.principalBytes);
    const at = journal.reserve(RecordKind.messagePublished, length);
    const now = clock.now();
    writeMessage(journal.openBytes, at, draft, publisher, now);
    if (draft.attributes.length > 0) confineMessage(this.#state, at, at + length);
    if (this.#state.topicSettings.proves(topic)) journal.prove();
    const seq = journal.lastSeq;
    this.receipt = seq;
    if (draft.retain) this.#retained.apply(seq, this.#view.read(journal.openBytes, at, at + length), topic.name);
    if (this.#state.topicSettings.retaining > 0) this.#state.topicSettings.keep(topic, { seq, bytes: length, at: now });
    const matched = this.apply(topic, seq, draft.qos, publisher.number);
    if (topic.queues.length > 0) this.#queues.append(topic, seq, this.#view.read(journal.openBytes, at, at + length));
    journal.commit();
    return matched ? Reason.success : Reason.noMatchingSubscribers;
  }

  /** Recovery: what a message says to the broker itself. */
  restoreWish(seq: number, message: MessageView): void {
    const { id, origin, nonce } = readAttributes(message);
    // What came from another record brought its id there, and took its place if that was a delayed one.
    if (origin !== undefined) this.#state.delayed.remove(origin);
    else {
      if (id !== undefined) this.#state.messageIds.restore(ownerOf(message.principal), id, seq, message.publishedAt);
      if (nonce !== undefined) restoreNonce(this.#state, message);
    }
  }

  /** Recovery. */
  restoreDelayed(seq: number, message: MessageView, bytes: number): void {
    this.restoreWish(seq, message);
    this.#state.delayed.add({ seq, at: seq, dueAt: readAttribute(message, "deliverAt") ?? 0, bytes });
  }

  /**
   * Adds the message to the sessions and shared subscriptions that it is for. Live and in recovery; `QueueAppending.append`
   * follows for topics that have queues. True when somebody matched.
   */
  apply(topic: Topic, seq: number, qos: 0 | 1 | 2, publisherNumber: number): boolean {
    const state = this.#state;
    const previous = state.lastMessageSeq;
    state.messageBefore = previous;
    state.lastMessageSeq = seq;
    refresh(state, topic);
    const receivers = topic.receivers;
    for (let i = 0; i < receivers.length; i++) {
      const receiver = receivers[i];
      if (receiver === undefined) break;
      const session = receiver.session;
      if (receiver.noLocal && session.number === publisherNumber) continue;
      // What goes out as QoS 0 waits for nobody who is away [MQTT-4.5.0-1 binds QoS 1 and 2 only].
      if (session.link === undefined && (qos === 0 || receiver.qos === 0)) continue;
      session.backlog.append(seq, previous);
      this.#outbox.wakeSession(session);
    }
    const groups = topic.groups;
    for (let i = 0; i < groups.length; i++) {
      const group = groups[i];
      if (group === undefined) break;
      if (qos === 0 || group.highestQoS === 0) {
        if (!this.#groups.hasReadyMember(group)) continue;
      }
      group.backlog.append(seq, previous);
      this.#outbox.wakeGroup(group);
    }
    return receivers.length + groups.length + topic.queues.length > 0;
  }

  /** Does anybody read the topic now? */
  hasReaders(topic: Topic): boolean {
    refresh(this.#state, topic);
    return topic.receivers.length + topic.groups.length + topic.queues.length > 0;
  }

  /** A message the broker sends for a session: its will. The caller has authorised it. False when it was not taken. */
  publishFor(session: Session, draft: MessageDraft, topicName: string): boolean {
    const topic = this.topicNamed(topicName);
    const isTaken =
      this.checks.repeated(session, draft) > 0 || this.checks.reason(session, topic, draft, nothingPlanned) === 0;
    if (isTaken) this.publish(session, topic, draft);
    return isTaken;
  }

  #liveToGroups(topic: Topic, run: LiveRun, source: LiveSource): void {
    for (const group of topic.groups) source.eachMessage(run, (message) => this.#liveToGroup(group, topic, message));
  }

  #liveToGroup(group: Group, topic: Topic, message: MessageView): void {
    const member = group.turns.nextReady(
      (candidate) => candidate.link?.ready === true && memberMayRead(this.#state, candidate, topic),
    );
    const entry = member === undefined ? undefined : group.members.get(member);
    if (member?.link === undefined || entry === undefined) return;
    this.#sending.live(member.link, message, identifiersOf(entry));
  }
}
