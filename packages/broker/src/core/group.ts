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
  readonly members: Map<Session, SubscriptionEntry> = new Map();
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

  constructor(number: number, key: string, filter: string, backlog: Backlog) {
    this.number = number;
    this.key = key;
    this.filter = filter;
    this.backlog = backlog;
  }

  /** The highest QoS any member was granted: 0 means that nothing has to wait for the group. */
  highestQoS(): 0 | 1 | 2 {
    let highest: 0 | 1 | 2 = 0;
    for (const entry of this.members.values()) if (entry.qos > highest) highest = entry.qos;
    return highest;
  }
}
