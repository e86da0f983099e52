import { type MessageFact, matches, NEVER, type SessionFact, type SubscriptionFact } from "./facts.ts";
import type { Ledger } from "./ledger.ts";

/** A message that the broker owes to a session, or to one of a group. */
export interface Debt {
  readonly message: MessageFact;
  readonly to: string;
}

/** Microseconds within which a connection that broke is surely known to be broken; one that went silent is not. */
const NOTICED_AFTER = 1_000_000;

interface Member {
  readonly session: SessionFact;
  readonly subscription: SubscriptionFact;
}

const stable = ({ session, subscription }: Member): boolean =>
  session.endAskedAt === NEVER &&
  session.endedAt === NEVER &&
  subscription.removalAskedAt === NEVER &&
  subscription.qos > 0;

/** Acked for sure before anyone could miss it: QoS 1 and 2, not the empty one that clears a retained message. */
const owed = (message: MessageFact): boolean => message.outcome === "acked" && message.qos > 0 && message.size > 0;

function wanted(message: MessageFact, { session, subscription }: Member): boolean {
  if (!matches(subscription.plain, message.topic)) return false;
  return !(subscription.noLocal && message.publisher === session.client);
}

/**
 * What D2 still owes: acked messages not yet delivered to a subscription that was granted before they were sent and
 * that nobody asked to end.
 */
export function debts(ledger: Ledger): Debt[] {
  const members = ledger.sessions.flatMap((session) =>
    session.subscriptions.map((subscription): Member => ({ session, subscription })),
  );
  const got = new Map<SessionFact, Set<MessageFact>>();
  for (const session of ledger.sessions) got.set(session, new Set(session.deliveries.map(({ message }) => message)));
  const messages = ledger.messages.filter(owed);
  const owing: Debt[] = [];
  for (const member of members) {
    if (member.subscription.group !== undefined || !stable(member)) continue;
    for (const message of messages) {
      if (message.sentAt <= member.subscription.grantedAt || !wanted(message, member)) continue;
      if (got.get(member.session)?.has(message) !== true) {
        owing.push({ message, to: `client ${member.session.client} by ${member.subscription.filter}` });
      }
    }
  }
  for (const group of groupsOf(members)) owing.push(...groupDebts(group, messages, got));
  return owing;
}

function groupsOf(members: readonly Member[]): Member[][] {
  const groups = new Map<string, Member[]>();
  for (const member of members) {
    if (member.subscription.group === undefined) continue;
    const group = groups.get(member.subscription.filter);
    if (group === undefined) groups.set(member.subscription.filter, [member]);
    else group.push(member);
  }
  return [...groups.values()];
}

/**
 * A group owes only while its membership is beyond doubt: the standard lets a message die with the session that it
 * was already under way to [MQTT-4.8.2].
 */
function groupDebts(
  group: readonly Member[],
  messages: readonly MessageFact[],
  got: ReadonlyMap<SessionFact, ReadonlySet<MessageFact>>,
): Debt[] {
  const firstGrant = Math.min(...group.filter(stable).map(({ subscription }) => subscription.grantedAt), NEVER);
  const owing: Debt[] = [];
  for (const message of messages) {
    if (message.sentAt <= firstGrant) continue;
    // The broker may learn of a lost connection later than the client.
    const gone = ({ session, subscription }: Member): boolean =>
      Math.min(session.endedAt, subscription.removedAt) < message.sentAt - NOTICED_AFTER;
    if (!group.every((member) => stable(member) || gone(member))) continue;
    const first = group.find(stable);
    if (first === undefined || !wanted(message, first)) continue;
    if (!group.some(({ session }) => got.get(session)?.has(message) === true)) {
      owing.push({ message, to: `the group ${first.subscription.filter}` });
    }
  }
  return owing;
}
