/** Subscription Manager, the deciding part: subscribe, unsubscribe, shared groups, retained messages that are due. */
import { Reason, type SubscribeRequest } from "../model/engine.ts";
import { type BacklogState, jsonBytes, RecordKind, type SubscriptionSet } from "../model/record.ts";
import { deadLetterPrefix } from "../model/settings.ts";
import { isFilterProblem, type ParsedFilter, parseFilter } from "../topics/topic-filter.ts";
import type { Audit } from "./audit.ts";
import type { Group } from "./group.ts";
import type { Positions } from "./positions.ts";
import { RetainedDue } from "./retained-due.ts";
import { allowedFilter } from "./rights.ts";
import type { Session, SubscriptionEntry } from "./session.ts";
import type { SessionConsumers } from "./session-consumers.ts";
import { type ReplayPlan, SessionReplay } from "./session-replay.ts";
import type { State } from "./state.ts";

export interface SubscribeAnswer {
  readonly code: number;
  /** Why not, for people; empty when granted. */
  readonly text: string;
}

/** Retained messages due to one session, past which it may not ask for more: overlapping filters multiply them. */
const retainedDueMax = 1_000_000;

export class Subscribing {
  readonly #state: State;
  readonly #audit: Audit;
  readonly #replay: SessionReplay;
  readonly #retainedDue: RetainedDue;
  #consumers: SessionConsumers | undefined;

  constructor(state: State, audit: Audit, positions: Positions) {
    this.#state = state;
    this.#audit = audit;
    this.#replay = new SessionReplay(state, positions);
    this.#retainedDue = new RetainedDue(state);
  }

  connect(consumers: SessionConsumers): void {
    this.#consumers = consumers;
  }

  subscribe(session: Session, request: SubscribeRequest): SubscribeAnswer {
    const parsed = parseFilter(request.filter, this.#state.limits);
    if (isFilterProblem(parsed)) return { code: Reason.topicFilterInvalid, text: parsed.reason };
    const target = this.#consumers?.target(parsed);
    if (typeof target === "object") return target;
    const { from, ...asked } = request;
    if (target !== undefined) return this.#consume(session, request, parsed, target);
    const refused =
      this.#refusal(session, parsed, request.retainHandling !== 2) ?? this.#replay.refusal(session, parsed);
    if (refused !== undefined) return refused;
    const replay = from === undefined ? undefined : this.#replay.plan(session, parsed, from);
    if (replay !== undefined && "code" in replay) return replay;
    if (parsed.shareName === undefined && !session.subscriptions.has(parsed.text)) this.#replay.close(session);
    const set: SubscriptionSet = {
      ...asked,
      number: session.number,
      // Made again it stays what it is: its replay goes on.
      replay: session.subscriptions.get(parsed.text)?.replay,
      ...(replay && replaying(replay)),
    };
    if (session.durable) this.#record(RecordKind.subscriptionSet, set);
    const group = parsed.shareName === undefined ? undefined : this.#state.groups.get(parsed.text);
    const isFirstToStay = session.durable && group?.durableMembers === 0;
    this.apply(session, set, parsed);
    if (group !== undefined && isFirstToStay) this.#recordBacklog(group);
    if (replay !== undefined) this.#replay.begin(session, replay);
    return { code: request.qos, text: "" };
  }

  /** Reads a declared subscription: nothing is retained there, and its rights are those of a consumer. */
  #consume(session: Session, request: SubscribeRequest, parsed: ParsedFilter, queue: string): SubscribeAnswer {
    if (request.from !== undefined)
      return {
        code: Reason.implementationSpecific,
        text: "a declared subscription is replayed for all its consumers: reset it",
      };
    const refused = this.#quotaRefusal(session, parsed);
    if (refused !== undefined) return refused;
    const qos = request.qos === 0 ? 0 : 1;
    const set: SubscriptionSet = { ...request, qos, number: session.number, queue };
    const before = session.subscriptions.get(parsed.text);
    this.apply(session, set, parsed);
    const entry = session.subscriptions.get(parsed.text);
    const problem = entry === undefined ? undefined : this.#consumers?.join(session, entry);
    if (problem === undefined) {
      if (session.durable) this.#record(RecordKind.subscriptionSet, set);
      return { code: qos, text: "" };
    }
    if (before !== undefined) session.subscriptions.set(parsed.text, before);
    else if (entry !== undefined) this.remove(session, entry);
    return problem;
  }

  /** Live and in recovery. */
  apply(session: Session, set: SubscriptionSet, parsed: ParsedFilter): void {
    const state = this.#state;
    const before = session.subscriptions.get(set.filter);
    const isShared = parsed.shareName !== undefined && set.queue === undefined;
    const group = !isShared ? undefined : state.groupFor(parsed.text, parsed.filter);
    const entry: SubscriptionEntry = {
      session,
      text: set.filter,
      qos: set.qos,
      noLocal: set.noLocal,
      retainAsPublished: set.retainAsPublished,
      identifier: set.identifier,
      group,
      queue: set.queue,
      explicit: set.explicit,
      credit: set.credit,
      receiver: undefined,
      replay: set.replay,
    };
    session.subscriptions.set(set.filter, entry);
    if (before === undefined) state.subscriptionCount++;
    if (before?.group !== undefined && entry.queue !== undefined) this.#leaveGroup(session, before.group);
    if (entry.queue !== undefined) return;
    state.subscriptionsChanged(parsed.filter);
    if (group !== undefined) {
      group.join(session, entry);
      return;
    }
    if (set.replay !== undefined) {
      session.replayThrough = set.replay.through;
      session.replaySince = set.replay.since;
    }
    state.index.set(parsed.filter, indexKey(session), entry);
    session.retained.replace(entry);
    if (set.retainHandling === 0 || (set.retainHandling === 1 && before === undefined))
      this.#queueRetained(session, entry);
  }

