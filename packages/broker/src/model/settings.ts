/** What is declared about topics and subscriptions (DESIGN section 3): the policy's sections `topics` and `subscriptions`, as data. */

/** How long messages stay for replay after every subscription has consumed them. Both bounds hold; whatever is over goes first. */
export interface Retention {
  /** Milliseconds. */
  readonly ageMs?: number;
  /** Bytes of the messages that this declaration governs. */
  readonly bytes?: number;
}

/** `optional`: a signature is verified where there is one. `none`: it is passed on as it is. */
export const signingModes = ["required", "optional", "none"] as const;
export type SigningMode = (typeof signingModes)[number];

/** What all publishers together may send to the topics of one declaration in a second; a second's worth may come at once. */
export interface TopicRate {
  readonly messagesPerSecond?: number;
  readonly bytesPerSecond?: number;
}

/** Settings of the topics that a filter matches. The most specific filter that matches wins, as a whole. */
export interface TopicSettings {
  /** Principal that owns the names under the filter: others may not declare anything there. */
  readonly owner?: string;
  /** Absent: until every subscription has consumed it. */
  readonly retention?: Retention;
  /** Bytes of payload and headers. */
  readonly maxMessageBytes?: number;
  /** Whether messages must be signed (docs/signing.md); `optional` when absent. */
  readonly signing?: SigningMode;
  /** JSON Schema (draft 2020-12) that payloads must satisfy. */
  readonly schema?: JsonSchema;
  /** Where the ordering key comes from when a publisher gives none: a filter with one `{name}` level, such as `orders/{id}/#`. */
  readonly key?: string;
  /** Absent: as much as the limits of clients, principals and addresses allow. */
  readonly rate?: TopicRate;
  /** What can be erased together: the messages of a topic, or those of an ordering key. Absent: nothing. */
  readonly erasure?: "topic" | "key";
  /** What can be proved by itself: each message. Absent: the frame that holds it. */
  readonly proofs?: "message";
}

export type JsonSchema = boolean | { readonly [keyword: string]: unknown };

/** `shared`: competing consumers. `exclusive`: one is active, the rest stand by. `key`: one message of a key at a time, in order. */
export type Ordering = "shared" | "exclusive" | "key";

/** What happens to a publish that a full subscription matches. */
export type Overflow = "reject" | "drop-oldest" | "dead-letter";

/** Where a subscription begins to read, or is set to: an offset is that of the first message to be read. */
export type Position = "earliest" | "latest" | { readonly offset: number } | { readonly at: number };

export interface SubscriptionSettings {
  readonly owner?: string;
  /** One or more topic filters, without `$`. */
  readonly filters: readonly string[];
  readonly ordering: Ordering;
  /** How long a consumer has for a message before its lease expires. */
  readonly ackWaitMs: number;
  /** Failed attempts after which a message goes to the dead letters. */
  readonly maxDeliveries: number;
  /** First and longest wait after a failed attempt: doubled each time, with full jitter between half and whole. */
  readonly backoffMs: readonly [first: number, longest: number];
  /** What happens to messages whose expiry passes: dropped and counted, or dead-lettered. */
  readonly expired: "drop" | "dead-letter";
  /** True: messages of higher priority (9 first, 0 last; 4 when none is given) go first. */
  readonly priorities: boolean;
  readonly start: Position;
  /** User properties that a message must have, each with exactly this value. */
  readonly where: Readonly<Record<string, string>>;
  /** Messages that may wait or be under way. */
  readonly maxMessages: number;
  /** Their bytes. */
  readonly maxBytes: number;
  readonly overflow: Overflow;
  /** The subscription is deleted when nobody consumed from it for so long; 0 for never. */
  readonly expiryMs: number;
}

export const defaultSubscriptionSettings: Omit<SubscriptionSettings, "filters"> = {
  ordering: "shared",
  ackWaitMs: 30_000,
  maxDeliveries: 5,
  backoffMs: [1_000, 300_000],
  expired: "drop",
  priorities: false,
  start: "latest",
  where: {},
  maxMessages: 10_000_000,
  maxBytes: 16 * 1024 * 1024 * 1024,
  overflow: "reject",
  expiryMs: 0,
};

/** Topic of a subscription's dead letters. */
export const deadLetterPrefix = "$mess/dead/";
/** `$mess/queue/NAME/#` reads a declared subscription (DESIGN section 7). */
export const queuePrefix = "$mess/queue/";
/** `$mess/lease/NAME` is the Response Topic of explicit deliveries: acknowledgements are published there. */
export const leasePrefix = "$mess/lease/";

export const priorityDefault = 4;
export const priorityMax = 9;
