/**
 * The deterministic machine: takes commands, decides, writes records, applies them, and lets effects go when their
 * frame is durable. It owns no clock, disk or socket; the engine feeds it.
 */
import {
  type AttachRequest,
  type DeclaredRate,
  type Engine,
  Reason,
  type Refusal,
  type SessionHandle,
  type SubscribeRequest,
  type TopicHandle,
} from "../model/engine.ts";
import type { JournalFrame, JournalListener } from "../model/journal.ts";
import type { EndReason, Link, LiveRun, LiveSource } from "../model/link.ts";
import type { MessageDraft } from "../model/message.ts";
import type { Policy } from "../model/policy.ts";
import type { PublishOrigin, PublishResult } from "../model/queue.ts";
import { checkTopicName } from "../topics/topic-name.ts";
import { AckKeeper } from "./ack-keeper.ts";
import { Acknowledging } from "./acknowledging.ts";
import { Attaching } from "./attaching.ts";
import { Audit } from "./audit.ts";
import { AuditReading } from "./audit-reading.ts";
import { Batch, reservedText } from "./batch.ts";
import { Browsing } from "./browsing.ts";
import { Credentials } from "./credentials.ts";
import { Delayed } from "./delayed.ts";
import { Delivering } from "./delivering.ts";
import { Erasing } from "./erasing.ts";
import { GroupDelivering } from "./group-delivering.ts";
import { Holding } from "./holding.ts";
import { Outbox } from "./outbox.ts";
import { Positions } from "./positions.ts";
import { Publishing } from "./publishing.ts";
import { QueueAppending } from "./queue-appending.ts";
import { DeclaredQueues } from "./queues.ts";
import { auditRefusal } from "./refusal-audit.ts";
import { Replay } from "./replay.ts";
import { RetainedKeeper } from "./retained-keeper.ts";
import { Retention } from "./retention.ts";
import { Sending } from "./sending.ts";
import type { Session } from "./session.ts";
import { SessionConsumers } from "./session-consumers.ts";
import { SigningKeys } from "./signing-keys.ts";
import { SnapshotWriter } from "./snapshot.ts";
import { State, type StatePorts } from "./state.ts";
import { Subscribing } from "./subscribing.ts";
import { Topic } from "./topic.ts";
import { TopicDeclaring } from "./topic-declaring.ts";
import { Wills } from "./wills.ts";

export interface MachineOptions {
  /** How long wills of sessions that were connected at a crash wait for them to come back. */
  readonly reconnectGraceMs: number;
  readonly observeAudit: (event: string, detail: Readonly<Record<string, string | number>>) => void;
  /** The journal failed, once and for good: for the log. */
  readonly observeFailure: (reason: string) => void;
}

/** Wills and expiries that one turn of the loop deals with: ten thousand at once wait for one another, not everybody for them. */
const dueAtOnce = 1_000;

export class Machine implements Engine, JournalListener {
  readonly state: State;
  readonly audit: Audit;
  readonly credentials: Credentials;
  readonly publishing: Publishing;
  readonly attaching: Attaching;
  readonly delayed: Delayed;
  readonly topics: TopicDeclaring;
  readonly positions: Positions;
  readonly auditReading: AuditReading;
  readonly browsing: Browsing;
  readonly replay: Replay;
  readonly retention: Retention;
  readonly queues: DeclaredQueues;
  readonly signingKeys: SigningKeys;
  readonly erasing: Erasing;
  readonly #options: MachineOptions;
  readonly #outbox: Outbox;
  readonly #acks: AckKeeper;
  readonly #delivering: Delivering;
  readonly #acknowledging: Acknowledging;
  readonly #subscribing: Subscribing;
  readonly #holding: Holding;
  readonly #wills: Wills;
  readonly #snapshot: SnapshotWriter;
  readonly #retained: RetainedKeeper;
  readonly #batch: Batch;
  #failed = false;
  readonly #waitingForCalm: (() => void)[] = [];

