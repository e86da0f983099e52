/**
 * Delivery Service, the moving part: takes what waits for a session or a group and sends it while there is credit.
 * Live and lagging readers go the same way: a reader that is up to date finds its frames in memory, one that lags
 * has them fetched, frame by frame, so its backlog costs disk and not memory.
 */
import { type DeliveryForm, DeliveryForm as Form, type Link, noIdentifiers } from "../model/link.ts";
import type { JournalFrame } from "../model/journal.ts";
import { MessageView, noExpiry } from "../model/message.ts";
import { deliveryNoteBytes, isDeliverable, messageOffset, RecordKind, writeDeliveryNote } from "../model/record.ts";
import { awaitingPuback, awaitingPubcomp, awaitingPubrec, reserved } from "../delivery/in-flight.ts";
import type { AckKeeper } from "./ack-keeper.ts";
import type { Group } from "./group.ts";
import { memberMayRead, refresh } from "./matching.ts";
import type { Outbox } from "./outbox.ts";
import type { RetainedKeeper } from "./retained-keeper.ts";
import { fromBacklog, fromGroup, fromRetained, type RetainedDelivery, type Session, type SubscriptionEntry } from "./session.ts";
import type { RetainedEntry, State } from "./state.ts";
import { Topic } from "./topic.ts";
import { allowed } from "./rights.ts";

export interface DeliveringParts {
  readonly state: State;
  readonly acks: AckKeeper;
  readonly retained: RetainedKeeper;
}

/** How a message is to reach one client. */
interface Manner {
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  readonly identifiers: readonly number[];
  readonly source: number;
  /** Many others get it too. */
  readonly isShared: boolean;
}

/** From so many receivers on, a message is encoded once for all who want the same form. */
const sharedFrom = 4;

export class Delivering {
  readonly #state: State;
  readonly #acks: AckKeeper;
  readonly #retained: RetainedKeeper;
  readonly #message: MessageView = new MessageView();
  readonly #form: DeliveryForm = new Form();
  #outbox: Outbox | undefined;

  constructor(parts: DeliveringParts) {
    this.#state = parts.state;
    this.#acks = parts.acks;
    this.#retained = parts.retained;
  }

  /** The outbox wakes this service and this service writes to the outbox, so one of them is told later. */
  connect(outbox: Outbox): void {
    this.#outbox = outbox;
  }

