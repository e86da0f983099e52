/** The engine's side of the queue in memory, for the tests of the door: it does what a test tells it. */
import { type Properties, writeForwardProperties } from "@mess/wire";
import { AdministrationError } from "../../../model/administration.ts";
import type {
  AttachRequest,
  DeclaredRate,
  Engine,
  Refusal,
  SessionHandle,
  SubscribeRequest,
} from "../../../model/engine.ts";
import { DeliveryForm, type Link } from "../../../model/link.ts";
import {
  type MessageAttributes,
  MessageDraft,
  MessageView,
  messageSize,
  noExpiry,
  writeAttributes,
  writeMessage,
} from "../../../model/message.ts";
import type {
  ConsumeRequest,
  Consumer,
  Lease,
  PublishResult,
  Queues,
  Settlement,
  SettleResult,
} from "../../../model/queue.ts";
import type {
  BrowseRequest,
  DeadSelection,
  DelayedPage,
  MessagePage,
  QueueAdministration,
  StoredMessage,
  SubscriptionView,
  TopicView,
} from "../../../model/queue-administration.ts";
import type { Position, SubscriptionSettings, TopicSettings } from "../../../model/settings.ts";

export interface TestMessage {
  readonly topic?: string;
  readonly payload?: string | Uint8Array;
  readonly publisher?: string;
  readonly properties?: Properties;
  readonly attributes?: MessageAttributes;
}

export const publishedAt: number = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

export function viewOf(message: TestMessage = {}): MessageView {
  const { topic = "a/b", payload = "hello", publisher = "shop", properties = {}, attributes = {} } = message;
  const draft = new MessageDraft();
  draft.qos = 1;
  draft.topicBytes = Buffer.from(topic);
  draft.topicEnd = draft.topicBytes.length;
  draft.headerBytes = writeForwardProperties(properties);
  draft.headerEnd = draft.headerBytes.length;
  draft.payloadBytes = Buffer.from(payload as string);
  draft.payloadEnd = draft.payloadBytes.length;
  draft.attributes = writeAttributes(attributes);
  const principalBytes = Buffer.from(publisher);
  const bytes = Buffer.alloc(messageSize(draft, principalBytes));
  writeMessage(bytes, 0, draft, { principalBytes, number: 0 }, publishedAt);
  return new MessageView().read(bytes, 0, bytes.length);
}

export function storedOf(offset: number, message: TestMessage = {}): StoredMessage {
  const { topic = "a/b", payload = "hello", publisher = "shop", properties = {}, attributes = {} } = message;
  return {
    offset,
    topic,
    publisher,
    time: publishedAt,
    qos: 1,
    retain: false,
    attributes,
    headers: writeForwardProperties(properties),
    payload: Buffer.from(payload as string),
  };
}

/** What a draft says, to look at. */
function readDraft(draft: MessageDraft): MessageView {
  const principalBytes = Buffer.from("p");
  const bytes = Buffer.alloc(messageSize(draft, principalBytes));
  writeMessage(bytes, 0, draft, { principalBytes, number: 0 }, 0);
  return new MessageView().read(bytes, 0, bytes.length);
}

export interface Consuming {
  readonly consumer: Consumer;
  readonly request: ConsumeRequest;
  resumed: number;
  left: "kept" | "given back" | undefined;
}

export class TestQueues implements Queues {
  readonly published: { readonly principal: string; readonly messages: readonly MessageView[] }[] = [];
  readonly consuming: Consuming[] = [];
  readonly settled: { readonly principal: string; readonly token: string; readonly settlement: Settlement }[] = [];
  /** Instead of accepting. */
  answer: ((index: number) => PublishResult) | undefined;
  refusal: Refusal | undefined;
  /** By token; `done` for the others. */
  readonly results: Map<string, SettleResult> = new Map();
  /** Called with each new consumer, before `consume` returns. */
  onConsume: ((consumer: Consumer) => void) | undefined;
  /** By topic. */
  readonly rates: Map<string, DeclaredRate> = new Map();
  #offset = 0;

  consume(consumer: Consumer, request: ConsumeRequest): Consuming & { subscription: string } {
    if (this.refusal !== undefined) return this.refusal as never;
    const consuming = { consumer, request, resumed: 0, left: undefined, subscription: request.subscription };
    this.consuming.push(consuming);
    this.onConsume?.(consumer);
    return consuming;
  }

