/** Delivery Service, the last step: one message to one client, with its packet id, or why not. */
import { awaitingPuback, awaitingPubrec, reserved } from "../delivery/in-flight.ts";
import { DeliveryForm, type Link, noIdentifiers } from "../model/link.ts";
import { MessageView, noExpiry } from "../model/message.ts";
import { deliveryNoteBytes, RecordKind, writeDeliveryNote } from "../model/record.ts";
import type { AckKeeper } from "./ack-keeper.ts";
import { isErased } from "./erasing.ts";
import { topicOf } from "./matching.ts";
import type { Outbox } from "./outbox.ts";
import { allowed, allowedMessage } from "./rights.ts";
import { fromBacklog, fromGroup, fromRetained, type Session, type SubscriptionEntry } from "./session.ts";
import type { State } from "./state.ts";

/** How a message is to reach one client. */
export interface Manner {
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  readonly identifiers: readonly number[];
  readonly source: number;
  /** Many others get it too. */
  readonly isShared: boolean;
}

export class Sending {
  readonly #state: State;
  readonly #acks: AckKeeper;
  readonly #form: DeliveryForm = new DeliveryForm();
  #outbox: Outbox | undefined;

  constructor(state: State, acks: AckKeeper) {
    this.#state = state;
    this.#acks = acks;
  }

  connect(outbox: Outbox): void {
    this.#outbox = outbox;
  }

  /** Runs once the ids that the session waits for are durable; at once when it waits for none. */
  whenReserved(session: Session, run: () => void): void {
    if (session.reserving === 0) run();
    else this.#outbox?.action(run);
  }

  hasCredit(session: Session): boolean {
    const { link } = session;
    if (link === undefined || !link.ready) return false;
    const { inFlightMax } = this.#state.limits;
    // What is still to be sent again is not under way on this connection.
    const toCome = session.resend.length - session.resendNext + session.underWayBefore.size;
    const underWay = session.inFlight.size - toCome;
    return underWay < (session.receiveMaximum < inFlightMax ? session.receiveMaximum : inFlightMax);
  }

  /** One QoS 0 message, now, without the journal. */
  live(link: Link, message: MessageView, identifiers: readonly number[]): void {
    const form = this.#form;
    form.qos = 0;
    form.packetId = 0;
    form.dup = false;
    form.retain = false;
    form.sharedSeq = 0;
    form.offset = 0;
    form.subscriptionIdentifiers = identifiers;
    form.secondsLeft = message.expirySeconds;
    link.deliver(message, form);
    this.#state.counters.delivered++;
  }

