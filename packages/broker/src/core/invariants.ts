/**
 * What must hold of the state after every record and every command; the numbers are those of ARCHITECTURE.md. Costs time
 * in proportion to everything there is: for tests, and for a command that checks a living broker.
 */
import { awaitingPubcomp } from "../delivery/in-flight.ts";
import { deadLetterPrefix } from "../model/settings.ts";
import { Group } from "./group.ts";
import { Queue } from "./queue.ts";
import { checkQueues } from "./queue-invariants.ts";
import { fromBacklog, fromGroup, fromRetained, type Session, type SubscriptionEntry, sessionKey } from "./session.ts";
import type { State } from "./state.ts";

type Report = (number: string, text: string) => void;

/** One line for each breach, with the number of the statement; empty when all is well. */
export function checkInvariants(state: State): string[] {
  const breaches: string[] = [];
  const report: Report = (number, text) => {
    breaches.push(`${number}: ${text}`);
  };
  checkSessions(state, report);
  checkSubscriptions(state, report);
  checkGroups(state, report);
  checkUnderWay(state, report);
  checkBacklogs(state, report);
  checkSums(state, report);
  checkTopics(state, report);
  checkQueues(state, report);
  return breaches;
}

function name(session: Session): string {
  return `session ${session.number} (${session.principal}, ${session.clientId})`;
}

/** S1, S2, S3. */
function checkSessions(state: State, report: Report): void {
  if (state.sessions.size !== state.sessionsByNumber.size) {
    report("S1", `${state.sessions.size} sessions by name, ${state.sessionsByNumber.size} by number`);
  }
  const durable = new Map<string, number>();
  let connected = 0;
  for (const [number, session] of state.sessionsByNumber) {
    const isKnown = state.sessions.get(sessionKey(session.principal, session.clientId)) === session;
    if (!isKnown || session.number !== number || session.ended)
      report("S1", `${name(session)} is not the one of its name, or over`);
    if (session.durable) durable.set(session.principal, (durable.get(session.principal) ?? 0) + 1);
    if (session.durable && !session.journaled) report("S2", `${name(session)} stays, and the journal does not know it`);
    if (session.link !== undefined) connected++;
    checkConnection(session, report);
  }
  if (!sameCounts(durable, state.durableSessionsOf)) report("S2", "the sessions that stay are not counted right");
  if (connected !== state.connected) report("S3", `${connected} sessions are connected, ${state.connected} counted`);
}

function checkConnection(session: Session, report: Report): void {
  const isWaiting = session.willDeadline?.pending === true || session.expiryDeadline?.pending === true;
  if (session.link !== undefined) {
    if (session.detachedAt !== undefined || isWaiting)
      report("S3", `${name(session)} is connected and counted as away`);
    return;
  }
  if (session.resend.length > 0) report("S3", `${name(session)} is away and has something to send again`);
  const isWillDue = session.willDeadline?.pending === true;
  if (isWillDue !== (session.will !== undefined) && session.detachedAt !== undefined) {
    report("S3", `${name(session)} is away: its will and the time for it do not agree`);
  }
}

/** S4. */
function checkSubscriptions(state: State, report: Report): void {
  let count = 0;
  let own = 0;
  for (const session of state.sessionsByNumber.values()) {
    for (const [text, entry] of session.subscriptions) {
      count++;
      if (entry.session !== session || entry.text !== text) report("S4", `${name(session)}: "${text}" is not its own`);
      if (entry.queue !== undefined) continue;
      if (entry.group === undefined) {
        own++;
        if (state.index.get(text, String(session.number)) !== entry)
          report("S4", `${name(session)}: "${text}" is not in the index`);
      } else if (entry.group.members.get(session) !== entry || state.groups.get(text) !== entry.group) {
        report("S4", `${name(session)}: "${text}" is not in its group`);
      }
    }
    session.retained.forEach((entry) => {
      if (session.subscriptions.get(entry.text) !== entry)
        report("S4", `${name(session)} is due something for "${entry.text}", which it has not`);
    });
  }
  if (count !== state.subscriptionCount) report("S4", `${count} subscriptions, ${state.subscriptionCount} counted`);
  let queues = 0;
  for (const queue of state.queues.values()) queues += new Set(queue.filters).size;
  if (own + state.groups.size + queues !== state.index.size)
    report(
      "S4",
      `${own} subscriptions, ${state.groups.size} groups, ${queues} of queues; ${state.index.size} in the index`,
    );
}

