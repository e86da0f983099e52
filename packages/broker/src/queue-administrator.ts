/** Declared topics and subscriptions, dead letters, delayed messages, browsing: who may is asked here, the machine does it. */
import { type AdministratorActs, type Asked, storageFailed } from "./administrator-acts.ts";
import type { AdministratorRights } from "./administrator-rights.ts";
import type { Machine } from "./core/machine.ts";
import { AdministrationError } from "./model/administration.ts";
import type {
  BrowseRequest,
  DeadResult,
  DeadSelection,
  DelayedPage,
  DelayedView,
  MessagePage,
  QueueAdministration,
  SubscriptionView,
  TopicView,
} from "./model/queue-administration.ts";
import type { Position, SubscriptionSettings, TopicSettings } from "./model/settings.ts";
import { patternProblem } from "./model/topic-pattern.ts";
import {
  type CheckedDeclaration,
  checkSubscriptionDeclaration,
  checkTopicDeclaration,
} from "./security/declaration-check.ts";

export interface QueueAdministratorParts {
  readonly machine: Machine;
  readonly rights: AdministratorRights;
  readonly acts: AdministratorActs;
}

/** Pages of delayed messages that are looked through for one that holds any the caller may see. */
const delayedPagesMax = 10;

export class QueueAdministrator implements QueueAdministration {
  readonly #machine: Machine;
  readonly #rights: AdministratorRights;
  readonly #acts: AdministratorActs;

  constructor(parts: QueueAdministratorParts) {
    this.#machine = parts.machine;
    this.#rights = parts.rights;
    this.#acts = parts.acts;
  }

  // ── topics ───────────────────────────────────────────────────────────────────────────────────────────────────

  topics(by: string): readonly TopicView[] {
    const views: TopicView[] = [];
    for (const { filter, settings, by: declaredBy, at: declaredAt } of this.#machine.state.topicSettings.values()) {
      const isSeen = this.#rights.maySeeTopic(by, { filter, owner: settings.owner });
      if (isSeen) views.push({ filter, settings, declaredBy, declaredAt });
    }
    return views.sort((a, b) => (a.filter < b.filter ? -1 : 1));
  }