  /** The packet id used (0 at QoS 0), or -1 when the message was skipped and counts as delivered. */
  message(session: Session, link: Link, message: MessageView, manner: Manner, seq: number): number {
    const state = this.#state;
    if (!allowedMessage(state, session.principal, message)) {
      state.counters.deniedDelivery++;
      this.#acks.settled(session, manner.source, seq);
      return -1;
    }
    if (isErased(state, message)) {
      state.counters.droppedErased++;
      this.#acks.settled(session, manner.source, seq);
      return -1;
    }
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
    form.offset = seq;
    form.dup = manner.qos > 0 && manner.source === fromBacklog && wasSent(session, seq);
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

  /** A delivery under way once more, on a new connection, as it looked before. `isFirst`: it never left. */
  again(session: Session, link: Link, message: MessageView, packetId: number, isFirst: boolean): void {
    const state = this.#state;
    const topic = topicOf(state, message);
    const source = session.inFlight.sourceOf(packetId);
    const form = this.#form;
    form.qos = session.inFlight.stateOf(packetId) === awaitingPubrec ? 2 : 1;
    form.packetId = packetId;
    form.dup = !isFirst;
    form.sharedSeq = 0;
    form.offset = session.inFlight.seqOf(packetId);
    // A delivery that began is finished, expired or not [MQTT-4.3.3-7]; the interval still counts down.
    form.secondsLeft = message.secondsLeft(state.clock.now());
    if (source === fromRetained) {
      form.retain = true;
      form.subscriptionIdentifiers = identifiersOf(this.#acks.retainedUnderWay(session, packetId)?.subscription);
    } else if (source >= fromGroup) {
      const entry = state.groupsByNumber.get(source - fromGroup)?.members.get(session);
      form.retain = message.retain && entry?.retainAsPublished === true;
      form.subscriptionIdentifiers = identifiersOf(entry);
    } else {
      const receiver = topic.receiverOf(session);
      form.retain = message.retain && receiver?.retainAsPublished === true;
      form.subscriptionIdentifiers = receiver?.identifiers ?? noIdentifiers;
    }
    const isPermitted =
      allowed(state, session.principal, "subscribe", topic.name) && allowedMessage(state, session.principal, message);
    const isGone = isErased(state, message);
    if (isGone) state.counters.droppedErased++;
    else if (!isPermitted) state.counters.deniedDelivery++;
    if (isPermitted && !isGone && link.deliver(message, form)) state.counters.delivered++;
    else this.giveUp(session, packetId);
  }

  /** Gives up a delivery that cannot be made any more, as if it had been acknowledged. */
  giveUp(session: Session, packetId: number): void {
    this.#acks.acknowledged(session, packetId);
    this.free(session, packetId);
  }

  /** The packet id is free again. One of QoS 2 is in the journal since its reservation: it is free when the journal says so. */
  free(session: Session, packetId: number): void {
    const isNoted = session.journaled && session.inFlight.stateOf(packetId) !== awaitingPuback;
    if (isNoted) this.#acks.noteCompleted(session, packetId);
    session.inFlight.release(packetId);
  }

  /** QoS 2: the packet id becomes durable before the PUBLISH leaves, so that no crash revives it for another message. */
  #reserve(session: Session, link: Link, message: MessageView, manner: Manner, seq: number): number {
    const state = this.#state;
    const packetId = session.inFlight.take(seq, reserved, manner.source);
    this.#form.packetId = packetId;
    if (!session.durable) {
      this.#sendReserved(session, link, message, this.#form);
      return session.inFlight.stateOf(packetId) === 0 ? -1 : packetId;
    }
    const copy = new MessageView();
    Object.assign(copy, message);
    const form = new DeliveryForm();
    Object.assign(form, this.#form);
    const { rightsGeneration } = state;
    const group = manner.source >= fromGroup ? state.groupsByNumber.get(manner.source - fromGroup) : undefined;
    const key = group?.key ?? "";
    const at = state.journal.reserve(RecordKind.deliveryReserved, deliveryNoteBytes + Buffer.byteLength(key));
    const note = { number: session.number, packetId, seq, group: key, isRetained: manner.source === fromRetained };
    writeDeliveryNote(state.journal.openBytes, at, note);
    session.reserving++;
    this.#outbox?.action(() => {
      session.reserving--;
      if (session.link !== link || session.inFlight.stateOf(packetId) !== reserved) return;
      if (isErased(state, copy)) {
        state.counters.droppedErased++;
        this.giveUp(session, packetId);
        return;
      }
      const isPermitted =
        state.rightsGeneration === rightsGeneration ||
        (allowed(state, session.principal, "subscribe", copy.topic) && allowedMessage(state, session.principal, copy));
      if (isPermitted) {
        this.#sendReserved(session, link, copy, form);
        return;
      }
      state.counters.deniedDelivery++;
      if (group === undefined) this.giveUp(session, packetId);
      else {
        // It never left, so another member may have it.
        group.giveBack(seq);
        this.free(session, packetId);
        this.#outbox?.wakeGroup(group);
      }
    });
    state.journal.commit();
    return packetId;
  }

  #sendReserved(session: Session, link: Link, message: MessageView, form: DeliveryForm): void {
    if (!link.deliver(message, form)) {
      this.#state.counters.droppedTooLarge++;
      this.giveUp(session, form.packetId);
      return;
    }
    session.inFlight.setState(form.packetId, awaitingPubrec);
    this.#state.counters.delivered++;
  }
}

/** May it have been sent before a restart? */
function wasSent(session: Session, seq: number): boolean {
  if (seq <= session.sentBefore) return true;
  if (session.maybeSent === 0 || seq > session.maybeSentThrough) return false;
  session.maybeSent--;
  return true;
}

export function identifiersOf(entry: SubscriptionEntry | undefined): readonly number[] {
  return entry === undefined || entry.identifier === 0 ? noIdentifiers : [entry.identifier];
}
