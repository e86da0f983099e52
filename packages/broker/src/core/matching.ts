/** Who receives what: works out the receivers of a topic, once a generation, rights included (authorize at the moment of effect). */
import { Group } from "./group.ts";
import type { Session, SubscriptionEntry } from "./session.ts";
import type { State } from "./state.ts";
import type { Receiver, Topic } from "./topic.ts";
import { allowed } from "./rights.ts";

const found: (SubscriptionEntry | Group)[] = [];

/** Brings `topic` up to the current generation. */
export function refresh(state: State, topic: Topic): void {
  if (topic.generation === state.generation) return;
  topic.generation = state.generation;
  found.length = 0;
  state.index.match(topic.name, collect);
  topic.receivers = [];
  topic.groups = [];
  const entriesOf = new Map<Session, SubscriptionEntry[]>();
  for (const value of found) {
    if (value instanceof Group) {
      topic.groups.push(value);
      continue;
    }
    const entries = entriesOf.get(value.session);
    if (entries === undefined) entriesOf.set(value.session, [value]);
    else entries.push(value);
  }
  for (const [session, entries] of entriesOf) {
    if (allowed(state, session.principal, "subscribe", topic.name)) topic.receivers.push(merge(session, entries));
  }
  found.length = 0;
}

function collect(value: SubscriptionEntry | Group): void {
  found.push(value);
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

/** May this member of a group read the topic? Asked for each delivery: members may have different rights. */
export function memberMayRead(state: State, member: Session, topic: string): boolean {
  return allowed(state, member.principal, "subscribe", topic);
}

/** May the session publish to this topic? Remembers the last answer: publishers mostly stay with a topic. */
export function mayPublish(state: State, session: Session, topic: Topic): boolean {
  if (session.publishTopic === topic && session.publishGeneration === state.generation) return session.publishAllowed;
  session.publishTopic = topic;
  session.publishGeneration = state.generation;
  session.publishAllowed = allowed(state, session.principal, "publish", topic.name);
  return session.publishAllowed;
}
