/** The whole state as one value: the parts ②③⑤ and the rights, a fold over the journal plus who is connected now. */
import type { Limits } from "../config/limits.ts";
import { Deadlines } from "../delivery/deadlines.ts";
import { DelayedHeap } from "../delivery/delayed-heap.ts";
import { InFlight } from "../delivery/in-flight.ts";
import type { Clock, RandomSource } from "../host/host.ts";
import type { Journal } from "../model/journal.ts";
import type { HeaderReader, SchemaCompiler } from "../model/message-checks.ts";
import type { PasswordRecord } from "../model/password.ts";
import type { Policy } from "../model/policy.ts";
import type { SigningKeyRecord } from "../model/signing.ts";
import { type CompiledPolicy, compilePolicy } from "../security/compile-policy.ts";
import { Backlog } from "../subscriptions/backlog.ts";
import { SubscriptionIndex } from "../subscriptions/subscription-index.ts";
import { RetainedIndex } from "../topics/retained-index.ts";
import { TopicTable } from "../topics/topic-table.ts";
import { AuditTrail } from "./audit-trail.ts";
import { CertificateTable } from "./certificate-table.ts";
import { ErasureDomains } from "./erasure-domains.ts";
import { Group } from "./group.ts";
import { KeyTable } from "./key-table.ts";
import { MessageIds } from "./message-ids.ts";
import { Nonces } from "./nonces.ts";
import type { Queue } from "./queue.ts";
import type { HeldLease } from "./queue-work.ts";
import { RecordedDecisions } from "./recorded-decisions.ts";
import { Session, type SubscriptionEntry, sessionKey } from "./session.ts";
import { SubscriptionChanges } from "./subscription-changes.ts";
import { TimeIndex } from "./time-index.ts";
import type { Topic } from "./topic.ts";
import { TopicSettingsTable } from "./topic-settings.ts";

export interface RetainedEntry {
  /** Number the message was published under. */
  readonly seq: number;
  /** Record that holds its bytes now (it may have been carried to a newer segment). */
  at: number;
  readonly topic: string;
  readonly principal: string;
  readonly qos: 0 | 1 | 2;
  /** Wall-clock milliseconds; Infinity for never. */
  readonly expiresAt: number;
  readonly bytes: number;
  /** Erasure domain, if it has one. */
  readonly domain?: number;
}

/** Counted as plain numbers: a metric is read once a scrape and counted a million times a second. */
export class Counters {
  publishedQoS0 = 0;
  publishedQoS1 = 0;
  publishedQoS2 = 0;
  delivered = 0;
  droppedSlow = 0;
  droppedExpired = 0;
  droppedTooLarge = 0;
  /** Not delivered, because they were erased. */
  droppedErased = 0;
  noSubscribers = 0;
  deniedPublish = 0;
  deniedSubscribe = 0;
  deniedWill = 0;
  deniedDelivery = 0;
  quotaRefused = 0;
  sessionsEndedByQuota = 0;
  takeovers = 0;
  // declared subscriptions
  leases = 0;
  acks = 0;
  nacks = 0;
  expiredLeases = 0;
  deadLetters = 0;
  redriven = 0;
  /** Ended because a full subscription made room. */
  overflowed = 0;
  /** Publishes whose id was known: not stored again. */
  repeated = 0;
  /** Larger than their topic allows, or against its schema. */
  contentRefused = 0;
  /** Accepted to be delivered later, and published since. */
  delayed = 0;
  released = 0;
  /** Signed messages that were taken. */
  signed = 0;
}

export interface StatePorts {
  readonly journal: Journal;
  readonly clock: Clock;
  readonly limits: Limits;
  /** `--insecure-dev`: nobody is asked for a right. */
  readonly everythingAllowed: boolean;
  /** Seeds the hash of the topic table, so that nobody can choose colliding names. */
  readonly hashSeed: number;
  readonly random: RandomSource;
  readonly headers: HeaderReader;
  readonly schemas: SchemaCompiler;
  /** Runs it soon, in another turn of the loop. */
  readonly defer: (run: () => void) => void;
}

/** Sessions that are not in the journal are numbered from here, so the two never meet. */
const transientBase = 0x8000_0000;
const topicTableCapacity = 65_536;
/** Receivers worked out for all topics together: a flood of topics that many clients read must not fill the memory. */
const receiversMax = 1_000_000;
/** Decisions that a new policy is tried on: about 200 bytes each. */
const decisionsMax = 10_000;

export class State {
  readonly journal: Journal;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly everythingAllowed: boolean;
  readonly random: RandomSource;
  readonly headers: HeaderReader;
  readonly schemas: SchemaCompiler;
  readonly defer: (run: () => void) => void;
  readonly counters: Counters = new Counters();
  readonly erasure: ErasureDomains = new ErasureDomains();

  readonly sessions: Map<string, Session> = new Map();
  readonly sessionsByNumber: Map<number, Session> = new Map();
  readonly durableSessionsOf: Map<string, number> = new Map();
  readonly groups: Map<string, Group> = new Map();
  readonly groupsByNumber: Map<number, Group> = new Map();
  /** Declared subscriptions, by name and by number. */
  readonly queues: Map<string, Queue> = new Map();
  readonly queuesByNumber: Map<number, Queue> = new Map();
  readonly leasesByToken: Map<string, HeldLease> = new Map();
  readonly index: SubscriptionIndex<SubscriptionEntry | Group | Queue>;
  readonly topics: TopicTable<Topic>;
  readonly retained: RetainedIndex<RetainedEntry>;
  readonly retainedOf: Map<string, number> = new Map();
  retainedBytes = 0;
  readonly messageIds: MessageIds;
  readonly nonces: Nonces;
  readonly delayed: DelayedHeap = new DelayedHeap();
  readonly topicSettings: TopicSettingsTable;
  readonly times: TimeIndex = new TimeIndex();
  readonly signingKeys: Map<string, SigningKeyRecord> = new Map();
  /** By principal. */
  readonly passwords: Map<string, PasswordRecord> = new Map();
  readonly keys: KeyTable = new KeyTable();
  readonly auditTrail: AuditTrail = new AuditTrail();
  readonly certificates: CertificateTable = new CertificateTable();
  /** In memory only: a new policy is tried on them. */
  readonly decisions: RecordedDecisions = new RecordedDecisions(decisionsMax);
  policy: Policy;
  compiled: CompiledPolicy;

