/** Bounds of what is declared that no configuration moves: where a typing error is likelier than a wish. */

const yearMs = 365 * 86_400_000;

type Bounds = readonly [least: number, most: number];

export const settingBounds: {
  readonly retentionAge: Bounds;
  readonly retentionBytes: Bounds;
  readonly messagesPerSecond: Bounds;
  readonly bytesPerSecond: Bounds;
  readonly ackWaitMin: number;
  readonly maxDeliveries: Bounds;
  readonly backoff: Bounds;
  readonly whereMax: number;
  readonly maxMessages: Bounds;
  readonly maxBytes: Bounds;
  readonly expiry: Bounds;
} = {
  /** Milliseconds. */
  retentionAge: [1_000, 100 * yearMs],
  /** Bytes. */
  retentionBytes: [1, 2 ** 50],
  messagesPerSecond: [1, 1_000_000_000],
  bytesPerSecond: [1, 2 ** 40],
  /** Milliseconds; the longest is `leaseMsMax`, which the configuration moves. */
  ackWaitMin: 100,
  maxDeliveries: [1, 1_000],
  /** Milliseconds. */
  backoff: [1, yearMs],
  /** User properties that a subscription asks for. */
  whereMax: 16,
  maxMessages: [1, 10_000_000_000],
  maxBytes: [1, 2 ** 50],
  /** Milliseconds; beside it 0, for never. */
  expiry: [1_000, 100 * yearMs],
};

/** Of the limits, those that what is declared is held to. */
export interface DeclarationLimits {
  readonly declaredTopicsMax: number;
  readonly declaredSubscriptionsMax: number;
  readonly filtersPerSubscriptionMax: number;
  readonly topicBytesMax: number;
  readonly topicLevelsMax: number;
  readonly packetBytesMax: number;
  readonly userPropertyBytesMax: number;
  readonly leaseMsMax: number;
  readonly schemaBytesMax: number;
}

/** As the configuration has them unless told otherwise. */
export const defaultDeclarationLimits: DeclarationLimits = {
  declaredTopicsMax: 100_000,
  declaredSubscriptionsMax: 1_000_000,
  filtersPerSubscriptionMax: 64,
  topicBytesMax: 1_024,
  topicLevelsMax: 64,
  packetBytesMax: 1_024 * 1_024,
  userPropertyBytesMax: 4 * 1_024,
  leaseMsMax: 12 * 3_600_000,
  schemaBytesMax: 64 * 1_024,
};
