/** Declared topics and subscriptions, dead letters, delayed messages, browsing: who may is asked here, the machine does it. */
import type { Machine } from "./core/machine.ts";
import { AdministrationError } from "./model/administration.ts";
import type { PolicyDocument } from "./model/policy.ts";
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
import { authorize } from "./security/authorize.ts";
import {
  isPolicyMaker,
  maySeeSubscription,
  type OwnedTree,
  subscriptionRefusal,
  topicRefusal,
} from "./security/ownership.ts";
import { subscriptionNameProblem } from "./security/subscription-name.ts";

export interface QueueAdministratorParts {
  readonly machine: Machine;
  /** `--insecure-dev`: everybody may everything. */
  readonly isEverythingAllowed: boolean;
  /** Resolves when everything written so far is durable; rejects with `AdministrationError`. */
  readonly durable: () => Promise<void>;
}

export class QueueAdministrator implements QueueAdministration {
  readonly #machine: Machine;
  readonly #isOpen: boolean;
  readonly #durable: () => Promise<void>;

  constructor(parts: QueueAdministratorParts) {
    this.#machine = parts.machine;
    this.#isOpen = parts.isEverythingAllowed;
    this.#durable = parts.durable;
  }

  // ── topics ───────────────────────────────────────────────────────────────────────────────────────────────────

