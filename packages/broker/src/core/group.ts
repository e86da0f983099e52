/** A shared subscription: one backlog, many members, each message to one of them (MQTT 5.0 section 4.8.2). */
import type { Backlog } from "../subscriptions/backlog.ts";
import { SharedGroup } from "../subscriptions/shared-group.ts";
import type { Session, SubscriptionEntry } from "./session.ts";

export class Group {
  /** Small, unique while the group lives. */
  readonly number: number;
  /** `$share/NAME/FILTER`. */
  readonly key: string;
  readonly filter: string;
  readonly backlog: Backlog;
  readonly turns: SharedGroup<Session> = new SharedGroup();

  /** How many members survive their connection: while there is one, the backlog is in the journal. */
  durableMembers = 0;
  sentThrough = 0;
  /** Numbers that a member has under way since before a restart (QoS 2). */
  readonly underWayBefore: Set<number> = new Set();
  /** Given back by a member that went away, in order: next to be sent. */
  readonly returned: number[] = [];
  ackedFloor = 0;
  ackedBeyond: number[] = [];
  ackPending = false;
  wokenFor = -1;
  fetching = false;
  readonly #members: Map<Session, SubscriptionEntry> = new Map();
  #highestQoS: 0 | 1 | 2 = 0;

  constructor(number: number, key: string, filter: string, backlog: Backlog) {
    this.number = number;
    this.key = key;
    this.filter = filter;
    this.backlog = backlog;
  }

  get members(): ReadonlyMap<Session, SubscriptionEntry> {
    return this.#members;
  }

  /** The highest QoS any member was granted: 0 means that nothing has to wait for the group. Asked for each publish. */
  get highestQoS(): 0 | 1 | 2 {
    return this.#highestQoS;
  }

  /** A new member, or another form of its membership. */
  join(session: Session, entry: SubscriptionEntry): void {
    const isNew = !this.#members.has(session);
    this.#members.set(session, entry);
    this.#findHighestQoS();
    session.groups.add(this);
    if (!isNew) return;
    this.turns.add(session);
    if (session.durable) this.durableMembers++;
  }

  leave(session: Session): void {
    if (!this.#members.delete(session)) return;
    this.#findHighestQoS();
    this.turns.remove(session);
    session.groups.delete(this);
    if (session.durable) this.durableMembers--;
  }

  /** A message that a member had and will not finish. */
  giveBack(seq: number): void {
    const { returned } = this;
    let at = returned.length;
    while (at > 0 && (returned[at - 1] as number) > seq) at--;
    returned.splice(at, 0, seq);
  }

  #findHighestQoS(): void {
    this.#highestQoS = 0;
    for (const { qos } of this.#members.values()) if (qos > this.#highestQoS) this.#highestQoS = qos;
  }
}
