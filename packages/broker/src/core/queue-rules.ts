/** What is declared of a subscription besides its filters: mostly the same for thousands, which then share it. */
import type { SubscriptionSettings } from "../model/settings.ts";

export interface QueueRules extends Omit<SubscriptionSettings, "filters"> {
  readonly declaredBy: string;
}

interface Shared {
  readonly key: string;
  readonly rules: QueueRules;
  uses: number;
}

export class SharedRules {
  readonly #byKey: Map<string, Shared> = new Map();
  readonly #byRules: Map<QueueRules, Shared> = new Map();
  /** The last one taken: thousands are declared alike, one after another, and the key of each would have to be made. */
  #last: Shared | undefined;

  /** To be given back. */
  take(settings: SubscriptionSettings, declaredBy: string): QueueRules {
    const last = this.#last;
    if (last !== undefined && last.uses > 0 && isSame(last.rules, settings, declaredBy)) {
      last.uses++;
      return last.rules;
    }
    const { filters: _, ...others } = settings;
    const key = JSON.stringify([others, declaredBy]);
    let shared = this.#byKey.get(key);
    if (shared === undefined) {
      shared = { key, rules: { ...others, declaredBy }, uses: 0 };
      this.#byKey.set(key, shared);
      this.#byRules.set(shared.rules, shared);
    }
    shared.uses++;
    this.#last = shared;
    return shared.rules;
  }

  giveBack(rules: QueueRules): void {
    const shared = this.#byRules.get(rules);
    if (shared === undefined) return;
    shared.uses--;
    if (shared.uses > 0) return;
    this.#byKey.delete(shared.key);
    this.#byRules.delete(rules);
  }
}

/** As they were declared. */
export function settingsOf(rules: QueueRules, filters: readonly string[]): SubscriptionSettings {
  const { declaredBy: _, ...settings } = rules;
  return { ...settings, filters };
}

/** Settings that are no plain values count as other ones where there is something in them: their key decides. */
function isSame(rules: QueueRules, settings: SubscriptionSettings, declaredBy: string): boolean {
  if (Object.keys(settings.where).length > 0 || Object.keys(rules.where).length > 0) return false;
  return (
    rules.declaredBy === declaredBy &&
    rules.owner === settings.owner &&
    rules.ordering === settings.ordering &&
    rules.ackWaitMs === settings.ackWaitMs &&
    rules.maxDeliveries === settings.maxDeliveries &&
    rules.backoffMs[0] === settings.backoffMs[0] &&
    rules.backoffMs[1] === settings.backoffMs[1] &&
    rules.expired === settings.expired &&
    rules.priorities === settings.priorities &&
    rules.start === settings.start &&
    rules.maxMessages === settings.maxMessages &&
    rules.maxBytes === settings.maxBytes &&
    rules.overflow === settings.overflow &&
    rules.expiryMs === settings.expiryMs
  );
}