  /** Sends whatever waits for the session and may go now. */
  session(session: Session): void {
    const link = session.link;
    if (link === undefined || session.ended) return;
    if (!this.#pumpResend(session, link)) return;
    if (this.#pumpRetained(session, link)) this.#pumpBacklog(session, link);
    for (const group of session.groups) this.group(group);
  }

  group(group: Group): void {
    const state = this.#state;
    let frame: JournalFrame | undefined;
    while (!group.fetching) {
      const returned = group.returned[0];
      const seq = returned ?? group.backlog.nextFrom(group.sentThrough);
      if (seq === 0 || seq > state.journal.durableSeq) return;
      if (!this.hasReadyMember(group)) return;
      if (frame === undefined || !holds(frame, seq)) frame = state.journal.cached(seq);
      if (frame === undefined) {
        this.#fetchForGroup(group, seq);
        return;
      }
      if (!this.#sendToGroup(group, frame, seq)) return;
      if (returned === undefined) group.sentThrough = seq;
      else group.returned.shift();
    }
  }

  hasReadyMember(group: Group): boolean {
    for (const member of group.members.keys()) if (this.#hasCredit(member)) return true;
    return false;
  }

  /** One QoS 0 message, now, without the journal. */
  sendLive(link: Link, message: MessageView, entry: SubscriptionEntry): void {
    const form = this.#form;
    form.qos = 0;
    form.packetId = 0;
    form.dup = false;
    form.retain = false;
    form.sharedSeq = 0;
    form.subscriptionIdentifiers = entry.identifier === 0 ? noIdentifiers : [entry.identifier];
    form.secondsLeft = message.expirySeconds;
    link.deliver(message, form);
    this.#state.counters.delivered++;
  }

  /** After a reconnect: everything under way again, in order, under the old ids [MQTT-4.4.0-1, MQTT-4.6.0-1]. */
  resume(session: Session): void {
    const again: number[] = [];
    session.inFlight.inOrder((packetId) => again.push(packetId));
    session.resend = again;
    session.resendNext = 0;
    this.session(session);
  }

  /** False while something under way still has to be sent again: the new connection's Receive Maximum holds here too. */
  #pumpResend(session: Session, link: Link): boolean {
    while (session.resendNext < session.resend.length) {
      if (session.fetching || !link.ready || !this.#hasCredit(session)) return false;
      const packetId = session.resend[session.resendNext] as number;
      const step = session.inFlight.stateOf(packetId);
      // Its record is durable by now: the attachment that leads here was written after it.
      if (step === reserved) session.inFlight.setState(packetId, awaitingPubrec);
      if (step === awaitingPubcomp) link.release(packetId);
      else if (step !== 0) {
        const at = this.#locationOf(session, packetId, session.inFlight.seqOf(packetId));
        const frame = this.#state.journal.cached(at);
        if (frame === undefined) {
          this.#fetchForSession(session, at, () => {
            session.resendNext++;
            this.#finish(session, packetId);
          });
          return false;
        }
        this.#resend(session, link, { frame, at, packetId });
      }
      session.resendNext++;
    }
    return true;
  }

  #resend(session: Session, link: Link, what: { frame: JournalFrame; at: number; packetId: number }): void {
    const { packetId } = what;
    const message = this.#read(what.frame, what.at);
    if (message === undefined) {
      this.#finish(session, packetId);
      return;
    }
    const topic = this.#topicOf(message);
    const receiver = topic.receiverOf(session);
    const form = this.#form;
    form.qos = session.inFlight.stateOf(packetId) === awaitingPubrec ? 2 : 1;
    form.packetId = packetId;
    form.dup = true;
    form.sharedSeq = 0;
    form.retain = session.inFlight.sourceOf(packetId) === fromRetained;
    form.subscriptionIdentifiers = receiver?.identifiers ?? noIdentifiers;
    // A delivery that began is finished, expired or not [MQTT-4.3.3-7]; the interval still counts down.
    form.secondsLeft = message.secondsLeft(this.#state.clock.now());
    const permitted = allowed(this.#state, session.principal, "subscribe", topic.name);
    if (!permitted || !link.deliver(message, form)) {
      this.#finish(session, packetId);
      return;
    }
    this.#state.counters.delivered++;
  }

  /** Gives up a delivery that cannot be made any more, as if it had been acknowledged. */
  #finish(session: Session, packetId: number): void {
    this.#acks.acknowledged(session, packetId);
    session.inFlight.release(packetId);
  }

  #locationOf(session: Session, packetId: number, seq: number): number {
    if (session.inFlight.sourceOf(packetId) !== fromRetained) return seq;
    return this.#acks.retainedUnderWay(session, packetId)?.entry.at ?? seq;
  }

  /** False while retained messages of a new subscription still wait: they come before what is published later. */
  #pumpRetained(session: Session, link: Link): boolean {
    while (session.retainedNext < session.retainedQueue.length) {
      if (session.fetching || !link.ready || !this.#hasCredit(session)) return false;
      const wanted = session.retainedQueue[session.retainedNext] as RetainedDelivery;
      const entry = this.#retained.current(wanted.topic, wanted.seq);
      const readable =
        entry !== undefined && allowed(this.#state, session.principal, "subscribe", wanted.topic);
      if (readable) {
        if (entry.at > this.#state.journal.durableSeq) return false;
        const frame = this.#state.journal.cached(entry.at);
        if (frame === undefined) {
          this.#fetchForSession(session, entry.at, () => {
            session.retainedNext++;
          });
          return false;
        }
        this.#sendRetained(session, link, { frame, entry, wanted });
      } else this.#acks.settled(session, fromRetained, wanted.seq);
      session.retainedNext++;
    }
    if (session.retainedQueue.length > 0) {
      session.retainedQueue = [];
      session.retainedNext = 0;
    }
    return true;
  }

  #sendRetained(
    session: Session,
    link: Link,
    what: { frame: JournalFrame; entry: RetainedEntry; wanted: RetainedDelivery },
  ): void {
    const message = this.#read(what.frame, what.entry.at);
    if (message === undefined) return;
    const { entry } = what.wanted;
    const qos = Math.min(message.qos, entry.qos) as 0 | 1 | 2;
    const identifiers = entry.identifier === 0 ? noIdentifiers : [entry.identifier];
    const packetId = this.#sendMessage(session, link, message, { qos, retain: true, identifiers, source: fromRetained, isShared: false }, what.entry.seq);
    if (packetId > 0) this.#acks.rememberRetained(session, packetId, { entry: what.entry, wanted: what.wanted });
  }

