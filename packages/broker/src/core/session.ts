/** What outlives a connection: subscriptions, messages that wait, deliveries under way (MQTT 5.0 section 4.1). */
import type { Deadline } from "../delivery/deadlines.ts";
import type { InFlight } from "../delivery/in-flight.ts";
import type { Link } from "../model/link.ts";
import type { SubscriptionReplay, SubscriptionSet, WillRecord } from "../model/record.ts";
import type { Backlog } from "../subscriptions/backlog.ts";
import type { CredentialDeadline } from "./credential-deadline.ts";
import type { Group } from "./group.ts";
import type { Publisher } from "./publisher.ts";
import { RetainedQueue } from "./retained-queue.ts";
import type { SessionConsumer } from "./session-consumer.ts";
import type { Receiver, Topic } from "./topic.ts";

/** One subscription of one session, or its membership in a shared one. */
export interface SubscriptionEntry {
  readonly session: Session;
  /** As the client wrote it. */
  readonly text: string;
  readonly qos: 0 | 1 | 2;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly identifier: number;
  readonly group: Group | undefined;
  /** Name of the declared subscription that it reads, and how. */
  readonly queue: string | undefined;
  readonly explicit: boolean | undefined;
  readonly credit: SubscriptionSet["credit"];
  /** Its form as the only subscription of its session that matches, once that was asked for. */
  receiver: Receiver | undefined;
  readonly replay: SubscriptionReplay | undefined;
}

/** A QoS 2 message received and not released: the bytes of its message, ready to be written again. */
export type HeldMessage = Buffer;

/** Where a delivery under way came from; kept beside its packet id. */
export const fromBacklog = 0;
export const fromRetained = 1;
/** Groups follow: `fromGroup + group.number`. Below 0: declared subscriptions, `-SessionConsumer.number`. */
export const fromGroup = 2;

export interface SessionParts {
  readonly number: number;
  readonly principal: string;
  readonly clientId: string;
  readonly backlog: Backlog;
  readonly inFlight: InFlight;
}

export class Session implements Publisher {
  readonly number: number;
  readonly principal: string;
  readonly principalBytes: Buffer;
  readonly clientId: string;
  readonly backlog: Backlog;
  readonly inFlight: InFlight;

  /** True when it survives its connection, and so is in the journal with all it owns. */
  durable = false;
  /** True when the journal knows of it: durable, or there for its will. */
  journaled = false;
  expirySeconds = 0;
  receiveMaximum = 1;
  keyId = "";
  /** While it is connected by a credential that ends. */
  credentialDeadline: CredentialDeadline | undefined;
  link: Link | undefined;
  ended = false;
  /** Wall-clock time since when it has no connection, and when its will falls due. */
  detachedAt: number | undefined;
  willAt: number | undefined;

  readonly subscriptions: Map<string, SubscriptionEntry> = new Map();
  readonly groups: Set<Group> = new Set();
  /** What it reads of declared subscriptions, while it is connected; by the number its deliveries have as `source`, negative. */
  consumers: Map<number, SessionConsumer> | undefined;
  readonly held: Map<number, HeldMessage> = new Map();
  will: WillRecord | undefined;
  willDeadline: Deadline<() => void> | undefined;
  expiryDeadline: Deadline<() => void> | undefined;

  /** The last number of the backlog that was sent or passed over; what is not acknowledged of it is under way. */
  sentThrough = 0;
  /**
   * QoS 2 deliveries under way since before a restart: number to packet id. They are sent again in their turn of the
   * backlog, which is sent again from its start: the ids of QoS 1 are not kept over a restart.
   */
  readonly underWayBefore: Map<number, number> = new Map();
  /** QoS 2 deliveries whose packet ids are on their way to the disk. */
  reserving = 0;
  /** What waits up to this number was sent before a restart, whose ids are forgotten: it is marked DUP [MQTT-3.3.1-1]. */
  sentBefore = 0;
  /** So many of the next deliveries may have been sent before a crash: the same. */
  maybeSent = 0;
  /** Nothing later than this can have been. */
  maybeSentThrough = 0;
  /** The replay that its subscription began with: last record of it, and the time that it begins at; 0 for none. */
  replayThrough = 0;
  replaySince = 0;
  /** Packet ids under way when the connection was made, from `resendNext` on still to be sent again, in order. */
  resend: readonly number[] = [];
  resendNext = 0;
  readonly retained: RetainedQueue = new RetainedQueue();
  /** SUBACKs that wait for their commit: what is retained for those subscriptions goes out after them. */
  answersDue = 0;

  /** Acknowledged and not yet in the journal: everything up to the floor, and single numbers beyond. */
  ackedFloor = 0;
  ackedBeyond: number[] = [];
  ackPending = false;

  /** Number of the frame that will wake this session; avoids listing it twice. */
  wokenFor = -1;
  /** In the list of sessions to be served when the input chunk is done. */
  settling = false;
  fetching = false;

  publishTopic: Topic | undefined;
  publishGeneration = -1;
  publishAllowed = false;
  /** The same for "may it read this", as a member of a group. */
  readTopic: Topic | undefined;
  readGeneration = -1;
  readAllowed = false;

  constructor(parts: SessionParts) {
    this.number = parts.number;
    this.principal = parts.principal;
    this.principalBytes = Buffer.from(parts.principal, "utf8");
    this.clientId = parts.clientId;
    this.backlog = parts.backlog;
    this.inFlight = parts.inFlight;
  }

  /** What it was sent and has acknowledged is void: it begins anew behind `seq`. */
  rewind(seq: number): void {
    this.sentThrough = seq;
    this.sentBefore = 0;
    this.maybeSent = 0;
    this.ackedFloor = seq;
    this.ackedBeyond = [];
  }
}

export function sessionKey(principal: string, clientId: string): string {
  return `${principal}\u0000${clientId}`;
}