  topics(by: string): readonly TopicView[] {
    const views: TopicView[] = [];
    for (const { filter, settings, by: declaredBy, at: declaredAt } of this.#machine.state.topicSettings.values()) {
      const isMine = settings.owner === by || declaredBy === by;
      if (isMine || this.#may(by, "manage", filter)) views.push({ filter, settings, declaredBy, declaredAt });
    }
    return views.sort((a, b) => (a.filter < b.filter ? -1 : 1));
  }

  async declareTopic(by: string, filter: string, settings: TopicSettings): Promise<boolean> {
    const problem = this.#machine.topics.problem(filter, settings);
    if (problem !== undefined) throw this.#refusal("topic.declare", by, "invalid", problem);
    this.#demandTopic(by, filter, settings.owner);
    const isNew = this.#machine.topics.declare(by, filter, { ...settings, ...this.#ownerOf(by, settings.owner) });
    await this.#durable();
    return isNew;
  }

  async deleteTopic(by: string, filter: string): Promise<void> {
    if (this.#machine.state.topicSettings.get(filter) === undefined)
      throw this.#refusal("topic.delete", by, "not-found", `nothing is declared for ${filter}`);
    this.#demandTopic(by, filter, undefined);
    this.#machine.topics.delete(by, filter);
    await this.#durable();
  }

  // ── subscriptions ────────────────────────────────────────────────────────────────────────────────────────────

  subscriptions(by: string, page: { readonly after: string; readonly limit: number }): readonly SubscriptionView[] {
    const { names } = this.#machine.queues;
    const views: SubscriptionView[] = [];
    for (let i = firstAfter(names, page.after); i < names.length && views.length < page.limit; i++) {
      const name = names[i] as string;
      if (!this.#maySee(by, name)) continue;
      const view = this.#machine.queues.view(name);
      if (view !== undefined) views.push(view);
    }
    return views;
  }

  subscription(by: string, name: string): SubscriptionView {
    const view = this.#maySee(by, name) ? this.#machine.queues.view(name) : undefined;
    // Who may not see it does not learn that it is there (THREATS C1).
    if (view === undefined)
      throw this.#refusal(
        "subscription.describe",
        by,
        "not-found",
        `there is no subscription ${name} that you may see`,
      );
    return view;
  }

  async declareSubscription(by: string, name: string, settings: SubscriptionSettings): Promise<boolean> {
    const problem = subscriptionNameProblem(name);
    if (problem !== undefined) throw this.#refusal("subscription.declare", by, "invalid", `the name: ${problem}`);
    this.#demandSubscription(by, name, settings);
    const { declaredSubscriptionsMax } = this.#machine.state.limits;
    const { names, view } = { names: this.#machine.queues.names, view: this.#machine.queues.view(name) };
    if (view === undefined && names.length >= declaredSubscriptionsMax)
      throw this.#refusal(
        "subscription.declare",
        by,
        "conflict",
        `${declaredSubscriptionsMax} subscriptions are declared, and no more may be`,
      );
    const from = await this.#resolve(settings.start);
    const isNew = this.#machine.queues.declare({
      name,
      settings: { ...settings, ...this.#ownerOf(by, settings.owner) },
      by,
      from,
    });
    await this.#durable();
    return isNew;
  }

  async deleteSubscription(by: string, name: string, force: boolean): Promise<void> {
    const view = this.subscription(by, name);
    this.#demandSubscription(by, name, view.settings);
    const waits = view.ready + view.leased + view.retrying + view.blocked;
    if (!force && waits + view.dead > 0) {
      const what = `${waits} messages and ${view.dead} dead letters wait in ${name}`;
      throw this.#refusal("subscription.delete", by, "conflict", `${what}; delete it with force to lose them`);
    }
    this.#machine.queues.delete(name, by);
    await this.#durable();
  }

  async resetSubscription(by: string, name: string, position: Position): Promise<SubscriptionView> {
    const { settings } = this.subscription(by, name);
    this.#demandSubscription(by, name, settings);
    this.#machine.queues.reset(name, await this.#resolve(position), by);
    await this.#durable();
    return this.subscription(by, name);
  }

  // ── dead letters ─────────────────────────────────────────────────────────────────────────────────────────────

  async dead(by: string, name: string, page: { readonly from: number; readonly limit: number }): Promise<MessagePage> {
    this.#demandConsume(by, name, "dead.list");
    return await new Promise((resolve) => this.#machine.queues.dead(name, page, resolve));
  }

  redrive(by: string, name: string, selection: DeadSelection): Promise<DeadResult> {
    this.#demandConsume(by, name, "dead.redrive");
    return new Promise((resolve, reject) => {
      this.#machine.queues.redrive(name, { by, selection }, (result) => settle(result, resolve, reject));
    });
  }

  purge(by: string, name: string, selection: DeadSelection): Promise<DeadResult> {
    this.#demandConsume(by, name, "dead.purge");
    return new Promise((resolve, reject) => {
      this.#machine.queues.purge(name, { by, selection }, (result) => settle(result, resolve, reject));
    });
  }

  // ── delayed messages, browsing ───────────────────────────────────────────────────────────────────────────────

  async delayed(by: string, after: DelayedPage["next"], limit: number): Promise<DelayedPage> {
    const page = await new Promise<DelayedPage>((resolve) => this.#machine.delayed.page(after, limit, resolve));
    return { ...page, messages: page.messages.filter((view) => this.#maySeeDelayed(by, view)) };
  }

  async cancelDelayed(by: string, offset: number): Promise<void> {
    const view = await new Promise<DelayedView | undefined>((resolve) => this.#machine.delayed.find(offset, resolve));
    if (view === undefined || !this.#maySeeDelayed(by, view))
      throw this.#refusal("delayed.cancel", by, "not-found", `no delayed message ${offset} that you may see waits`);
    const isOwn = view.publisher === by && this.#may(by, "publish", view.topic);
    if (!isOwn && !this.#may(by, "manage", view.topic))
      throw this.#refusal(
        "delayed.cancel",
        by,
        "forbidden",
        `only ${view.publisher} or who may manage ${view.topic} may cancel it`,
      );
    this.#machine.delayed.cancel(offset);
    this.#machine.audit.act("delayed.cancelled", { offset, by, topic: view.topic });
    await this.#durable();
  }

  browse(by: string, request: BrowseRequest): Promise<MessagePage> {
    return new Promise((resolve, reject) => {
      this.#machine.browsing.browse(by, request, (page) => {
        if ("messages" in page) resolve(page);
        else reject(new AdministrationError("invalid", page.problem));
      });
    });
  }

  // ── policy documents ─────────────────────────────────────────────────────────────────────────────────────────

  /** What is declared, as the policy file has it. */
  document(): Required<Pick<PolicyDocument, "topics" | "subscriptions">> {
    const topics: Record<string, TopicSettings> = Object.create(null);
    for (const { filter, settings } of this.#machine.state.topicSettings.values()) topics[filter] = settings;
    const subscriptions: Record<string, SubscriptionSettings> = Object.create(null);
    for (const name of this.#machine.queues.names) {
      const view = this.#machine.queues.view(name);
      if (view !== undefined) subscriptions[name] = view.settings;
    }
    return { topics, subscriptions };
  }

  /** Why the sections cannot be applied; undefined when they can. A subscription in which something waits is not dropped by leaving it out. */
  documentProblem(document: PolicyDocument): string | undefined {
    for (const [filter, settings] of Object.entries(document.topics ?? {})) {
      const problem = this.#machine.topics.problem(filter, settings);
      if (problem !== undefined) return `topics.${JSON.stringify(filter)}: ${problem}`;
    }
    if (document.subscriptions === undefined) return undefined;
    for (const name of this.#machine.queues.names) {
      if (Object.hasOwn(document.subscriptions, name)) continue;
      const view = this.#machine.queues.view(name);
      const waits = view === undefined ? 0 : view.ready + view.leased + view.retrying + view.blocked + view.dead;
      if (waits > 0)
        return `subscriptions: ${name} is left out, and ${waits} messages wait in it; delete it (mess subscription delete ${name}) or keep it`;
    }
    return undefined;
  }

  /** Declares what the sections say and deletes what they leave out. There is no `documentProblem`. The caller commits. */
  async applyDocument(by: string, { topics, subscriptions }: PolicyDocument): Promise<void> {
    const now = this.document();
    const starts = new Map<string, number>();
    for (const [name, settings] of Object.entries(subscriptions ?? {}))
      if (!Object.hasOwn(now.subscriptions, name)) starts.set(name, await this.#resolve(settings.start));
    if (topics !== undefined) {
      for (const filter of Object.keys(now.topics))
        if (!Object.hasOwn(topics, filter)) this.#machine.topics.delete(by, filter);
      for (const [filter, settings] of Object.entries(topics))
        if (!isSame(now.topics[filter], settings)) this.#machine.topics.declare(by, filter, settings);
    }
    if (subscriptions === undefined) return;
    for (const name of Object.keys(now.subscriptions))
      if (!Object.hasOwn(subscriptions, name)) this.#machine.queues.delete(name, by);
    for (const [name, settings] of Object.entries(subscriptions)) {
      if (isSame(now.subscriptions[name], settings)) continue;
      this.#machine.queues.declare({ name, settings, by, from: starts.get(name) ?? 1 });
    }
  }

  // ── who may ──────────────────────────────────────────────────────────────────────────────────────────────────

  #may(by: string, action: "publish" | "subscribe" | "manage", topic: string): boolean {
    return (
      this.#isOpen ||
      isPolicyMaker(this.#machine.state.compiled, by) ||
      authorize(this.#machine.state.compiled, by, action, topic)
    );
  }

  #maySee(by: string, name: string): boolean {
    return this.#isOpen || maySeeSubscription(this.#machine.state.compiled, by, name);
  }

  #maySeeDelayed(by: string, { topic }: DelayedView): boolean {
    return this.#may(by, "publish", topic) || this.#may(by, "subscribe", topic);
  }

  #demandTopic(by: string, filter: string, owner: string | undefined): void {
    if (this.#isOpen) return;
    const existing = this.#machine.state.topicSettings.get(filter);
    const asked = { compiled: this.#machine.state.compiled, by, owner, trees: this.#trees() };
    const refused = topicRefusal(
      asked,
      filter,
      existing === undefined ? undefined : { owner: existing.settings.owner },
    );
    if (refused !== undefined) throw this.#refusal("topic.declare", by, "forbidden", refused);
  }

  #demandSubscription(by: string, name: string, { owner, filters }: SubscriptionSettings): void {
    if (this.#isOpen) return;
    const existing = this.#machine.queues.view(name);
    const asked = { compiled: this.#machine.state.compiled, by, owner, trees: this.#trees(), name, filters };
    const refused = subscriptionRefusal(asked, existing === undefined ? undefined : { owner: existing.settings.owner });
    if (refused !== undefined) throw this.#refusal("subscription.declare", by, "forbidden", refused);
  }

  /** Dead letters are read, sent again and thrown away by who consumes: it decided that they died. */
  #demandConsume(by: string, name: string, act: string): void {
    this.subscription(by, name);
    if (this.#isOpen || isPolicyMaker(this.#machine.state.compiled, by)) return;
    if (!authorize(this.#machine.state.compiled, by, "consume", name))
      throw this.#refusal(act, by, "forbidden", `consume on ${name} is needed`);
  }

  *#trees(): Iterable<OwnedTree> {
    for (const { filter, settings } of this.#machine.state.topicSettings.values())
      yield { filter, owner: settings.owner };
  }

  #ownerOf(by: string, owner: string | undefined): { owner?: string } {
    if (owner !== undefined) return { owner };
    const isNobodys = this.#isOpen || isPolicyMaker(this.#machine.state.compiled, by);
    return isNobodys ? {} : { owner: by };
  }

  #resolve(position: Position): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#machine.queues.resolve(position, (from) => {
        if (typeof from === "number") resolve(from);
        else reject(new AdministrationError("invalid", from.problem));
      });
    });
  }

  #refusal(act: string, by: string, code: AdministrationError["code"], message: string): AdministrationError {
    this.#machine.audit.write("admin.refused", { act, by, code });
    return new AdministrationError(code, message);
  }
}

function settle<T>(
  result: T | undefined,
  resolve: (result: T) => void,
  reject: (error: AdministrationError) => void,
): void {
  if (result !== undefined) resolve(result);
  else reject(new AdministrationError("unavailable", "storage has failed; the broker must be restarted"));
}

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

/** Both come from a checked document or from the journal, with their keys in one order each time. */
function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
