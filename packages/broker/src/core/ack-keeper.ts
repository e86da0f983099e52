/**
 * What consumers acknowledged: taken out of the backlog at once, written to the journal with the next frame as one
 * short record a reader (D6: durable within 100 ms).
 */
import {
  ackedBytes,
  type DeliveriesAcked,
  deliveryNoteBytes,
  RecordKind,
  writeAcked,
  writeDeliveryNote,
} from "../model/record.ts";
import type { Group } from "./group.ts";
import { fromBacklog, fromGroup, fromRetained, type Session, type SubscriptionEntry } from "./session.ts";
import type { RetainedEntry, State } from "./state.ts";

/** An acknowledgement waits for company at most this long. */
const ackDelayMs = 50;

type Reader = Session | Group;

/** A retained message on its way to a new subscription. */
export interface RetainedUnderWay {
  readonly item: RetainedEntry;
  readonly subscription: SubscriptionEntry;
}

export class AckKeeper {
  readonly #state: State;
  readonly #pending: Reader[] = [];
  /** Retained messages under way, by session and packet id; few, and gone with the delivery. */
  readonly #retainedUnderWay: WeakMap<Session, Map<number, RetainedUnderWay>> = new WeakMap();

  constructor(state: State) {
    this.#state = state;
  }

  /** A delivery ended well or for good. The packet id is still known. */
  acknowledged(session: Session, packetId: number): void {
    const source = session.inFlight.sourceOf(packetId);
    if (source === fromRetained) this.#retainedUnderWay.get(session)?.delete(packetId);
    else if (session.underWayBefore.size > 0) this.#forget(session, packetId);
    this.settled(session, source, session.inFlight.seqOf(packetId));
  }

  /** Done before its turn came to be sent again. */
  #forget(session: Session, packetId: number): void {
    const seq = session.inFlight.seqOf(packetId);
    if (session.underWayBefore.get(seq) === packetId) session.underWayBefore.delete(seq);
  }

  /** The message needs no delivery to this session any more. */
  settled(session: Session, source: number, seq: number): void {
    if (source === fromBacklog) this.#remove(session, session.durable, seq);
    else if (source === fromRetained) this.#noteRetained(session, seq);
    else if (source >= fromGroup) {
      const group = this.#state.groupsByNumber.get(source - fromGroup);
      if (group !== undefined) this.#remove(group, group.durableMembers > 0, seq);
    }
  }

  /** Not for this session after all: unsubscribed meanwhile, own message, rights gone. */
  passedOver(session: Session, seq: number): void {
    this.#remove(session, session.durable, seq);
  }

  /** Not for this group after all: none of its members may read it, or it is not to be had any more. */
  passedOverBy(group: Group, seq: number): void {
    this.#remove(group, group.durableMembers > 0, seq);
  }

  /** Outgoing QoS 2, second half: PUBREC is durable before PUBREL leaves. */
  noteReceived(session: Session, packetId: number): void {
    this.#note(RecordKind.deliveryReceived, session, packetId);
    this.#state.journal.commit();
  }

  noteCompleted(session: Session, packetId: number): void {
    this.#note(RecordKind.deliveryCompleted, session, packetId);
    this.#state.journal.commitWithin(ackDelayMs);
  }

  rememberRetained(session: Session, packetId: number, underWay: RetainedUnderWay): void {
    let known = this.#retainedUnderWay.get(session);
    if (known === undefined) {
      known = new Map();
      this.#retainedUnderWay.set(session, known);
    }
    known.set(packetId, underWay);
  }

  retainedUnderWay(session: Session, packetId: number): RetainedUnderWay | undefined {
    return this.#retainedUnderWay.get(session)?.get(packetId);
  }

  /** Adds what was acknowledged since the last frame to the open one. */
  write(): void {
    for (const reader of this.#pending) {
      reader.ackPending = false;
      const isGroup = "members" in reader;
      const acked: DeliveriesAcked = {
        number: isGroup ? 0 : reader.number,
        group: isGroup ? reader.key : "",
        floor: reader.ackedFloor,
        beyond: reader.ackedBeyond,
      };
      const at = this.#state.journal.reserve(RecordKind.deliveriesAcked, ackedBytes(acked));
      writeAcked(this.#state.journal.openBytes, at, acked);
      reader.ackedBeyond = [];
    }
    this.#pending.length = 0;
  }

  /** Recovery: what `write` recorded. */
  apply(acked: DeliveriesAcked): void {
    const reader: Reader | undefined =
      acked.group === "" ? this.#state.sessionsByNumber.get(acked.number) : this.#state.groups.get(acked.group);
    if (reader === undefined) return;
    reader.ackedFloor = acked.floor;
    reader.backlog.dropThrough(acked.floor);
    for (const seq of acked.beyond) reader.backlog.remove(seq);
  }

  /** A restart queues the retained messages of a subscription again, but for those that are noted here. */
  #noteRetained(session: Session, seq: number): void {
    if (!session.durable) return;
    const at = this.#state.journal.reserve(RecordKind.retainedSettled, deliveryNoteBytes);
    writeDeliveryNote(this.#state.journal.openBytes, at, {
      number: session.number,
      packetId: 0,
      seq,
      group: "",
      isRetained: true,
    });
    this.#state.journal.commitWithin(ackDelayMs);
  }

  #note(kind: number, session: Session, packetId: number): void {
    const at = this.#state.journal.reserve(kind, deliveryNoteBytes);
    const seq = session.inFlight.seqOf(packetId);
    writeDeliveryNote(this.#state.journal.openBytes, at, {
      number: session.number,
      packetId,
      seq,
      group: "",
      isRetained: false,
    });
  }

  #remove(reader: Reader, durable: boolean, seq: number): void {
    const isFirst = reader.backlog.first() === seq;
    reader.backlog.remove(seq);
    if (!durable) return;
    if (isFirst) reader.ackedFloor = seq;
    else reader.ackedBeyond.push(seq);
    if (reader.ackPending) return;
    reader.ackPending = true;
    this.#pending.push(reader);
    this.#state.journal.commitWithin(ackDelayMs);
  }
}
