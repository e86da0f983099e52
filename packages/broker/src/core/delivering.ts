/**
 * Delivery Service, the moving part: takes what waits for a session or a group and sends it while there is credit.
 * Live and lagging readers go the same way: a reader that is up to date finds its frames in memory, one that lags
 * has them fetched, frame by frame, so its backlog costs disk and not memory.
 */
import { awaitingPubcomp, awaitingPubrec, reserved } from "../delivery/in-flight.ts";
import type { JournalFrame } from "../model/journal.ts";
import type { Link } from "../model/link.ts";
import { MessageView } from "../model/message.ts";
import { isDeliverable, LOST_KIND } from "../model/record.ts";
import { patternMatches } from "../model/topic-pattern.ts";
import type { AckKeeper } from "./ack-keeper.ts";
import { DeliveryTurns } from "./delivery-turns.ts";
import { holds, messageAt, readMessage } from "./frame-reading.ts";
import type { Group } from "./group.ts";
import type { GroupDelivering } from "./group-delivering.ts";
import { topicOf } from "./matching.ts";
import type { RetainedKeeper } from "./retained-keeper.ts";
import { allowed } from "./rights.ts";
import { identifiersOf, type Sending } from "./sending.ts";
import { fromBacklog, fromRetained, type Session, type SubscriptionEntry } from "./session.ts";
import type { SessionConsumers } from "./session-consumers.ts";
import type { RetainedEntry, State } from "./state.ts";

export interface DeliveringParts {
  readonly state: State;
  readonly acks: AckKeeper;
  readonly retained: RetainedKeeper;
  readonly sending: Sending;
  readonly groups: GroupDelivering;
}

/** It would be the session's if it had the right: for want of it the message is gone for good, over a restart too. */
function isSubscribed(session: Session, topic: string): boolean {
  for (const { text, group, queue } of session.subscriptions.values())
    if (group === undefined && queue === undefined && patternMatches(text, topic)) return true;
  return false;
}

/** From so many receivers on, a message is encoded once for all who want the same form. */
const sharedFrom = 4;

export class Delivering {
  readonly #state: State;
  readonly #acks: AckKeeper;
  readonly #retained: RetainedKeeper;
  readonly #sending: Sending;
  readonly #groups: GroupDelivering;
  #consumers: SessionConsumers | undefined;
  readonly #message: MessageView = new MessageView();
  readonly #turns: DeliveryTurns;

  constructor(parts: DeliveringParts) {
    this.#state = parts.state;
    this.#acks = parts.acks;
    this.#retained = parts.retained;
    this.#sending = parts.sending;
    this.#groups = parts.groups;
    this.#turns = new DeliveryTurns(parts.state.defer, (session) => this.session(session));
  }

