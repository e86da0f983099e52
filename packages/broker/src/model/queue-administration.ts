/** Declared topics and subscriptions, dead letters, delayed messages, browsing: what HTTP and the command line offer of them. */
import type { MessageAttributes } from "./message.ts";
import type { Position, SubscriptionSettings, TopicSettings } from "./settings.ts";

export interface TopicView {
  readonly filter: string;
  readonly settings: TopicSettings;
  readonly declaredBy: string;
  /** Wall-clock milliseconds. */
  readonly declaredAt: number;
}

export interface SubscriptionView {
  readonly name: string;
  readonly settings: SubscriptionSettings;
  readonly declaredBy: string;
  readonly declaredAt: number;
  readonly consumers: number;
  /** May be delivered now. An upper bound where `exact` is false. */
  readonly ready: number;
  readonly leased: number;
  /** Wait for their backoff to pass. */
  readonly retrying: number;
  /** Wait behind an earlier message of their key. */
  readonly blocked: number;
  readonly dead: number;
  readonly exact: boolean;
  /** Offset of the oldest message that is not done; 0 for none. */
  readonly oldestOffset: number;
}

/** A message for people and for JSON: everything in it is copied. */
export interface StoredMessage {
  readonly offset: number;
  readonly topic: string;
  readonly publisher: string;
  /** Wall-clock milliseconds. */
  readonly time: number;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  readonly attributes: MessageAttributes;
  /** Opaque headers, as in `MessageView`: a door knows how to read them. */
  readonly headers: Uint8Array;
  readonly payload: Uint8Array;
}

export interface MessagePage {
  readonly messages: readonly StoredMessage[];
  /** Where to go on: offset to begin the next page at; undefined at the end. */
  readonly next: number | undefined;
}

export interface DelayedView {
  /** Offset under which it was accepted, and by which it is cancelled. */
  readonly offset: number;
  readonly topic: string;
  readonly publisher: string;
  readonly dueAt: number;
  readonly bytes: number;
}

export interface DelayedPage {
  readonly messages: readonly DelayedView[];
  /** Opaque cursor (due time and offset) of the next page. */
  readonly next: { readonly dueAt: number; readonly offset: number } | undefined;
}

/** Which dead letters: by their offsets in the dead-letter topic, by a part of their reason, or (with neither) all. */
export interface DeadSelection {
  readonly offsets?: readonly number[];
  readonly reason?: string;
}

export interface DeadResult {
  readonly done: number;
  /** Selected and not dealt with yet: ask again. */
  readonly remaining: number;
}

export interface BrowseRequest {
  readonly filter: string;
  readonly from: Position;
  readonly limit: number;
  /** Bytes of payload and headers, all messages together. */
  readonly bytesMax: number;
}

/**
 * Every verb takes who asks, and asks `authorize()` itself: `manage` on the filters for declarations (and nobody else's
 * ownership), `consume` on the name (or `manage`) to look into a subscription, `subscribe` to browse. Rejects with
 * `AdministrationError`. What changes something is audited and durable when it resolves.
 */
export interface QueueAdministration {
  topics(by: string): readonly TopicView[];
  /** Creates or replaces; true when it was new. */
  declareTopic(by: string, filter: string, settings: TopicSettings): Promise<boolean>;
  deleteTopic(by: string, filter: string): Promise<void>;
  /**
   * Destroys the keys of what `erasure` confined under the filter, or of one ordering key under a declaration with
   * exactly this filter. Returns how many erasure domains it were; their messages are never readable again.
   */
  eraseTopic(by: string, filter: string, key: string | undefined): Promise<number>;

  /** In the order of names, those the caller may see; `after` is exclusive. */
  subscriptions(by: string, page: { readonly after: string; readonly limit: number }): readonly SubscriptionView[];
  subscription(by: string, name: string): SubscriptionView;
  declareSubscription(by: string, name: string, settings: SubscriptionSettings): Promise<boolean>;
  /** Refused (conflict) while messages or dead letters wait, unless `force`. */
  deleteSubscription(by: string, name: string, force: boolean): Promise<void>;
  /** Sets the position: what lies behind it is read (again), what lies before counts as done. Open leases are void. */
  resetSubscription(by: string, name: string, position: Position): Promise<SubscriptionView>;

  dead(by: string, name: string, page: { readonly from: number; readonly limit: number }): Promise<MessagePage>;
  /** Back to the subscription it failed in, and to no other. At most 1,000 a call. */
  redrive(by: string, name: string, selection: DeadSelection): Promise<DeadResult>;
  purge(by: string, name: string, selection: DeadSelection): Promise<DeadResult>;

  /** Delayed messages of topics the caller may publish or subscribe to, by due time. */
  delayed(by: string, after: DelayedPage["next"], limit: number): Promise<DelayedPage>;
  /** Needs `publish` on its topic and being its publisher, or `manage` on the topic. */
  cancelDelayed(by: string, offset: number): Promise<void>;

  /** What the journal still holds of the topics a filter matches and the caller may subscribe to. */
  browse(by: string, request: BrowseRequest): Promise<MessagePage>;
}
