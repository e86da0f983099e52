import type { QoS, Subscription } from "@mess/wire";

export interface SubscribeFilter {
  readonly filter: string;
  /** 1 by default. */
  readonly qos?: QoS;
  readonly noLocal?: boolean;
  readonly retainAsPublished?: boolean;
  /** 0 send retained messages, 1 only if the subscription is new, 2 never. */
  readonly retainHandling?: 0 | 1 | 2;
}

export function subscription(from: string | SubscribeFilter): Subscription {
  const options: SubscribeFilter = typeof from === "string" ? { filter: from } : from;
  return {
    filter: options.filter,
    qos: options.qos ?? 1,
    noLocal: options.noLocal ?? false,
    retainAsPublished: options.retainAsPublished ?? false,
    retainHandling: options.retainHandling ?? 0,
  };
}
