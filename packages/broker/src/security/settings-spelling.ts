/** Settings as policy files spell them: what `checkPolicy` reads back to the same. Defaults of a subscription are left out. */
import { formatDuration, formatSize } from "../model/quantity.ts";
import { formatRfc3339 } from "../model/rfc3339.ts";
import {
  defaultSubscriptionSettings,
  type JsonSchema,
  type Position,
  type Retention,
  type SubscriptionSettings,
  type TopicSettings,
} from "../model/settings.ts";
import { type SpelledRate, spellRate } from "./topic-rate-check.ts";

export type SpelledRetention = string | { readonly age?: string; readonly bytes: string };

export interface SpelledTopic {
  readonly owner?: string;
  readonly retention?: SpelledRetention;
  readonly maxMessageSize?: string;
  readonly signing?: string;
  readonly schema?: JsonSchema;
  readonly key?: string;
  readonly rate?: SpelledRate;
  readonly erasure?: string;
  readonly proofs?: string;
}

export interface SpelledSubscription {
  readonly owner?: string;
  readonly filters: readonly string[];
  readonly ordering?: string;
  readonly ackWait?: string;
  readonly maxDeliveries?: number;
  readonly backoff?: readonly [first: string, longest: string];
  readonly expired?: string;
  readonly priorities?: boolean;
  readonly start?: string | number;
  readonly where?: Readonly<Record<string, string>>;
  readonly maxMessages?: number;
  readonly maxBytes?: string;
  readonly overflow?: string;
  readonly expiry?: string;
}

export function spellTopic(settings: TopicSettings): SpelledTopic {
  const { owner, retention, maxMessageBytes, signing, schema, key, rate, erasure, proofs } = settings;
  return {
    ...(owner !== undefined && { owner }),
    ...(retention !== undefined && { retention: spellRetention(retention) }),
    ...(maxMessageBytes !== undefined && { maxMessageSize: size(maxMessageBytes) }),
    ...(signing !== undefined && { signing }),
    ...(schema !== undefined && { schema }),
    ...(key !== undefined && { key }),
    ...(rate !== undefined && { rate: spellRate(rate) }),
    ...(erasure !== undefined && { erasure }),
    ...(proofs !== undefined && { proofs }),
  };
}

export function spellSubscription(settings: SubscriptionSettings): SpelledSubscription {
  const standard = defaultSubscriptionSettings;
  const { owner, filters, ordering, ackWaitMs, maxDeliveries, backoffMs, expired, priorities } = settings;
  const { start, where, maxMessages, maxBytes, overflow, expiryMs } = settings;
  const [first, longest] = backoffMs;
  const sameBackoff = first === standard.backoffMs[0] && longest === standard.backoffMs[1];
  return {
    ...(owner !== undefined && { owner }),
    filters,
    ...(ordering !== standard.ordering && { ordering }),
    ...(ackWaitMs !== standard.ackWaitMs && { ackWait: duration(ackWaitMs) }),
    ...(maxDeliveries !== standard.maxDeliveries && { maxDeliveries }),
    ...(!sameBackoff && { backoff: [duration(first), duration(longest)] as const }),
    ...(expired !== standard.expired && { expired }),
    ...(priorities !== standard.priorities && { priorities }),
    ...(start !== standard.start && { start: spellPosition(start) }),
    ...(Object.keys(where).length > 0 && { where }),
    ...(maxMessages !== standard.maxMessages && { maxMessages }),
    ...(maxBytes !== standard.maxBytes && { maxBytes: size(maxBytes) }),
    ...(overflow !== standard.overflow && { overflow }),
    ...(expiryMs !== standard.expiryMs && { expiry: duration(expiryMs) }),
  };
}

function spellRetention({ ageMs, bytes }: Retention): SpelledRetention {
  const age = ageMs === undefined ? undefined : duration(ageMs);
  if (bytes === undefined) return age ?? "";
  return { ...(age !== undefined && { age }), bytes: size(bytes) };
}

function spellPosition(position: Position): string | number {
  if (typeof position === "string") return position;
  return "offset" in position ? position.offset : formatRfc3339(position.at);
}

/** `30s`: without the space that people read more easily. */
function duration(milliseconds: number): string {
  return formatDuration(milliseconds).replace(" ", "");
}

function size(bytes: number): string {
  return formatSize(bytes).replace(" ", "");
}
