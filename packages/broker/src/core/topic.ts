/** An interned topic name with what was worked out for it: who receives it. Valid for one generation of the state. */
import type { TopicHandle } from "../model/engine.ts";
import type { Group } from "./group.ts";
import type { Session } from "./session.ts";

/** All subscriptions of one session that match the topic, merged: one message each [MQTT-3.3.4-2]. */
export interface Receiver {
  readonly session: Session;
  readonly qos: 0 | 1 | 2;
  /** True when every matching subscription has No Local. */
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly identifiers: readonly number[];
}

export class Topic implements TopicHandle {
  readonly name: string;
  readonly reserved: boolean;
  generation = -1;
  receivers: Receiver[] = [];
  groups: Group[] = [];

  constructor(name: string) {
    this.name = name;
    this.reserved = name.startsWith("$");
  }

  receiverOf(session: Session): Receiver | undefined {
    for (const receiver of this.receivers) if (receiver.session === session) return receiver;
    return undefined;
  }
}