  constructor(ports: StatePorts, policy: Policy, options: MachineOptions) {
    const state = new State(ports, policy);
    this.state = state;
    this.#options = options;
    this.audit = new Audit(state, options.observeAudit);
    this.signingKeys = new SigningKeys(state, this.audit);
    this.topics = new TopicDeclaring(state, this.audit);
    this.positions = new Positions(state);
    this.#acks = new AckKeeper(state);
    const retained = new RetainedKeeper(state);
    this.#retained = retained;
    const sending = new Sending(state, this.#acks);
    const groups = new GroupDelivering(state, this.#acks, sending);
    this.#delivering = new Delivering({ state, acks: this.#acks, retained, sending, groups });
    // The outbox wakes deliveries and deliveries write to the outbox, so one of them is told later.
    this.#outbox = new Outbox(state.journal, {
      session: (session) => this.#delivering.session(session),
      group: (group) => this.#delivering.group(group),
      queues: (queues) => this.queues.committed(queues),
    });
    sending.connect(this.#outbox);
    const appending = new QueueAppending(state);
    appending.connect(this.#outbox);
    this.publishing = new Publishing({ state, outbox: this.#outbox, sending, groups, retained, queues: appending });
    this.delayed = new Delayed({ state, outbox: this.#outbox, publishing: this.publishing, audit: this.audit });
    this.auditReading = new AuditReading(state, this.#outbox);
    this.browsing = new Browsing({ state, outbox: this.#outbox, positions: this.positions });
    this.#batch = new Batch({ state, outbox: this.#outbox, publishing: this.publishing, audit: this.audit });
    this.queues = new DeclaredQueues({
      state,
      outbox: this.#outbox,
      audit: this.audit,
      publishing: this.publishing,
      appending,
      batch: this.#batch,
      positions: this.positions,
    });
    const { consuming, settling, delivering } = this.queues;
    const consumers = new SessionConsumers({ state, sending, consuming, settling, delivering });
    this.#wills = new Wills({ state, publishing: this.publishing, audit: this.audit });
    this.#subscribing = new Subscribing(state, this.audit, this.positions);
    this.attaching = new Attaching({
      state,
      outbox: this.#outbox,
      delivering: this.#delivering,
      subscribing: this.#subscribing,
      wills: this.#wills,
      acks: this.#acks,
      sending,
      audit: this.audit,
      consumers,
    });
    consumers.connect(this.attaching, this.#subscribing);
    this.#subscribing.connect(consumers);
    this.#delivering.connect(consumers);
    this.#acknowledging = new Acknowledging({ acks: this.#acks, outbox: this.#outbox, sending, consumers });
    this.#holding = new Holding({
      state,
      outbox: this.#outbox,
      publishing: this.publishing,
      retained,
      queues: appending,
      audit: this.audit,
    });
    this.credentials = new Credentials({
      state,
      audit: this.audit,
      retained,
      attaching: this.attaching,
      consuming: this.queues.consuming,
    });
    this.erasing = new Erasing({ state, outbox: this.#outbox, audit: this.audit, retained });
    this.replay = new Replay({
      erasing: this.erasing,
      state,
      publishing: this.publishing,
      retained,
      subscribing: this.#subscribing,
      attaching: this.attaching,
      acks: this.#acks,
      credentials: this.credentials,
      appending,
      queues: this.queues.replay,
    });
    this.#snapshot = new SnapshotWriter(state, this.#acks, (firstSeq) => {
      this.#outbox.action(() => {
        state.journal.snapshotTaken(firstSeq);
        this.retention.snapshotSeq = firstSeq;
      });
    });
    this.retention = new Retention(state, this.#snapshot, this.#acks);
  }

  // ── after recovery ───────────────────────────────────────────────────────────────────────────────────────────

  /** Recovery is done and the journal takes records again: sessions that were connected are so no more. */
  begin(): void {
    const now = this.state.clock.now();
    this.state.messageIds.restored();
    this.replay.markUnderWay();
    for (const [session, seen] of this.replay.lastSeen)
      this.attaching.revive(session, seen.detached, now, this.#options.reconnectGraceMs);
    this.replay.lastSeen.clear();
    this.queues.begin();
    this.credentials.begin();
    this.erasing.begin();
    this.state.journal.commitWithin(50);
  }

  /** Runs what is due; returns when to be called again (monotonic milliseconds), or undefined. */
  tick(): number | undefined {
    if (this.#failed) return undefined;
    this.state.deadlines.due(this.state.clock.monotonic(), (run) => run(), dueAtOnce);
    this.delayed.release();
    return this.state.deadlines.earliest();
  }

  /** Every few seconds: ends what has grown too large, forgets what is out of date, drops what nobody waits for. */
  tidy(): void {
    if (this.#failed) return;
    this.attaching.endOverfull();
    this.#retained.dropExpired();
    this.state.forgetStaleTopics();
    this.queues.tidy();
    this.retention.run();
    this.erasing.tidy();
  }

  /** Runs when everything written so far is durable. */
  whenDurable(run: () => void): void {
    this.#outbox.action(run);
  }

  // ── Engine ───────────────────────────────────────────────────────────────────────────────────────────────────

  topic(bytes: Uint8Array, start: number, end: number): TopicHandle | undefined {
    const known = this.state.topics.find(bytes, start, end);
    if (known !== undefined) return known;
    const name = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("utf8");
    if (checkTopicName(name, this.state.limits) !== undefined) return undefined;
    return this.state.topics.add(bytes, start, end, new Topic(name));
  }

  attach(link: Link, request: AttachRequest): SessionHandle | Refusal {
    return this.attaching.attach(link, request);
  }

  detach(session: SessionHandle, link: Link, clean: boolean, expirySeconds: number | undefined): void {
    this.attaching.detach(session as Session, link, clean, expirySeconds);
  }

  live(session: SessionHandle, topic: TopicHandle, run: LiveRun, source: LiveSource): number {
    const { name, reserved } = topic as Topic;
    const reason = reserved
      ? this.publishing.checks.refuse(Reason.notAuthorized, reservedText)
      : this.publishing.live(session as Session, topic as Topic, run, source);
    if (reason !== Reason.success) {
      const { principal } = session as Session;
      auditRefusal(this.audit, this.publishing.checks, { reason, principal, topic: name });
    }
    return reason;
  }

  publish(session: SessionHandle, topic: TopicHandle, draft: MessageDraft, packetId: number): number {
    const publisher = session as Session;
    const reason = this.#publish(publisher, topic as Topic, draft, packetId);
    const { link } = publisher;
    if (packetId === 0 || link === undefined) return reason;
    if (draft.qos === 2) this.#outbox.received(link, packetId, reason);
    else this.#outbox.confirm(link, packetId, reason, reason < Reason.unspecified ? this.publishing.receipt : 0);
    return reason;
  }

  rateOf(session: SessionHandle, topic: TopicHandle): DeclaredRate | undefined {
    return this.publishing.rateOf(session as Session, topic as Topic);
  }

  explainRefusal(): string {
    return this.publishing.checks.text;
  }

  publishBatch(
    origin: PublishOrigin,
    drafts: readonly MessageDraft[],
    done: (results: readonly PublishResult[]) => void,
  ): void {
    this.#batch.publish(origin, drafts, done);
  }

  refuse(session: SessionHandle, packetId: number, qos: 1 | 2, reason: number): void {
    const { link } = session as Session;
    if (link === undefined) return;
    if (qos === 2) this.#outbox.received(link, packetId, reason);
    else this.#outbox.confirm(link, packetId, reason, 0);
  }

  release(session: SessionHandle, packetId: number): void {
    this.#holding.release(session as Session, packetId);
  }

  acknowledge(session: SessionHandle, packetId: number, step: 1 | 2 | 3, reason: number, text = ""): boolean {
    return this.#acknowledging.take(session as Session, packetId, { step, reason, text });
  }

  subscribe(
    session: SessionHandle,
    requests: readonly SubscribeRequest[],
    answer: (codes: number[], texts: string[]) => void,
  ): number {
    const subscriber = session as Session;
    const dueBefore = subscriber.retained.length;
    const codes: number[] = [];
    const texts: string[] = [];
    for (const request of requests) {
      const { code, text } = this.#subscribing.subscribe(session as Session, request);
      codes.push(code);
      texts.push(text);
    }
    subscriber.answersDue++;
    this.#outbox.action(() => {
      subscriber.answersDue--;
      answer(codes, texts);
      this.#delivering.session(subscriber);
    });
    return subscriber.retained.length - dueBefore;
  }

  unsubscribe(session: SessionHandle, filters: readonly string[], answer: (codes: number[]) => void): void {
    const codes = filters.map((filter) =>
      this.#subscribing.unsubscribe(session as Session, filter) ? Reason.success : Reason.noSubscriptionExisted,
    );
    this.#outbox.action(() => answer(codes));
  }

  settle(session: SessionHandle): void {
    this.#delivering.session(session as Session);
  }

  get congested(): boolean {
    return this.state.journal.congested;
  }

  whenCalm(run: () => void): void {
    this.#waitingForCalm.push(run);
  }

  // ── JournalListener ──────────────────────────────────────────────────────────────────────────────────────────

  beforeSeal(): void {
    this.#acks.write();
    this.queues.acks.write(this.#outbox);
    this.#snapshot.beforeSeal();
    this.#outbox.seal();
  }

  committed(frame: JournalFrame): void {
    const last = frame.firstSeq + frame.count - 1;
    this.state.times.note(last + 1, this.state.clock.now());
    this.#outbox.release(last);
    if (this.#waitingForCalm.length === 0 || this.congested) return;
    for (const run of this.#waitingForCalm.splice(0)) run();
  }

  /** A disk that failed once is not asked again: no more acknowledgements in this process (D8, F8). */
  failed(reason: string): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#options.observeFailure(reason);
    this.#outbox.refuse(Reason.implementationSpecific);
    this.queues.acks.refuse();
    this.endAll("storage-failed", "the journal failed; nothing is acknowledged any more");
  }

  /**
   * Ends every connection and leaves the sessions as they are: the next start finds them as after a crash, so that a
   * restart sends no will of a client that comes back within the reconnect grace.
   */
  endAll(reason: EndReason, text: string): void {
    for (const session of this.state.sessionsByNumber.values()) session.link?.end(reason, text);
    this.queues.consuming.endAll(reason, text);
  }

  #publish(session: Session, topic: Topic, draft: MessageDraft, packetId: number): number {
    if (topic.reserved) {
      this.audit.denied("publish", session.principal, topic.name);
      return this.publishing.checks.refuse(Reason.notAuthorized, reservedText);
    }
    if (draft.qos === 2) return this.#holding.hold(session, topic, draft, packetId);
    const refusal = this.publishing.refusal(session, topic, draft);
    if (refusal !== 0) {
      auditRefusal(this.audit, this.publishing.checks, {
        reason: refusal,
        principal: session.principal,
        topic: topic.name,
      });
      return refusal;
    }
    return this.publishing.publish(session, topic, draft);
  }
}
