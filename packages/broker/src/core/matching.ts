/** Who receives what: works out the receivers of a topic, once a generation, rights included (authorize at the moment of effect). */
import type { MessageView } from "../model/message.ts";
import { deadLetterPrefix } from "../model/settings.ts";
import { Group } from "./group.ts";
import type { Publisher } from "./publisher.ts";
import { Queue } from "./queue.ts";
import { allowed } from "./rights.ts";
import type { Session, SubscriptionEntry } from "./session.ts";
import type { State } from "./state.ts";
import { type Receiver, Topic } from "./topic.ts";

const found: (SubscriptionEntry | Group | Queue)[] = [];

/** Brings `topic` up to the current generation. */
export function refresh(state: State, topic: Topic): void {
  if (topic.generation === state.generation) return;
  const keepsRights = topic.rightsGeneration === state.rightsGeneration;
  const receivers = topic.remembered;
  if (!keepsRights || !state.changes.leaveAlone(topic.name, topic.generation, state.generation, receivers)) {
    match(state, topic);
    state.countReceivers(topic.remembered - receivers);
  }
  topic.generation = state.generation;
  topic.rightsGeneration = state.rightsGeneration;
}

/** The interned topic of a message, brought up to date. */
export function topicOf(state: State, message: MessageView): Topic {
  const { topics } = state;
  const topic =
    topics.find(message.bytes, message.topicStart, message.topicEnd) ??
    topics.add(message.bytes, message.topicStart, message.topicEnd, new Topic(message.topic));
  refresh(state, topic);
  return topic;
}

function match(state: State, topic: Topic): void {
  found.length = 0;
  state.index.match(topic.name, collect);
  const groups: Group[] = [];
  const queues = new Set<Queue>();
  const entriesOf = new Map<Session, SubscriptionEntry | SubscriptionEntry[]>();
  for (const value of found) {
    if (value instanceof Group) {
      groups.push(value);
      continue;
    }
    if (value instanceof Queue) {
      queues.add(value);
      continue;
    }
    const entries = entriesOf.get(value.session);
    if (entries === undefined) entriesOf.set(value.session, value);
    else if (Array.isArray(entries)) entries.push(value);
    else entriesOf.set(value.session, [entries, value]);
  }
  found.length = 0;
  const receivers: Receiver[] = [];
  const mayRead = readersOf(state, topic.name);
  for (const [session, entries] of entriesOf) {
    if (mayRead(session.principal)) receivers.push(Array.isArray(entries) ? merge(session, entries) : alone(entries));
  }
  if (topic.reserved) addDeadOf(state, topic.name, queues);
  topic.set(receivers, groups, [...queues]);
}

/** The subscription whose dead letters these are. */
function addDeadOf(state: State, topic: string, queues: Set<Queue>): void {
  const queue = topic.startsWith(deadLetterPrefix) ? state.queues.get(topic.slice(deadLetterPrefix.length)) : undefined;
  if (queue !== undefined) queues.add(queue);
}

function collect(value: SubscriptionEntry | Group | Queue): void {
  found.push(value);
}

/** May this principal read the topic? Asked once for each: thousands of sessions may be of one. */
function readersOf(state: State, topic: string): (principal: string) => boolean {
  const known = new Map<string, boolean>();
  return (principal) => {
    let answer = known.get(principal);
    if (answer === undefined) {
      answer = allowed(state, principal, "subscribe", topic);
      known.set(principal, answer);
    }
    return answer;
  };
}

/** One subscription is one receiver, the same for all topics: its form is kept with it. */
function alone(entry: SubscriptionEntry): Receiver {
  entry.receiver ??= merge(entry.session, [entry]);
  return entry.receiver;
}

/** Overlapping subscriptions of one session give one message, with the highest QoS and every identifier [MQTT-3.3.4-2, MQTT-3.3.4-4]. */
function merge(session: Session, entries: readonly SubscriptionEntry[]): Receiver {
  let qos: 0 | 1 | 2 = 0;
  let noLocal = true;
  let retainAsPublished = false;
  const identifiers: number[] = [];
  for (const entry of entries) {
    if (entry.qos > qos) qos = entry.qos;
    if (!entry.noLocal) noLocal = false;
    if (entry.retainAsPublished) retainAsPublished = true;
    if (entry.identifier !== 0) identifiers.push(entry.identifier);
  }
  return { session, qos, noLocal, retainAsPublished, identifiers };
}

/** May this member of a group read the topic? Asked for each delivery, since members may have different rights; remembers the last answer. */
export function memberMayRead(state: State, member: Session, topic: Topic): boolean {
  if (member.readTopic === topic && member.readGeneration === state.rightsGeneration) return member.readAllowed;
  member.readTopic = topic;
  member.readGeneration = state.rightsGeneration;
  member.readAllowed = allowed(state, member.principal, "subscribe", topic.name);
  return member.readAllowed;
}

/** May it publish to this topic? Remembers the last answer: publishers mostly stay with a topic. */
export function mayPublish(state: State, publisher: Publisher, topic: Topic): boolean {
  if (publisher.publishTopic === topic && publisher.publishGeneration === state.rightsGeneration)
    return publisher.publishAllowed;
  publisher.publishTopic = topic;
  publisher.publishGeneration = state.rightsGeneration;
  publisher.publishAllowed = allowed(state, publisher.principal, "publish", topic.name);
  return publisher.publishAllowed;
}
