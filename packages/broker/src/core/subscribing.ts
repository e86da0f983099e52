/** Subscription Manager, the deciding part: subscribe, unsubscribe, shared groups, retained messages that are due. */
import { Reason, type SubscribeRequest } from "../model/engine.ts";
import { RecordKind, type SubscriptionSet, jsonBytes } from "../model/record.ts";
import { isFilterProblem, type ParsedFilter, parseFilter } from "../topics/topic-filter.ts";
import type { Audit } from "./audit.ts";
import type { Group } from "./group.ts";
import type { Session, SubscriptionEntry } from "./session.ts";
import type { State } from "./state.ts";
import { allowedFilter } from "./rights.ts";

export interface SubscribeAnswer {
  readonly code: number;
  /** Why not, for people; empty when granted. */
  readonly text: string;
}

export class Subscribing {
  readonly #state: State;
  readonly #audit: Audit;

  constructor(state: State, audit: Audit) {
    this.#state = state;
    this.#audit = audit;
  }

  subscribe(session: Session, request: SubscribeRequest): SubscribeAnswer {
    const parsed = parseFilter(request.filter, this.#state.limits);
    if (isFilterProblem(parsed)) return { code: Reason.topicFilterInvalid, text: parsed.reason };
    const refused = this.#refusal(session, parsed);
    if (refused !== undefined) return refused;
    const set: SubscriptionSet = { ...request, number: session.number };
    if (session.durable) this.#record(RecordKind.subscriptionSet, set);
    this.apply(session, set, parsed);
    return { code: request.qos, text: "" };
  }

  /** Live and in recovery. */
  apply(session: Session, set: SubscriptionSet, parsed: ParsedFilter): void {
    const state = this.#state;
    const before = session.subscriptions.get(set.filter);
    const group = parsed.shareName === undefined ? undefined : state.groupFor(parsed.text, parsed.filter);
    const entry: SubscriptionEntry = {
      session,
      text: set.filter,
      qos: set.qos,
      noLocal: set.noLocal,
      retainAsPublished: set.retainAsPublished,
      identifier: set.identifier,
      group,
    };
    session.subscriptions.set(set.filter, entry);
    if (before === undefined) state.subscriptionCount++;
    state.generation++;
    if (group !== undefined) {
      this.#join(session, group, entry, before === undefined);
      return;
    }
    state.index.set(parsed.filter, indexKey(session), entry);
    if (set.retainHandling === 0 || (set.retainHandling === 1 && before === undefined)) this.#queueRetained(session, entry, parsed.filter);
  }

  /** False when there was none. */
  unsubscribe(session: Session, filter: string): boolean {
    const entry = session.subscriptions.get(filter);
    if (entry === undefined) return false;
    if (session.durable) this.#record(RecordKind.subscriptionRemoved, { number: session.number, filter });
    this.remove(session, entry);
    return true;
  }

  remove(session: Session, entry: SubscriptionEntry): void {
    const state = this.#state;
    session.subscriptions.delete(entry.text);
    state.subscriptionCount--;
    state.generation++;
    if (entry.group === undefined) {
      state.index.remove(entry.text, indexKey(session));
      session.retainedQueue = session.retainedQueue.filter((wanted) => wanted.entry !== entry);
      session.retainedNext = 0;
      return;
    }
    this.#leave(session, entry.group);
  }

  removeAll(session: Session): void {
    for (const entry of [...session.subscriptions.values()]) this.remove(session, entry);
  }

  #refusal(session: Session, parsed: ParsedFilter): SubscribeAnswer | undefined {
    const state = this.#state;
    if (parsed.filter.startsWith("$")) {
      return { code: Reason.topicFilterInvalid, text: `topics that begin with "$" are reserved; "${prefixOf(parsed.filter)}" is not served` };
    }
    const actions = parsed.shareName === undefined ? (["subscribe"] as const) : (["subscribe", "share"] as const);
    for (const action of actions) {
      if (allowedFilter(state, session.principal, action, parsed.filter)) continue;
      state.counters.deniedSubscribe++;
      this.#audit.write("acl.deny", { action, principal: session.principal });
      return { code: Reason.notAuthorized, text: `${action} is not granted on this filter` };
    }
    if (session.subscriptions.has(parsed.text)) return undefined;
    if (session.subscriptions.size >= state.limits.subscriptionsPerSessionMax) {
      this.#audit.write("limit.hit", { limit: "subscriptionsPerSessionMax", principal: session.principal });
      return { code: Reason.quotaExceeded, text: `a client may have ${state.limits.subscriptionsPerSessionMax} subscriptions` };
    }
    if (state.subscriptionCount >= state.limits.subscriptionsMax) {
      this.#audit.write("limit.hit", { limit: "subscriptionsMax", principal: session.principal });
      return { code: Reason.quotaExceeded, text: "the broker holds as many subscriptions as it may" };
    }
    return undefined;
  }

  #queueRetained(session: Session, entry: SubscriptionEntry, filter: string): void {
    const found: { seq: number; topic: string }[] = [];
    this.#state.retained.matching(filter, (retained) => found.push({ seq: retained.seq, topic: retained.topic }));
    if (found.length === 0) return;
    found.sort((a, b) => a.seq - b.seq);
    session.retainedQueue = session.retainedQueue.slice(session.retainedNext);
    session.retainedNext = 0;
    for (const { seq, topic } of found) session.retainedQueue.push({ seq, topic, entry });
  }

  #join(session: Session, group: Group, entry: SubscriptionEntry, isNew: boolean): void {
    group.members.set(session, entry);
    session.groups.add(group);
    if (!isNew) return;
    group.turns.add(session);
    if (session.durable) group.durableMembers++;
  }

  #leave(session: Session, group: Group): void {
    group.members.delete(session);
    group.turns.remove(session);
    session.groups.delete(group);
    if (session.durable) group.durableMembers--;
    if (group.members.size === 0) this.#state.dropGroup(group);
  }

  #record(kind: number, value: unknown): void {
    const body = jsonBytes(value);
    const at = this.#state.journal.reserve(kind, body.length);
    body.copy(this.#state.journal.openBytes, at);
    this.#state.journal.commit();
  }
}

function indexKey(session: Session): string {
  return String(session.number);
}

function prefixOf(filter: string): string {
  const slash = filter.indexOf("/");
  return slash < 0 ? filter : filter.slice(0, slash);
}
