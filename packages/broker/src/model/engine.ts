/** What a door may ask of the engine. Every verb decides at once; what the client sees comes through its `Link` after the commit. */
import type { Link, LiveRun, LiveSource } from "./link.ts";
import type { MessageDraft } from "./message.ts";
import type { Meter } from "./meter.ts";
import type { Position } from "./settings.ts";

/** Reasons as numbers of MQTT 5.0 (section 2.4): the widest set the doors share; each door maps them to its own. */
export const Reason = {
  success: 0x00,
  noMatchingSubscribers: 0x10,
  noSubscriptionExisted: 0x11,
  unspecified: 0x80,
  malformed: 0x81,
  implementationSpecific: 0x83,
  notAuthorized: 0x87,
  serverUnavailable: 0x88,
  topicFilterInvalid: 0x8f,
  topicNameInvalid: 0x90,
  packetIdNotFound: 0x92,
  /** Of a message that no packet of MQTT brought: PUBACK and PUBREC have no such reason, they say `quotaExceeded`. */
  packetTooLarge: 0x95,
  quotaExceeded: 0x97,
  payloadFormatInvalid: 0x99,
  sharedNotSupported: 0x9e,
} as const;

/** A topic name that was checked and interned. Opaque to doors; the same name may yield another object later. */
export interface TopicHandle {
  readonly name: string;
}

/** A session as its door holds it. Opaque. */
export interface SessionHandle {
  readonly number: number;
  readonly clientId: string;
}

/** A rate of topics. Doors ask the meter before they publish, and take from it what they published. */
export interface DeclaredRate {
  readonly filter: string;
  readonly meter: Meter;
}

export interface WillDraft {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  readonly headers: Uint8Array;
  readonly expirySeconds: number;
  readonly delaySeconds: number;
  /** As `writeAttributes` makes them. */
  readonly attributes?: Uint8Array;
}

export interface AttachRequest {
  readonly principal: string;
  /** Credential the client came with; its revocation ends the link. Empty without authentication. */
  readonly keyId: string;
  /** Wall-clock milliseconds at which the credential ends, and the link with it. */
  readonly expiresAt?: number;
  readonly clientId: string;
  readonly cleanStart: boolean;
  readonly expirySeconds: number;
  /** Unacknowledged deliveries the client takes at a time. */
  readonly receiveMaximum: number;
  readonly will: WillDraft | undefined;
}

export interface Refusal {
  readonly reason: number;
  readonly text: string;
}

export interface SubscribeRequest {
  readonly filter: string;
  readonly qos: 0 | 1 | 2;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: 0 | 1 | 2;
  /** 0 for none. */
  readonly identifier: number;
  /** Replay (`mess-from`): of plain subscriptions. Absent: from now on. */
  readonly from?: Position;
  /** Of `$mess/queue/NAME/#`: deliveries carry a token and are settled by it; PUBACK then means received. */
  readonly explicit?: boolean;
  /** Of `$mess/queue/NAME/#`: leases the client may hold, and their bytes; without it Receive Maximum and a default. */
  readonly credit?: { readonly messages?: number; readonly bytes?: number };
}

export interface Engine {
  /** `undefined` when the name is not one: too long, too deep, wildcards. Interned, so cheap to call again. */
  topic(bytes: Uint8Array, start: number, end: number): TopicHandle | undefined;
  attach(link: Link, request: AttachRequest): SessionHandle | Refusal;
  /** The connection is gone. `clean`: the client said goodbye, its will is void [MQTT-3.14.4-3]. */
  detach(session: SessionHandle, link: Link, clean: boolean, expirySeconds: number | undefined): void;
  /** QoS 0, not retained. Returns a reason; from 0x80 on what came before the refused message of the run was delivered, and nothing else. */
  live(session: SessionHandle, topic: TopicHandle, run: LiveRun, source: LiveSource): number;
  /** Journals a publish. At QoS 1 and 2 `Link.confirm` follows with the same reason, refusals included, in order [MQTT-4.6.0-2]. */
  publish(session: SessionHandle, topic: TopicHandle, draft: MessageDraft, packetId: number): number;
  /** The rate that is declared for the topic; undefined without one, and for whoever may not publish there. */
  rateOf(session: SessionHandle, topic: TopicHandle): DeclaredRate | undefined;
  /** Why the last `publish` or `live` was refused, for people; ask at once. Empty when the reason says it all. */
  explainRefusal(): string;
  /** The door itself refuses a publish of QoS 1 or 2: `Link.confirm` follows in its turn [MQTT-4.6.0-2]. */
  refuse(session: SessionHandle, packetId: number, qos: 1 | 2, reason: number): void;
  /** PUBREL. `Link.completed` follows. */
  release(session: SessionHandle, packetId: number): void;
  /**
   * PUBACK, PUBREC or PUBCOMP from the client (`step` 1, 2, 3). `text`: why not, of an error; may be empty. False when no
   * such delivery is under way.
   */
  acknowledge(session: SessionHandle, packetId: number, step: 1 | 2 | 3, reason: number, text?: string): boolean;
  /**
   * `answer` is called once with a code a filter, after they became durable, and before any retained message. Returns how
   * many of those are due.
   */
  subscribe(
    session: SessionHandle,
    requests: readonly SubscribeRequest[],
    answer: (codes: number[], texts: string[]) => void,
  ): number;
  unsubscribe(session: SessionHandle, filters: readonly string[], answer: (codes: number[]) => void): void;
  /** The chunk of input is done, or the link has room again: deliver what waits. */
  settle(session: SessionHandle): void;
  /** More is waiting for the disk than should be: stop reading from publishers until `whenCalm` runs. */
  readonly congested: boolean;
  whenCalm(run: () => void): void;
}