/** S5. */
function checkGroups(state: State, report: Report): void {
  if (state.groups.size !== state.groupsByNumber.size) report("S5", "groups by key and by number differ");
  for (const group of state.groups.values()) {
    let durable = 0;
    for (const [member, entry] of group.members) {
      if (member.durable) durable++;
      if (!member.groups.has(group) || member.subscriptions.get(group.key) !== entry)
        report("S5", `${group.key}: ${name(member)} does not know it is a member`);
    }
    const isWhole =
      group.members.size > 0 &&
      group.turns.size === group.members.size &&
      state.groupsByNumber.get(group.number) === group;
    if (!isWhole) report("S5", `${group.key} has no members, or not a turn for each`);
    if (durable !== group.durableMembers)
      report("S5", `${group.key}: ${durable} members stay, ${group.durableMembers} counted`);
    group.returned.forEach((seq, i) => {
      const isInOrder = i === 0 || seq > (group.returned[i - 1] as number);
      if (!isInOrder || seq > group.sentThrough || !group.backlog.contains(seq))
        report("S5", `${group.key}: ${seq} was given back out of order, or does not wait`);
    });
  }
}

/** S6, S7. */
function checkUnderWay(state: State, report: Report): void {
  const ofGroups = new Set<string>();
  for (const session of state.sessionsByNumber.values()) {
    session.inFlight.inOrder((packetId) => {
      const seq = session.inFlight.seqOf(packetId);
      const source = session.inFlight.sourceOf(packetId);
      if (seq <= 0 || seq > state.journal.lastSeq)
        report("S6", `${name(session)}: ${packetId} stands for record ${seq}, which is not there`);
      // After PUBREC the message is done with; of a retained one nothing waits.
      if (session.inFlight.stateOf(packetId) === awaitingPubcomp || source === fromRetained) return;
      const group = state.groupsByNumber.get(source - fromGroup);
      const reader = source === fromBacklog ? session : group;
      if (reader?.backlog.contains(seq) === false)
        report("S6", `${name(session)}: ${seq} is under way and does not wait`);
      if (group === undefined) return;
      const key = `${seq} ${group.key}`;
      if (ofGroups.has(key) || group.returned.includes(seq))
        report("S7", `${group.key}: ${seq} is under way twice, or given back too`);
      ofGroups.add(key);
    });
  }
}

/** S8. */
function checkBacklogs(state: State, report: Report): void {
  const readers = [...state.sessionsByNumber.values(), ...state.groups.values()];
  for (const reader of readers) {
    let end = 0;
    let span = 0;
    reader.backlog.forEachRun((from, to) => {
      if (from <= end || to < from || to > state.lastMessageSeq)
        report("S8", `a run ${from} to ${to} after ${end}, the last message is ${state.lastMessageSeq}`);
      end = to;
      span += to - from + 1;
    });
    if (reader.backlog.count > span) report("S8", `${reader.backlog.count} messages wait in ${span} numbers`);
  }
}

/** S9. */
function checkSums(state: State, report: Report): void {
  let bytes = 0;
  const byPrincipal = new Map<string, number>();
  state.retained.forEach((entry, topic) => {
    bytes += entry.bytes;
    byPrincipal.set(entry.principal, (byPrincipal.get(entry.principal) ?? 0) + 1);
    if (entry.topic !== topic || entry.at < entry.seq || entry.at > state.journal.lastSeq)
      report("S9", `the retained message of ${topic} is not where it says`);
  });
  if (bytes !== state.retainedBytes || !sameCounts(byPrincipal, state.retainedOf))
    report("S9", "the retained messages are not counted right");
  let held = 0;
  for (const session of state.sessionsByNumber.values())
    for (const message of session.held.values()) held += message.length;
  if (held !== state.heldBytes) report("S9", `${held} bytes are held, ${state.heldBytes} counted`);
}

/** S10. */
function checkTopics(state: State, report: Report): void {
  for (const topic of state.topics.values()) {
    if (topic.generation !== state.generation || topic.rightsGeneration !== state.rightsGeneration) continue;
    const sessions = new Set<Session>();
    const groups = new Set<Group>();
    const queues = new Set<Queue>();
    state.index.match(topic.name, (value: SubscriptionEntry | Group | Queue) => {
      if (value instanceof Group) groups.add(value);
      else if (value instanceof Queue) queues.add(value);
      else sessions.add(value.session);
    });
    for (const receiver of topic.receivers) {
      if (!sessions.has(receiver.session) || topic.receiverOf(receiver.session) !== receiver)
        report("S10", `${topic.name}: ${name(receiver.session)} receives and does not match`);
    }
    const isSameGroups = topic.groups.length === groups.size && topic.groups.every((group) => groups.has(group));
    if (topic.name.startsWith(deadLetterPrefix)) {
      const queue = state.queues.get(topic.name.slice(deadLetterPrefix.length));
      if (queue !== undefined) queues.add(queue);
    }
    const isSameQueues = topic.queues.length === queues.size && topic.queues.every((queue) => queues.has(queue));
    if (!isSameQueues) report("S10", `${topic.name} has other queues than match it`);
    if (!isSameGroups || topic.receivers.length > sessions.size)
      report("S10", `${topic.name} has other receivers than match it`);
  }
}

function sameCounts(one: ReadonlyMap<string, number>, other: ReadonlyMap<string, number>): boolean {
  return one.size === other.size && [...one].every(([key, count]) => other.get(key) === count);
}