  /** Grows with every change of a subscription or a right; what was worked out under an older one may be stale. */
  generation = 0;
  /** Grows with every change of a right: what was allowed under an older one has to be asked for again. */
  rightsGeneration = 0;
  readonly changes: SubscriptionChanges = new SubscriptionChanges();
  #receivers = 0;
  lastMessageSeq = 0;
  /** What `lastMessageSeq` was before the last message. */
  messageBefore = 0;
  /** The last message of the kinds that only declared subscriptions get. */
  lastQueuedSeq = 0;
  lastQueueNumber = 0;
  lastSessionNumber = 0;
  heldBytes = 0;
  subscriptionCount = 0;
  connected = 0;
  readonly deadlines: Deadlines<() => void> = new Deadlines();
  #lastTransient = transientBase;
  #lastGroup = 0;

  constructor(ports: StatePorts, policy: Policy) {
    this.journal = ports.journal;
    this.clock = ports.clock;
    this.limits = ports.limits;
    this.everythingAllowed = ports.everythingAllowed;
    this.random = ports.random;
    this.headers = ports.headers;
    this.schemas = ports.schemas;
    this.defer = ports.defer;
    this.index = new SubscriptionIndex(ports.hashSeed);
    this.retained = new RetainedIndex(ports.hashSeed);
    this.topics = new TopicTable({
      seed: ports.hashSeed,
      capacity: topicTableCapacity,
      evicted: (topic) => this.countReceivers(-topic.remembered),
    });
    this.topicSettings = new TopicSettingsTable(ports.schemas, ports.hashSeed);
    this.messageIds = new MessageIds({
      clock: ports.clock,
      seed: ports.hashSeed,
      windowMs: ports.limits.messageIdWindowMs,
      idsMax: ports.limits.messageIdsMax,
      idsPerPrincipalMax: ports.limits.messageIdsPerPrincipalMax,
    });
    this.nonces = new Nonces({
      clock: ports.clock,
      seed: ports.hashSeed,
      windowMs: ports.limits.signatureWindowMs,
      noncesMax: ports.limits.noncesMax,
      noncesPerPrincipalMax: ports.limits.noncesPerPrincipalMax,
    });
    this.policy = policy;
    this.compiled = compilePolicy(policy, this.keys.scoped);
  }

  newSession(principal: string, clientId: string, number: number): Session {
    const session = new Session({
      number,
      principal,
      clientId,
      backlog: new Backlog(this.limits.backlogRunsMax),
      inFlight: new InFlight(),
    });
    this.sessions.set(sessionKey(principal, clientId), session);
    this.sessionsByNumber.set(number, session);
    return session;
  }

  nextDurableNumber(): number {
    return this.lastSessionNumber + 1;
  }

  nextTransientNumber(): number {
    do {
      this.#lastTransient = this.#lastTransient >= 0xffff_fffe ? transientBase : this.#lastTransient + 1;
    } while (this.sessionsByNumber.has(this.#lastTransient));
    return this.#lastTransient;
  }

  session(principal: string, clientId: string): Session | undefined {
    return this.sessions.get(sessionKey(principal, clientId));
  }

  groupFor(key: string, filter: string): Group {
    const known = this.groups.get(key);
    if (known !== undefined) return known;
    this.#lastGroup++;
    const group = new Group(this.#lastGroup, key, filter, new Backlog(this.limits.backlogRunsMax));
    this.groups.set(key, group);
    this.groupsByNumber.set(group.number, group);
    this.index.set(filter, key, group);
    return group;
  }

  dropGroup(group: Group): void {
    this.groups.delete(group.key);
    this.groupsByNumber.delete(group.number);
    this.index.remove(group.filter, group.key);
  }

  setPolicy(policy: Policy): void {
    this.policy = policy;
    this.compiled = compilePolicy(policy, this.keys.scoped);
    this.generation++;
    this.rightsGeneration++;
  }

  /** A message of a kind that only declared subscriptions get. Returns the one before it that they could have got. */
  messageCame(seq: number): number {
    const previous = Math.max(this.lastMessageSeq, this.lastQueuedSeq);
    this.lastQueuedSeq = seq;
    return previous;
  }

  /** Somebody came to or left `filter`. */
  subscriptionsChanged(filter: string): void {
    this.generation++;
    this.changes.add(this.generation, filter);
  }

  /** So many more receivers are remembered. Too many: all topics are forgotten, and those in use come again. */
  countReceivers(more: number): void {
    this.#receivers += more;
    if (this.#receivers <= receiversMax) return;
    for (const topic of this.topics.values()) topic.forget();
    this.topics.clear();
    this.#receivers = 0;
  }

  /** Topics that nobody used since something changed keep sessions in memory that may be over. */
  forgetStaleTopics(): void {
    for (const topic of this.topics.values()) {
      if (topic.generation === this.generation || topic.remembered + topic.groups.length === 0) continue;
      this.#receivers -= topic.remembered;
      topic.forget();
    }
  }
}