  #pumpBacklog(session: Session, link: Link): void {
    const { journal } = this.#state;
    const { backlog } = session;
    let frame: JournalFrame | undefined;
    while (link.ready && !session.fetching) {
      let seq = backlog.nextFrom(session.sentThrough);
      if (seq === 0 || seq > journal.durableSeq || !this.#hasCredit(session)) return;
      if (frame === undefined || !holds(frame, seq)) frame = journal.cached(seq);
      if (frame === undefined) {
        this.#fetchForSession(session, seq, () => {
          session.sentThrough = seq;
          this.#acks.passedOver(session, seq);
        });
        return;
      }
      const last = Math.min(backlog.runEnd(seq), frame.firstSeq + frame.count - 1);
      for (; seq <= last; seq++) {
        if (!link.ready || !this.#hasCredit(session)) return;
        session.sentThrough = seq;
        this.#sendOwn(session, link, frame, seq);
      }
    }
  }

  #sendOwn(session: Session, link: Link, frame: JournalFrame, seq: number): void {
    const index = seq - frame.firstSeq;
    if (!isDeliverable(frame.kinds[index] as number)) {
      session.backlog.skip(seq);
      return;
    }
    if (session.underWayBefore.size > 0 && session.underWayBefore.delete(seq)) return;
    const message = this.#readAt(frame, index);
    const topic = this.#topicOf(message);
    const receiver = topic.receiverOf(session);
    if (receiver === undefined || (receiver.noLocal && message.publisherNumber === session.number)) {
      // In a scan run it never was this reader's; elsewhere its subscription or its right went away meanwhile.
      if (session.backlog.isScan(seq)) session.backlog.skip(seq);
      else this.#acks.passedOver(session, seq);
      return;
    }
    const qos = (message.qos < receiver.qos ? message.qos : receiver.qos) as 0 | 1 | 2;
    this.#sendMessage(
      session,
      link,
      message,
      { qos, retain: message.retain && receiver.retainAsPublished, identifiers: receiver.identifiers, source: fromBacklog, isShared: topic.receivers.length >= sharedFrom },
      seq,
    );
  }

  /** True when the message was dealt with; false when no member could take it now. */
  #sendToGroup(group: Group, frame: JournalFrame, seq: number): boolean {
    const index = seq - frame.firstSeq;
    if (!isDeliverable(frame.kinds[index] as number)) {
      group.backlog.skip(seq);
      return true;
    }
    if (group.underWayBefore.size > 0 && group.underWayBefore.delete(seq)) return true;
    const message = this.#readAt(frame, index);
    const name = message.topic;
    const member = group.turns.nextReady(
      (candidate) => this.#hasCredit(candidate) && memberMayRead(this.#state, candidate, name),
    );
    const entry = member === undefined ? undefined : group.members.get(member);
    if (member?.link === undefined || entry === undefined) return false;
    const qos = Math.min(message.qos, entry.qos) as 0 | 1 | 2;
    const identifiers = entry.identifier === 0 ? noIdentifiers : [entry.identifier];
    const retain = message.retain && entry.retainAsPublished;
    this.#sendMessage(member, member.link, message, { qos, retain, identifiers, source: fromGroup + group.number, isShared: false }, seq);
    return true;
  }

  /** The packet id used (0 at QoS 0), or -1 when the message was skipped and counts as delivered. */
  #sendMessage(session: Session, link: Link, message: MessageView, manner: Manner, seq: number): number {
    const state = this.#state;
    const left = message.expirySeconds === noExpiry ? noExpiry : message.secondsLeft(state.clock.now());
    if (left === 0) {
      state.counters.droppedExpired++;
      this.#acks.settled(session, manner.source, seq);
      return -1;
    }
    const form = this.#form;
    form.qos = manner.qos;
    form.retain = manner.retain;
    form.subscriptionIdentifiers = manner.identifiers;
    form.secondsLeft = left;
    form.sharedSeq = manner.isShared ? seq : 0;
    form.dup = manner.qos > 0 && manner.source === fromBacklog && session.maybeSent > 0 && seq <= session.maybeSentThrough;
    if (form.dup) session.maybeSent--;
    if (manner.qos === 2) return this.#reserve(session, link, message, manner, seq);
    const packetId = manner.qos === 0 ? 0 : session.inFlight.take(seq, awaitingPuback, manner.source);
    form.packetId = packetId;
    if (!link.deliver(message, form)) {
      state.counters.droppedTooLarge++;
      if (packetId > 0) session.inFlight.release(packetId);
      this.#acks.settled(session, manner.source, seq);
      return -1;
    }
    state.counters.delivered++;
    if (packetId === 0) this.#acks.settled(session, manner.source, seq);
    return packetId;
  }

  /** QoS 2: the packet id becomes durable before the PUBLISH leaves, so that no crash revives it for another message. */
  #reserve(session: Session, link: Link, message: MessageView, manner: Manner, seq: number): number {
    const state = this.#state;
    const packetId = session.inFlight.take(seq, reserved, manner.source);
    const copy = new MessageView();
    Object.assign(copy, message);
    const form = new Form();
    Object.assign(form, this.#form);
    form.packetId = packetId;
    const send = (): void => {
      if (session.link !== link || session.inFlight.stateOf(packetId) !== reserved) return;
      if (!link.deliver(copy, form)) {
        state.counters.droppedTooLarge++;
        this.#finish(session, packetId);
        return;
      }
      session.inFlight.setState(packetId, awaitingPubrec);
      state.counters.delivered++;
    };
    if (!session.durable) {
      send();
      return packetId;
    }
    const group = manner.source >= fromGroup ? (state.groupsByNumber.get(manner.source - fromGroup)?.key ?? "") : "";
    const length = deliveryNoteBytes + Buffer.byteLength(group);
    const at = state.journal.reserve(RecordKind.deliveryReserved, length);
    writeDeliveryNote(state.journal.openBytes, at, { number: session.number, packetId, seq, group, isRetained: manner.source === fromRetained });
    this.#outbox?.action(send);
    state.journal.commit();
    return packetId;
  }

  #hasCredit(session: Session): boolean {
    const { link } = session;
    if (link === undefined || !link.ready) return false;
    const { inFlightMax } = this.#state.limits;
    // What is still to be sent again is not under way on this connection.
    const underWay = session.inFlight.size - (session.resend.length - session.resendNext);
    return underWay < (session.receiveMaximum < inFlightMax ? session.receiveMaximum : inFlightMax);
  }

  #read(frame: JournalFrame, seq: number): MessageView | undefined {
    const index = seq - frame.firstSeq;
    if (messageOffset(frame.kinds[index] ?? 0) < 0) return undefined;
    return this.#readAt(frame, index);
  }

  #readAt(frame: JournalFrame, index: number): MessageView {
    const start = (frame.starts[index] as number) + messageOffset(frame.kinds[index] as number);
    return this.#message.read(frame.bytes, start, frame.ends[index] as number);
  }

  #topicOf(message: MessageView): Topic {
    const { topics } = this.#state;
    const topic =
      topics.find(message.bytes, message.topicStart, message.topicEnd) ??
      topics.add(message.bytes, message.topicStart, message.topicEnd, new Topic(message.topic));
    refresh(this.#state, topic);
    return topic;
  }

  /** `lost` runs when the record is not to be had any more (dropped, damaged): step over it, never stand still. */
  #fetchForSession(session: Session, seq: number, lost: () => void): void {
    session.fetching = true;
    this.#state.journal.fetch(seq, (frame) => {
      session.fetching = false;
      if (frame === undefined) lost();
      this.session(session);
    });
  }

  #fetchForGroup(group: Group, seq: number): void {
    group.fetching = true;
    this.#state.journal.fetch(seq, (frame) => {
      group.fetching = false;
      if (frame === undefined) {
        group.backlog.remove(seq);
        if (group.returned[0] === seq) group.returned.shift();
        else group.sentThrough = seq;
      }
      this.group(group);
    });
  }
}

function holds(frame: JournalFrame, seq: number): boolean {
  return seq >= frame.firstSeq && seq < frame.firstSeq + frame.count;
}
