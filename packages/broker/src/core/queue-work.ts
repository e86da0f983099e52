/** The running side of a declared subscription: who consumes, and what they have. Gone after a restart, and when nobody comes for a while. */
import type { Deadline } from "../delivery/deadlines.ts";
import { KeyLocks } from "../delivery/key-locks.ts";
import { Leases, type Timed } from "../delivery/leases.ts";
import { TimedSeqs } from "../delivery/timed-seqs.ts";
import type { ConsumeRequest, Consumer, ConsumerHandle, Lease } from "../model/queue.ts";
import { SharedGroup } from "../subscriptions/shared-group.ts";
import type { CredentialDeadline } from "./credential-deadline.ts";
import type { Lane, Queue } from "./queue.ts";
import type { Topic } from "./topic.ts";

/** A consumer as the core holds it. */
export class Attached implements ConsumerHandle {
  readonly queue: Queue;
  readonly consumer: Consumer;
  readonly principal: string;
  readonly keyId: string;
  /** Leases it may hold, and their bytes. */
  readonly messages: number;
  readonly bytes: number;
  readonly tokens: boolean;
  readonly leases: Set<HeldLease> = new Set();
  leaseBytes = 0;
  gone = false;
  /** With a credential that ends. */
  credentialDeadline: CredentialDeadline | undefined;
  /** It takes nothing more, and finishes what it has. */
  retired = false;
  /** A message it said is larger than it ever takes. */
  refusedSeq = 0;
  /** The last answer to "may it read this": valid for this topic object at this generation of rights. */
  readTopic: Topic | undefined;
  readGeneration = -1;
  readAllowed = false;

  constructor(queue: Queue, consumer: Consumer, request: ConsumeRequest) {
    this.queue = queue;
    this.consumer = consumer;
    this.principal = request.principal;
    this.keyId = request.keyId;
    this.messages = request.messages;
    this.bytes = request.bytes;
    this.tokens = request.tokens;
  }

  get subscription(): string {
    return this.queue.name;
  }

  get hasCredit(): boolean {
    return !this.gone && this.leases.size < this.messages && this.leaseBytes < this.bytes;
  }

  /** A message larger than all its bytes is taken alone: it would never come otherwise. */
  fits(bytes: number): boolean {
    return this.leaseBytes === 0 || this.leaseBytes + bytes <= this.bytes;
  }
}

export class HeldLease implements Lease, Timed<HeldLease> {
  readonly queue: Queue;
  readonly offset: number;
  readonly attempt: number;
  readonly token: string;
  readonly principal: string;
  /** Not that of a message that came when keys did not count. */
  key: string | undefined;
  readonly bytes: number;
  readonly secondsLeft: number;
  expiresAt: number;
  /** Undefined when its consumer left it behind: it ends by its token, or in time. */
  holder: Attached | undefined;
  /** Of the delivery, where its consumer is a session. */
  packetId = 0;

  deadline = 0;
  before: HeldLease | undefined;
  after: HeldLease | undefined;
  apart: Deadline<HeldLease> | undefined;

  constructor(parts: LeaseParts) {
    this.queue = parts.holder.queue;
    this.offset = parts.offset;
    this.attempt = parts.attempt;
    this.token = parts.token;
    this.principal = parts.holder.principal;
    this.key = parts.key;
    this.bytes = parts.bytes;
    this.secondsLeft = parts.secondsLeft;
    this.expiresAt = parts.expiresAt;
    this.deadline = parts.deadline;
    this.holder = parts.holder;
  }

  get subscription(): string {
    return this.queue.name;
  }
}

export interface LeaseParts {
  readonly holder: Attached;
  readonly offset: number;
  readonly attempt: number;
  readonly token: string;
  readonly key: string | undefined;
  readonly bytes: number;
  readonly secondsLeft: number;
  readonly expiresAt: number;
  readonly deadline: number;
}

export class QueueWork {
  /** In the order in which they came. */
  readonly consumers: Set<Attached> = new Set();
  /** Those that have credit: whoever has none is not asked for each message. */
  readonly turns: SharedGroup<Attached> = new SharedGroup();
  readonly leases: Leases<HeldLease> = new Leases();
  readonly keys: KeyLocks = new KeyLocks();
  /** Messages that wait for a time, with their keys; when it has come is in `retries` (wall-clock milliseconds). */
  readonly retrying: Map<number, string | undefined> = new Map();
  readonly retries: TimedSeqs = new TimedSeqs();
  /** Messages on their way to the dead letters, which have to be read first. */
  readonly burying: Set<number> = new Set();

  /** Of messages that were looked at and are not done, where there are priorities. */
  readonly laneOf: Map<number, Lane> = new Map();
  fetching = false;
  /** In the list of those that go on in the next turn. */
  deferred = false;
  /** When a lease expires or a retry is due. */
  alarm: Deadline<() => void> | undefined;
  /** Monotonic milliseconds since when there is neither a consumer nor a lease; 0 while there is. */
  idleSince = 0;

  /** Messages that stand aside, for a time, their key, or to be buried: the walk stops when they are too many. */
  get aside(): number {
    return this.retrying.size + this.keys.parked + this.burying.size;
  }

  get isIdle(): boolean {
    return this.consumers.size === 0 && this.leases.size === 0 && this.burying.size === 0 && !this.fetching;
  }

  /** Of an exclusive subscription: who came first. */
  get active(): Attached | undefined {
    for (const attached of this.consumers) return attached;
    return undefined;
  }

  join(attached: Attached): void {
    this.consumers.add(attached);
    this.turns.add(attached);
    this.idleSince = 0;
  }

  part(attached: Attached): void {
    this.consumers.delete(attached);
    this.turns.remove(attached);
  }

  give(lease: HeldLease, to: Attached): void {
    this.leases.add(lease);
    to.leases.add(lease);
    to.leaseBytes += lease.bytes;
    if (!to.hasCredit) this.turns.remove(to);
  }

  /** The message was looked at, in this lane. */
  take(queue: Queue, lane: Lane, seq: number): void {
    if (queue.rules.priorities || queue.lanes.length > 1) this.laneOf.set(seq, lane);
  }

  /** The message waits until `retryAt` (wall-clock milliseconds), and keeps its key. Whoever calls sees to the alarm. */
  standAside(seq: number, retryAt: number, key: string | undefined): void {
    this.retrying.set(seq, key);
    this.retries.push(retryAt, seq);
  }

  /** Nothing stands aside any more: the position was set. Leases ended before. */
  forget(): void {
    this.keys.clear();
    this.laneOf.clear();
    this.retrying.clear();
    this.retries.clear();
    this.burying.clear();
  }
}