  leave(handle: { readonly subscription: string }, keepLeases: boolean): void {
    (handle as unknown as Consuming).left = keepLeases ? "kept" : "given back";
  }

  resume(handle: { readonly subscription: string }): void {
    (handle as unknown as Consuming).resumed++;
  }

  settle(principal: string, token: string, settlement: Settlement, done: (result: SettleResult) => void): void {
    this.settled.push({ principal, token, settlement });
    setImmediate(() => done(this.results.get(token) ?? "done"));
  }

  rateOf(_principal: string, topic: string): DeclaredRate | undefined {
    return this.rates.get(topic);
  }

  publishBatch(
    origin: { readonly principal: string },
    drafts: readonly MessageDraft[],
    done: (results: readonly PublishResult[]) => void,
  ): void {
    this.published.push({ principal: origin.principal, messages: drafts.map(readDraft) });
    const results = drafts.map((_, index) => {
      return this.answer?.(index) ?? { reason: 0, text: "", offset: ++this.#offset, duplicate: false };
    });
    setImmediate(() => done(results));
  }
}

export function leaseOf(offset: number, more: Partial<Lease> = {}): Lease {
  const expiresAt = publishedAt + 30_000;
  return { subscription: "s", offset, attempt: 1, token: `token-${offset}`, expiresAt, secondsLeft: noExpiry, ...more };
}

export interface TestSession extends SessionHandle {
  readonly link: Link;
  readonly request: AttachRequest;
  readonly subscriptions: SubscribeRequest[];
  readonly acknowledged: number[];
  settled: number;
  detached: boolean;
}

/** Only what an event stream asks for. */
export class TestEngine {
  readonly sessions: TestSession[] = [];
  refusal: Refusal | undefined;
  subscribeCode = 1;
  subscribeText = "";
  congested = false;
  readonly waiting: (() => void)[] = [];
  #packetId = 0;

  get engine(): Engine {
    return this as unknown as Engine;
  }

  get last(): TestSession {
    return this.sessions.at(-1) as TestSession;
  }

  whenCalm(run: () => void): void {
    this.waiting.push(run);
  }

  attach(link: Link, request: AttachRequest): SessionHandle | Refusal {
    if (this.refusal !== undefined) return this.refusal;
    const number = this.sessions.length + 1;
    const session: TestSession = {
      number,
      clientId: request.clientId,
      link,
      request,
      subscriptions: [],
      acknowledged: [],
      settled: 0,
      detached: false,
    };
    this.sessions.push(session);
    setImmediate(() => link.attached(false));
    return session;
  }

  detach(session: TestSession): void {
    session.detached = true;
  }

  subscribe(
    session: TestSession,
    requests: readonly SubscribeRequest[],
    answer: (codes: number[], texts: string[]) => void,
  ): void {
    session.subscriptions.push(...requests);
    setImmediate(() => answer([this.subscribeCode], [this.subscribeText]));
  }

  acknowledge(session: TestSession, packetId: number): boolean {
    session.acknowledged.push(packetId);
    return true;
  }

  settle(session: TestSession): void {
    session.settled++;
  }

  deliver(message: MessageView, offset: number, retain: boolean = false): number {
    const form = new DeliveryForm();
    form.qos = 1;
    form.packetId = ++this.#packetId;
    form.offset = offset;
    form.retain = retain;
    this.last.link.deliver(message, form);
    return form.packetId;
  }
}

export class TestQueueAdministration implements QueueAdministration {
  readonly declaredTopics: Map<string, TopicView> = new Map();
  readonly declared: Map<string, SubscriptionView> = new Map();
  deadLetters: StoredMessage[] = [];
  delayedMessages: DelayedPage["messages"][number][] = [];
  stored: StoredMessage[] = [];
  readonly calls: unknown[][] = [];
  /** Thrown by every verb. */
  error: Error | undefined;

  topics(by: string): readonly TopicView[] {
    this.#called("topics", by);
    return [...this.declaredTopics.values()];
  }

