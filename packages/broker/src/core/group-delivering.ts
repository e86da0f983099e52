/** Delivery Service for shared subscriptions: each message to one member that may read it and has credit. */
import type { JournalFrame } from "../model/journal.ts";
import { MessageView } from "../model/message.ts";
import { isDeliverable, LOST_KIND } from "../model/record.ts";
import type { AckKeeper } from "./ack-keeper.ts";
import { holds, readMessage } from "./frame-reading.ts";
import type { Group } from "./group.ts";
import { memberMayRead, topicOf } from "./matching.ts";
import { allowedMessage } from "./rights.ts";
import type { Sending } from "./sending.ts";
import { identifiersOf } from "./sending.ts";
import { fromGroup, type Session } from "./session.ts";
import type { State } from "./state.ts";

export class GroupDelivering {
  readonly #state: State;
  readonly #acks: AckKeeper;
  readonly #sending: Sending;
  readonly #message: MessageView = new MessageView();

  constructor(state: State, acks: AckKeeper, sending: Sending) {
    this.#state = state;
    this.#acks = acks;
    this.#sending = sending;
  }

  /** Sends whatever waits for the group and may go now: what was given back first. */
  pump(group: Group): void {
    const state = this.#state;
    let frame: JournalFrame | undefined;
    while (!group.fetching) {
      const returned = group.returned[0];
      const seq = returned ?? group.backlog.nextFrom(group.sentThrough);
      if (seq === 0 || seq > state.journal.durableSeq || !this.hasReadyMember(group)) return;
      if (frame === undefined || !holds(frame, seq)) frame = state.journal.cached(seq);
      if (frame === undefined) {
        this.#fetch(group, seq);
        return;
      }
      if (!this.#send(group, frame, seq)) return;
      this.#passed(group, seq);
    }
  }

  hasReadyMember(group: Group): boolean {
    for (const member of group.members.keys()) if (this.#isReady(member)) return true;
    return false;
  }

  /** What a session has to send again comes first [MQTT-4.6.0-1]. */
  #isReady(member: Session): boolean {
    return member.resendNext >= member.resend.length && this.#sending.hasCredit(member);
  }

  /** True when the message was dealt with; false when no member could take it now. */
  #send(group: Group, frame: JournalFrame, seq: number): boolean {
    const index = seq - frame.firstSeq;
    const kind = frame.kinds[index] as number;
    if (!isDeliverable(kind)) {
      if (kind === LOST_KIND && !group.backlog.isScan(seq)) this.#acks.passedOverBy(group, seq);
      else group.backlog.skip(seq);
      return true;
    }
    if (group.underWayBefore.size > 0 && group.underWayBefore.delete(seq)) return true;
    const message = readMessage(this.#message, frame, index);
    const topic = topicOf(this.#state, message);
    const mayRead = (candidate: Session): boolean =>
      memberMayRead(this.#state, candidate, topic) && allowedMessage(this.#state, candidate.principal, message);
    const member = group.turns.nextReady((candidate) => this.#isReady(candidate) && mayRead(candidate));
    const entry = member === undefined ? undefined : group.members.get(member);
    if (member?.link === undefined || entry === undefined) return this.#passOver(group, mayRead, seq);
    const qos = Math.min(message.qos, entry.qos) as 0 | 1 | 2;
    const retain = message.retain && entry.retainAsPublished;
    const manner = {
      qos,
      retain,
      identifiers: identifiersOf(entry),
      source: fromGroup + group.number,
      isShared: false,
    };
    this.#sending.message(member, member.link, message, manner, seq);
    return true;
  }

  /** Nobody takes it now. When no member may read it at all it must not stand in the way of what they may. */
  #passOver(group: Group, mayRead: (member: Session) => boolean, seq: number): boolean {
    for (const member of group.members.keys()) if (mayRead(member)) return false;
    this.#state.counters.deniedDelivery++;
    this.#acks.passedOverBy(group, seq);
    return true;
  }

  #passed(group: Group, seq: number): void {
    // Mostly the first; while it was read from disk others may have been given back.
    const at = group.returned.indexOf(seq);
    if (at < 0) group.sentThrough = seq;
    else group.returned.splice(at, 1);
  }

  /** A record that is not to be had any more (dropped, damaged) is stepped over: never stand still. */
  #fetch(group: Group, seq: number): void {
    group.fetching = true;
    this.#state.journal.fetch(seq, (frame) => {
      group.fetching = false;
      if (frame === undefined) {
        if (!group.underWayBefore.delete(seq)) this.#acks.passedOverBy(group, seq);
        this.#passed(group, seq);
      }
      this.pump(group);
    });
  }
}
