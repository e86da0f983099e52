/** An interned topic name with what was worked out for it: who receives it. Valid for one generation of the state. */
import type { TopicHandle } from "../model/engine.ts";
import { withoutAttributes } from "../model/message.ts";
import type { DeclaredTopic } from "./declared-topic.ts";
import type { Group } from "./group.ts";
import type { Queue } from "./queue.ts";
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

/** With more receivers they are looked up in a map: comparing with each would make a fan-out quadratic. */
const listedMax = 16;
const nobody: readonly Receiver[] = [];
const noGroups: readonly Group[] = [];
const noQueues: readonly Queue[] = [];

export class Topic implements TopicHandle {
  readonly name: string;
  readonly reserved: boolean;
  /** Of the state's `generation` and `rightsGeneration`, when the rest was worked out. */
  generation = -1;
  rightsGeneration = -1;
  #receivers: readonly Receiver[] = nobody;
  #groups: readonly Group[] = noGroups;
  #queues: readonly Queue[] = noQueues;
  #bySession: Map<Session, Receiver> | undefined;
  /** What is declared about it, and the attributes of messages that have no key of their own: of that generation of settings. */
  settingsGeneration = -1;
  declared: DeclaredTopic | undefined;
  keyAttributes: Uint8Array = withoutAttributes;
  #queueSet: Set<Queue> | undefined;

  constructor(name: string) {
    this.name = name;
    this.reserved = name.startsWith("$");
  }

  get receivers(): readonly Receiver[] {
    return this.#receivers;
  }

  get groups(): readonly Group[] {
    return this.#groups;
  }

  /** Declared subscriptions that match; of a topic of dead letters the one that they died in. */
  get queues(): readonly Queue[] {
    return this.#queues;
  }

  /** What it keeps in memory of others. */
  get remembered(): number {
    return this.#receivers.length + this.#queues.length;
  }

  set(receivers: readonly Receiver[], groups: readonly Group[], queues: readonly Queue[]): void {
    this.#receivers = receivers.length === 0 ? nobody : receivers;
    this.#groups = groups.length === 0 ? noGroups : groups;
    this.#queues = queues.length === 0 ? noQueues : queues;
    this.#bySession = undefined;
    this.#queueSet = undefined;
  }

  /** What was worked out is out of date: it must not keep sessions in memory that are over. */
  forget(): void {
    this.set(nobody, noGroups, noQueues);
    this.generation = -1;
  }

  receiverOf(session: Session): Receiver | undefined {
    const receivers = this.#receivers;
    if (receivers.length > listedMax) {
      this.#bySession ??= new Map(receivers.map((receiver) => [receiver.session, receiver]));
      return this.#bySession.get(session);
    }
    for (const receiver of receivers) if (receiver.session === session) return receiver;
    return undefined;
  }

  matches(queue: Queue): boolean {
    if (this.#queues.length <= listedMax) return this.#queues.includes(queue);
    this.#queueSet ??= new Set(this.#queues);
    return this.#queueSet.has(queue);
  }
}