  /** False when there was none. */
  unsubscribe(session: Session, filter: string): boolean {
    const entry = session.subscriptions.get(filter);
    if (entry === undefined) return false;
    // Also of a session that will not stay but did: its subscriptions are in the journal, and keep groups alive there.
    if (session.journaled) this.#record(RecordKind.subscriptionRemoved, { number: session.number, filter });
    this.remove(session, entry);
    if (entry.replay !== undefined) this.#replay.drop(session, filter);
    return true;
  }

  remove(session: Session, entry: SubscriptionEntry): void {
    const state = this.#state;
    session.subscriptions.delete(entry.text);
    state.subscriptionCount--;
    const { group } = entry;
    if (entry.queue !== undefined) {
      this.#consumers?.part(session, entry.text);
      return;
    }
    if (group === undefined) {
      state.subscriptionsChanged(entry.text);
      state.index.remove(entry.text, indexKey(session));
      session.retained.drop(entry.text);
      return;
    }
    this.#leaveGroup(session, group);
  }

  #leaveGroup(session: Session, group: Group): void {
    this.#state.subscriptionsChanged(group.filter);
    group.leave(session);
    if (group.members.size === 0) this.#state.dropGroup(group);
  }

  removeAll(session: Session): void {
    for (const entry of [...session.subscriptions.values()]) this.remove(session, entry);
  }

  #refusal(session: Session, parsed: ParsedFilter, wantsRetained: boolean): SubscribeAnswer | undefined {
    const state = this.#state;
    if (parsed.filter.startsWith("$") && !parsed.filter.startsWith(deadLetterPrefix)) {
      return {
        code: Reason.topicFilterInvalid,
        text: `topics that begin with "$" are reserved; "${prefixOf(parsed.filter)}" is not served`,
      };
    }
    const actions = parsed.shareName === undefined ? (["subscribe"] as const) : (["subscribe", "share"] as const);
    for (const action of actions) {
      if (allowedFilter(state, session.principal, action, parsed.filter)) continue;
      state.counters.deniedSubscribe++;
      this.#audit.denied(action, session.principal, parsed.filter);
      return { code: Reason.notAuthorized, text: `${action} is not granted on this filter` };
    }
    if (wantsRetained && session.retained.length >= retainedDueMax) {
      this.#audit.write("limit.hit", { limit: "retainedDueMax", principal: session.principal });
      return {
        code: Reason.quotaExceeded,
        text: `${retainedDueMax} retained messages for earlier subscriptions are still on their way`,
      };
    }
    if (wantsRetained && this.#retainedDue.isFull) {
      this.#audit.write("limit.hit", { limit: "retainedDueMax", principal: session.principal });
      return {
        code: Reason.quotaExceeded,
        text: "too many retained messages are on their way to others; try again later",
      };
    }
    return this.#quotaRefusal(session, parsed);
  }

  #quotaRefusal(session: Session, parsed: ParsedFilter): SubscribeAnswer | undefined {
    const state = this.#state;
    if (session.subscriptions.has(parsed.text)) return undefined;
    if (session.subscriptions.size >= state.limits.subscriptionsPerSessionMax) {
      this.#audit.write("limit.hit", { limit: "subscriptionsPerSessionMax", principal: session.principal });
      return {
        code: Reason.quotaExceeded,
        text: `a client may have ${state.limits.subscriptionsPerSessionMax} subscriptions`,
      };
    }
    if (state.subscriptionCount >= state.limits.subscriptionsMax) {
      this.#audit.write("limit.hit", { limit: "subscriptionsMax", principal: session.principal });
      return { code: Reason.quotaExceeded, text: "the broker holds as many subscriptions as it may" };
    }
    return undefined;
  }

  #queueRetained(session: Session, entry: SubscriptionEntry): void {
    session.retained.push(entry, this.#retainedDue.items(entry.text));
  }

  /** The first member that stays brings what waits for the group into the journal: what happened to it before is not there. */
  #recordBacklog(group: Group): void {
    const { backlog, key } = group;
    const saved: BacklogState = { number: 0, group: key, runs: backlog.save(), count: backlog.count };
    this.#record(RecordKind.backlogState, saved);
  }

  #record(kind: number, value: unknown): void {
    const body = jsonBytes(value);
    const at = this.#state.journal.reserve(kind, body.length);
    body.copy(this.#state.journal.openBytes, at);
    this.#state.journal.commit();
  }
}

/** What is retained is not sent besides: the replay has it, and where it is older, whoever asks for later messages wants none. */
function replaying({ through, since }: ReplayPlan): Pick<SubscriptionSet, "replay" | "retainHandling"> {
  return { replay: { through, since }, retainHandling: 2 };
}

function indexKey(session: Session): string {
  return String(session.number);
}

function prefixOf(filter: string): string {
  const slash = filter.indexOf("/");
  return slash < 0 ? filter : filter.slice(0, slash);
}
