/** Settings of one topic or subscription, as policy documents spell them: for doors that take them one at a time. */
import type { DeclarationLimits } from "../model/setting-bounds.ts";
import type { SubscriptionSettings, TopicSettings } from "../model/settings.ts";
import { type PolicyProblem, PolicyProblems } from "../security/policy-problems.ts";
import { readSubscriptionSettings } from "../security/subscription-check.ts";
import { readTopicSettings } from "../security/topic-settings-check.ts";

/** The settings, or every reason why they are none; paths begin at the settings. */
export type CheckedSettings<T> = { readonly settings: T } | { readonly problems: readonly PolicyProblem[] };

export function topicSettingsFrom(
  value: unknown,
  filter: string,
  limits: DeclarationLimits,
): CheckedSettings<TopicSettings> {
  const problems = new PolicyProblems();
  const settings = readTopicSettings(value, filter, limits, { path: "", problems });
  return problems.isEmpty ? { settings } : { problems: problems.list };
}

/** With the defaults for what is left out. */
export function subscriptionSettingsFrom(
  value: unknown,
  limits: DeclarationLimits,
): CheckedSettings<SubscriptionSettings> {
  const problems = new PolicyProblems();
  const settings = readSubscriptionSettings(value, limits, { path: "", problems });
  return problems.isEmpty && settings !== undefined ? { settings } : { problems: problems.list };
}