  async declareTopic(by: string, filter: string, settings: TopicSettings): Promise<boolean> {
    const { topics, state } = this.#machine;
    const asked: Asked = { act: "topic.declare", by, target: filter };
    const checked = this.#checked(asked, checkTopicDeclaration(filter, settings, state.limits));
    this.#demand(asked, this.#rights.topicRefusal(by, filter, checked.owner));
    const problem = topics.problem(filter, checked);
    if (problem !== undefined) throw this.#acts.refusal(asked, "invalid", problem);
    const isNew = topics.declare(by, filter, { ...checked, ...this.#rights.topicOwner(by, filter, checked.owner) });
    await this.#acts.durable();
    return isNew;
  }

  async deleteTopic(by: string, filter: string): Promise<void> {
    const asked: Asked = { act: "topic.delete", by, target: filter };
    // Asked first: who may not delete it does not learn that it is there.
    this.#demand(asked, this.#rights.topicRefusal(by, filter, undefined));
    if (!this.#machine.topics.delete(by, filter)) {
      throw this.#acts.refusal(asked, "not-found", `nothing is declared for ${shown(filter)}`);
    }
    await this.#acts.durable();
  }

  async eraseTopic(by: string, filter: string, key: string | undefined): Promise<number> {
    const { erasing, state } = this.#machine;
    const asked: Asked = { act: "erasure.erase", by, target: filter };
    // Whoever may take the names away may take what was published on them.
    this.#demand(asked, this.#rights.topicRefusal(by, filter, undefined));
    const selection = { filter, key };
    if (state.erasure.select(selection).length === 0) {
      const what = key === undefined ? "" : ` under the key ${shown(key)}`;
      const hint = 'only what was published while its topic had the setting "erasure" can be erased';
      throw this.#acts.refusal(asked, "not-found", `there is nothing to erase on ${shown(filter)}${what}: ${hint}`);
    }
    const erased = await new Promise<number | undefined>((resolve) => erasing.erase(by, selection, resolve));
    if (erased === undefined) throw storageFailed();
    return erased;
  }

  // ── subscriptions ────────────────────────────────────────────────────────────────────────────────────────────

  subscriptions(by: string, page: { readonly after: string; readonly limit: number }): readonly SubscriptionView[] {
    const { queues } = this.#machine;
    const names = this.#rights.namesOf(by) ?? queues.names;
    const views: SubscriptionView[] = [];
    for (let i = firstAfter(names, page.after); i < names.length && views.length < page.limit; i++) {
      const name = names[i] as string;
      const view = this.#rights.maySeeSubscription(by, name) ? queues.view(name) : undefined;
      if (view !== undefined) views.push(view);
    }
    return views;
  }

  subscription(by: string, name: string): SubscriptionView {
    return this.#seen({ act: "subscription.describe", by, target: name }, name);
  }

  async declareSubscription(by: string, name: string, settings: SubscriptionSettings): Promise<boolean> {
    const { queues, state } = this.#machine;
    const asked: Asked = { act: "subscription.declare", by, target: name };
    const checked = this.#checked(asked, checkSubscriptionDeclaration(name, settings, state.limits));
    const check = (): void => {
      this.#demand(asked, this.#rights.subscriptionRefusal(by, name, checked));
      const { declaredSubscriptionsMax } = state.limits;
      if (state.queues.has(name) || state.queues.size < declaredSubscriptionsMax) return;
      const message = `${declaredSubscriptionsMax} subscriptions are declared, and no more may be`;
      throw this.#acts.refusal(asked, "conflict", message);
    };
    check();
    const from = state.queues.has(name) ? 1 : await this.#offset(asked, checked.start);
    // Somebody else may have come first, or rights may have gone, while the journal was read.
    check();
    const owner = this.#rights.subscriptionOwner(by, name, checked.owner);
    const isNew = queues.declare({ name, settings: { ...checked, ...owner }, by, from });
    await this.#acts.durable();
    return isNew;
  }

  async deleteSubscription(by: string, name: string, force: boolean): Promise<void> {
    const asked: Asked = { act: "subscription.delete", by, target: name };
    const view = this.#seen(asked, name);
    this.#demand(asked, this.#rights.subscriptionRefusal(by, name, withoutOwner(view.settings)));
    const waiting = waitingIn(view);
    if (!force && waiting !== "") {
      throw this.#acts.refusal(asked, "conflict", `${waiting} in ${shown(name)}; delete it with force to lose them`);
    }
    this.#machine.queues.delete(name, by);
    await this.#acts.durable();
  }

  async resetSubscription(by: string, name: string, position: Position): Promise<SubscriptionView> {
    const asked: Asked = { act: "subscription.reset", by, target: name };
    const check = (): void => {
      const { settings } = this.#seen(asked, name);
      this.#demand(asked, this.#rights.subscriptionRefusal(by, name, withoutOwner(settings)));
    };
    check();
    const from = await this.#offset(asked, position);
    check();
    this.#machine.queues.reset(name, from, by);
    await this.#acts.durable();
    return this.#seen(asked, name);
  }

  // ── dead letters ─────────────────────────────────────────────────────────────────────────────────────────────

  async dead(by: string, name: string, page: { readonly from: number; readonly limit: number }): Promise<MessagePage> {
    const asked: Asked = { act: "dead.read", by, target: name };
    this.#seen(asked, name);
    // They are messages: who may only set things up, or change the policy, does not read them.
    this.#demand(asked, this.#rights.may(by, "consume", name) ? undefined : `consume on ${shown(name)} is needed`);
    const found = await new Promise<MessagePage>((resolve) => this.#machine.queues.dead(name, page, resolve));
    return {
      ...found,
      messages: found.messages.filter(({ attributes }) => this.#mayReadTopic(by, attributes.originTopic)),
    };
  }

  async redrive(by: string, name: string, selection: DeadSelection): Promise<DeadResult> {
    this.#seen({ act: "dead.redrive", by, target: name }, name);
    return await settled((done) => this.#machine.queues.redrive(name, { by, selection }, done));
  }

  async purge(by: string, name: string, selection: DeadSelection): Promise<DeadResult> {
    this.#seen({ act: "dead.purge", by, target: name }, name);
    return await settled((done) => this.#machine.queues.purge(name, { by, selection }, done));
  }

  // ── delayed messages, browsing ───────────────────────────────────────────────────────────────────────────────

  async delayed(by: string, after: DelayedPage["next"], limit: number): Promise<DelayedPage> {
    let from = after;
    for (let pages = 1; ; pages++) {
      const start = from;
      const page = await new Promise<DelayedPage>((resolve) => this.#machine.delayed.page(start, limit, resolve));
      const messages = page.messages.filter((view) => this.#maySeeDelayed(by, view));
      if (messages.length > 0 || page.next === undefined || pages >= delayedPagesMax) return { ...page, messages };
      from = page.next;
    }
  }

  async cancelDelayed(by: string, offset: number): Promise<void> {
    const asked: Asked = { act: "delayed.cancel", by, target: String(offset) };
    const { delayed, audit } = this.#machine;
    const view = await new Promise<DelayedView | undefined>((resolve) => delayed.find(offset, resolve));
    if (view === undefined || !this.#maySeeDelayed(by, view)) {
      throw this.#acts.refusal(asked, "not-found", `no delayed message ${offset} waits that you may see`);
    }
    const { topic, publisher } = view;
    const isOwn = publisher === by && this.#rights.may(by, "publish", topic);
    const mayCancel = isOwn || this.#rights.may(by, "manage", topic);
    this.#demand(
      asked,
      mayCancel ? undefined : `only ${shown(publisher)}, or who may manage ${shown(topic)}, may do that`,
    );
    if (!delayed.cancel(offset)) {
      throw this.#acts.refusal(asked, "not-found", `the message ${offset} was published in the meantime`);
    }
    audit.act("delayed.cancelled", { offset, topic, publisher, by });
    await this.#acts.durable();
  }

  async browse(by: string, request: BrowseRequest): Promise<MessagePage> {
    const { limits } = this.#machine.state;
    const bounds = { bytesMax: limits.topicBytesMax, levelsMax: limits.topicLevelsMax };
    const problem = patternProblem(request.filter, bounds);
    if (problem !== undefined) throw new AdministrationError("invalid", problem);
    return await new Promise((resolve, reject) => {
      this.#machine.browsing.browse(by, request, (page) => {
        if ("messages" in page) resolve(page);
        else reject(new AdministrationError("invalid", page.problem));
      });
    });
  }

  // ── common to them ───────────────────────────────────────────────────────────────────────────────────────────

  #demand(asked: Asked, refused: string | undefined): void {
    if (refused !== undefined) throw this.#acts.refusal(asked, "forbidden", refused);
  }

  #checked<T>(asked: Asked, checked: CheckedDeclaration<T>): T {
    if ("settings" in checked) return checked.settings;
    throw this.#acts.refusal(asked, "invalid", checked.problem);
  }

  /** Who may not see a subscription does not learn that it is there. */
  #seen(asked: Asked, name: string): SubscriptionView {
    const view = this.#rights.maySeeSubscription(asked.by, name) ? this.#machine.queues.view(name) : undefined;
    if (view !== undefined) return view;
    throw this.#acts.refusal(asked, "not-found", `there is no subscription ${shown(name)} that you may see`);
  }

  #mayReadTopic(by: string, topic: string | undefined): boolean {
    return topic === undefined || this.#rights.may(by, "subscribe", topic);
  }

  #maySeeDelayed(by: string, { topic }: DelayedView): boolean {
    const actions = ["publish", "subscribe", "manage"] as const;
    return actions.some((action) => this.#rights.may(by, action, topic));
  }

  #offset(asked: Asked, position: Position): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#machine.queues.resolve(position, (from) => {
        if (typeof from === "number") resolve(from);
        else reject(this.#acts.refusal(asked, "invalid", from.problem));
      });
    });
  }
}

/** Why a subscription is not to be deleted by the way; empty when nothing waits in it. */
export function waitingIn({ ready, leased, retrying, blocked, dead }: SubscriptionView): string {
  const messages = ready + leased + retrying + blocked;
  return messages + dead === 0 ? "" : `${messages} messages and ${dead} dead letters wait`;
}

/** Nobody asks for the owner to be another one. */
function withoutOwner({ owner: _, ...settings }: SubscriptionSettings): SubscriptionSettings {
  return settings;
}

function settled(act: (done: (result: DeadResult | undefined) => void) => void): Promise<DeadResult> {
  return new Promise((resolve, reject) => {
    act((result) => {
      if (result === undefined) reject(storageFailed());
      else resolve(result);
    });
  });
}

/** Index of the first name behind `after`. */
function firstAfter(names: readonly string[], after: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((names[middle] as string) <= after) low = middle + 1;
    else high = middle;
  }
  return low;
}

function shown(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