  /** Sends whatever waits for the session and may go now. */
  session(session: Session): void {
    const link = session.link;
    if (link === undefined || session.ended || !this.#turns.begin(session)) return;
    if (!this.#pumpResend(session, link)) return;
    if (this.#pumpRetained(session, link)) this.#pumpBacklog(session, link);
    for (const group of session.groups) this.#groups.pump(group);
    if (session.consumers !== undefined) this.#consumers?.pump(session);
  }

  connect(consumers: SessionConsumers): void {
    this.#consumers = consumers;
  }

  group(group: Group): void {
    this.#groups.pump(group);
  }

  /**
   * After a reconnect: everything under way again, in order, under the old ids [MQTT-4.4.0-1, MQTT-4.6.0-1]. The order
   * is that of the journal, which is the order of first sending before any restart.
   */
  resume(session: Session): void {
    const again: number[] = [];
    const { inFlight, underWayBefore } = session;
    inFlight.inOrder((packetId) => {
      if (underWayBefore.get(inFlight.seqOf(packetId)) !== packetId) again.push(packetId);
    });
    session.resend = again.sort((a, b) => inFlight.seqOf(a) - inFlight.seqOf(b));
    session.resendNext = 0;
    this.session(session);
  }

  /** False while something under way still has to be sent again: the new connection's Receive Maximum holds here too. */
  #pumpResend(session: Session, link: Link): boolean {
    while (session.resendNext < session.resend.length) {
      if (session.fetching || !link.ready || !this.#sending.hasCredit(session)) return false;
      if (!this.#sendAgain(session, link, session.resend[session.resendNext] as number)) return false;
      session.resendNext++;
    }
    return true;
  }

  /** False when the message has to be read first. */
  #sendAgain(session: Session, link: Link, packetId: number): boolean {
    const step = session.inFlight.stateOf(packetId);
    if (step === awaitingPubcomp) link.release(packetId);
    if (step === awaitingPubcomp || step === 0) return true;
    const at = this.#locationOf(session, packetId);
    const frame = this.#state.journal.cached(at);
    if (frame === undefined) {
      const { resend } = session;
      this.#fetch(session, at, () => {
        // A connection made meanwhile has a list of its own, and finds out for itself.
        if (session.resend !== resend || session.inFlight.stateOf(packetId) === 0) return;
        session.resendNext++;
        this.#sending.giveUp(session, packetId);
      });
      return false;
    }
    // Its record is durable by now: the attachment that leads here was written after it.
    if (step === reserved) session.inFlight.setState(packetId, awaitingPubrec);
    const message = messageAt(this.#message, frame, at);
    if (message === undefined) this.#sending.giveUp(session, packetId);
    else this.#sending.again(session, link, message, packetId, step === reserved);
    return true;
  }

  #locationOf(session: Session, packetId: number): number {
    const seq = session.inFlight.seqOf(packetId);
    if (session.inFlight.sourceOf(packetId) !== fromRetained) return seq;
    return this.#acks.retainedUnderWay(session, packetId)?.item.at ?? seq;
  }

  /** False while retained messages of a new subscription still wait: they come before what is published later. */
  #pumpRetained(session: Session, link: Link): boolean {
    const { retained } = session;
    while (retained.length > 0) {
      if (session.answersDue > 0 || session.fetching || !link.ready || !this.#sending.hasCredit(session)) return false;
      if (!this.#turns.take(session)) return false;
      const { item, entry } = retained;
      const isReadable =
        this.#retained.isCurrent(item) && allowed(this.#state, session.principal, "subscribe", item.topic);
      if (isReadable) {
        if (item.at > this.#state.journal.durableSeq) return false;
        const frame = this.#state.journal.cached(item.at);
        if (frame === undefined) {
          this.#fetch(session, item.at, () => retained.shiftIf(entry, item));
          return false;
        }
        this.#sendRetained(session, link, frame, { item, subscription: entry });
      } else this.#acks.settled(session, fromRetained, item.seq);
      retained.shiftIf(entry, item);
    }
    return true;
  }

  #sendRetained(
    session: Session,
    link: Link,
    frame: JournalFrame,
    what: { readonly item: RetainedEntry; readonly subscription: SubscriptionEntry },
  ): void {
    const { item, subscription } = what;
    const message = messageAt(this.#message, frame, item.at);
    if (message === undefined) return;
    const qos = Math.min(message.qos, subscription.qos) as 0 | 1 | 2;
    const manner = {
      qos,
      retain: true,
      identifiers: identifiersOf(subscription),
      source: fromRetained,
      isShared: false,
    };
    const packetId = this.#sending.message(session, link, message, manner, item.seq);
    if (packetId > 0) this.#acks.rememberRetained(session, packetId, what);
  }

  #pumpBacklog(session: Session, link: Link): void {
    const { journal } = this.#state;
    const { backlog } = session;
    let frame: JournalFrame | undefined;
    while (link.ready && !session.fetching) {
      let seq = backlog.nextFrom(session.sentThrough);
      if (seq === 0 || seq > journal.durableSeq || !this.#sending.hasCredit(session)) return;
      if (frame === undefined || !holds(frame, seq)) frame = journal.cached(seq);
      if (frame === undefined) {
        this.#fetch(session, seq, () => {
          session.sentThrough = seq;
          const packetId = session.underWayBefore.get(seq);
          if (packetId === undefined) this.#acks.passedOver(session, seq);
          else this.#sending.giveUp(session, packetId);
        });
        return;
      }
      const last = Math.min(backlog.runEnd(seq), frame.firstSeq + frame.count - 1);
      for (; seq <= last; seq++) {
        if (!link.ready || !this.#sending.hasCredit(session) || !this.#turns.take(session)) return;
        session.sentThrough = seq;
        this.#sendOwn(session, link, frame, seq);
      }
    }
  }

  #sendOwn(session: Session, link: Link, frame: JournalFrame, seq: number): void {
    const index = seq - frame.firstSeq;
    const kind = frame.kinds[index] as number;
    if (!isDeliverable(kind)) {
      // Lost to damage: it waited here, unless it is one of the numbers that were never looked at.
      if (kind === LOST_KIND && !session.backlog.isScan(seq)) this.#acks.passedOver(session, seq);
      else session.backlog.skip(seq);
      return;
    }
    const packetId = session.underWayBefore.size > 0 ? session.underWayBefore.get(seq) : undefined;
    if (packetId !== undefined) {
      session.underWayBefore.delete(seq);
      // Behind what was reserved for this client just now: its PUBLISH waits for the disk, and was published earlier.
      this.#sending.whenReserved(session, () => {
        const isStill = session.link === link && session.inFlight.stateOf(packetId) === awaitingPubrec;
        if (isStill) this.#sending.again(session, link, readMessage(this.#message, frame, index), packetId, false);
      });
      return;
    }
    const message = readMessage(this.#message, frame, index);
    if (seq <= session.replayThrough && message.publishedAt < session.replaySince) {
      session.backlog.skip(seq);
      return;
    }
    const topic = topicOf(this.#state, message);
    const receiver = topic.receiverOf(session);
    if (receiver === undefined || (receiver.noLocal && message.publisherNumber === session.number)) {
      // In a scan run it may never have been this reader's; elsewhere its subscription or its right went away meanwhile.
      if (session.backlog.isScan(seq) && !(receiver === undefined && isSubscribed(session, topic.name)))
        session.backlog.skip(seq);
      else this.#acks.passedOver(session, seq);
      return;
    }
    const manner = {
      qos: (message.qos < receiver.qos ? message.qos : receiver.qos) as 0 | 1 | 2,
      retain: message.retain && receiver.retainAsPublished,
      identifiers: receiver.identifiers,
      source: fromBacklog,
      isShared: topic.receivers.length >= sharedFrom,
    };
    this.#sending.message(session, link, message, manner, seq);
  }

  /** `lost` runs when the record is not to be had any more (dropped, damaged): step over it, never stand still. */
  #fetch(session: Session, seq: number, lost: () => void): void {
    session.fetching = true;
    this.#state.journal.fetch(seq, (frame) => {
      session.fetching = false;
      if (frame === undefined) lost();
      this.session(session);
    });
  }
}