  declareTopic(by: string, filter: string, settings: TopicSettings): Promise<boolean> {
    return this.#promise(["declareTopic", by, filter, settings], () => {
      const isNew = !this.declaredTopics.has(filter);
      this.declaredTopics.set(filter, { filter, settings, declaredBy: by, declaredAt: publishedAt });
      return isNew;
    });
  }

  deleteTopic(by: string, filter: string): Promise<void> {
    return this.#promise(["deleteTopic", by, filter], () => {
      if (!this.declaredTopics.delete(filter)) throw new AdministrationError("not-found", "nothing is declared");
    });
  }

  eraseTopic(by: string, filter: string, key: string | undefined): Promise<number> {
    return this.#promise(["eraseTopic", by, filter, key], () => 3);
  }

  subscriptions(by: string, page: { readonly after: string; readonly limit: number }): readonly SubscriptionView[] {
    this.#called("subscriptions", by, page);
    const names = [...this.declared.keys()].sort().filter((name) => name > page.after);
    return names.slice(0, page.limit).map((name) => this.declared.get(name) as SubscriptionView);
  }

  subscription(by: string, name: string): SubscriptionView {
    this.#called("subscription", by, name);
    const view = this.declared.get(name);
    if (view === undefined) throw new AdministrationError("not-found", `there is no subscription ${name}`);
    return view;
  }

  declareSubscription(by: string, name: string, settings: SubscriptionSettings): Promise<boolean> {
    return this.#promise(["declareSubscription", by, name, settings], () => {
      const isNew = !this.declared.has(name);
      this.declared.set(name, viewOfSubscription(name, settings, by));
      return isNew;
    });
  }

  deleteSubscription(by: string, name: string, force: boolean): Promise<void> {
    return this.#promise(["deleteSubscription", by, name, force], () => {
      this.subscription(by, name);
      this.declared.delete(name);
    });
  }

  resetSubscription(by: string, name: string, position: Position): Promise<SubscriptionView> {
    return this.#promise(["resetSubscription", by, name, position], () => this.subscription(by, name));
  }

  dead(by: string, name: string, page: { readonly from: number; readonly limit: number }): Promise<MessagePage> {
    return this.#promise(["dead", by, name, page], () => pageOf(this.deadLetters, page.from, page.limit));
  }

  redrive(by: string, name: string, selection: DeadSelection): Promise<{ done: number; remaining: number }> {
    return this.#promise(["redrive", by, name, selection], () => ({ done: 1, remaining: 0 }));
  }

  purge(by: string, name: string, selection: DeadSelection): Promise<{ done: number; remaining: number }> {
    return this.#promise(["purge", by, name, selection], () => ({ done: 2, remaining: 3 }));
  }

  delayed(by: string, after: DelayedPage["next"], limit: number): Promise<DelayedPage> {
    return this.#promise(["delayed", by, after, limit], () => {
      const rest = this.delayedMessages.filter(({ dueAt, offset }) => {
        return after === undefined || dueAt > after.dueAt || (dueAt === after.dueAt && offset >= after.offset);
      });
      const next = rest[limit];
      return {
        messages: rest.slice(0, limit),
        next: next === undefined ? undefined : { dueAt: next.dueAt, offset: next.offset },
      };
    });
  }

  cancelDelayed(by: string, offset: number): Promise<void> {
    return this.#promise(["cancelDelayed", by, offset], () => undefined);
  }

  browse(by: string, request: BrowseRequest): Promise<MessagePage> {
    return this.#promise(["browse", by, request], () => {
      const from = typeof request.from === "object" && "offset" in request.from ? request.from.offset : 0;
      return pageOf(this.stored, from, request.limit);
    });
  }

  #called(...call: unknown[]): void {
    this.calls.push(call);
    if (this.error !== undefined) throw this.error;
  }

  async #promise<T>(call: unknown[], run: () => T): Promise<T> {
    this.#called(...call);
    await Promise.resolve();
    return run();
  }
}

export function viewOfSubscription(name: string, settings: SubscriptionSettings, declaredBy: string): SubscriptionView {
  const counts = { consumers: 0, ready: 3, leased: 0, retrying: 0, blocked: 0, dead: 0 };
  return { name, settings, declaredBy, declaredAt: publishedAt, ...counts, exact: true, oldestOffset: 7 };
}

function pageOf(all: readonly StoredMessage[], from: number, limit: number): MessagePage {
  const rest = all.filter(({ offset }) => offset >= from);
  return { messages: rest.slice(0, limit), next: rest[limit]?.offset };
}
