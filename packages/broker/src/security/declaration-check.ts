/** Checks what a program declares with the check of policy files: one set of bounds, whatever door it comes through. */
import type { DeclarationLimits } from "../model/setting-bounds.ts";
import type { SubscriptionSettings, TopicSettings } from "../model/settings.ts";
import { PolicyProblems } from "./policy-problems.ts";
import { declaredFilterProblem } from "./setting-readers.ts";
import { spellSubscription, spellTopic } from "./settings-spelling.ts";
import { readSubscriptionSettings } from "./subscription-check.ts";
import { subscriptionNameProblem } from "./subscription-name.ts";
import { readTopicSettings } from "./topic-settings-check.ts";

/** The settings in the one form that is stored, or why they cannot be declared. */
export type CheckedDeclaration<T> = { readonly settings: T } | { readonly problem: string };

export function checkTopicDeclaration(
  filter: string,
  settings: TopicSettings,
  limits: DeclarationLimits,
): CheckedDeclaration<TopicSettings> {
  const problem = declaredFilterProblem(filter, limits);
  if (problem !== undefined) return { problem };
  const problems = new PolicyProblems();
  const read = readTopicSettings(spellTopic(settings), filter, limits, { path: "", problems });
  return problems.isEmpty ? { settings: read } : { problem: textOf(problems) };
}

export function checkSubscriptionDeclaration(
  name: string,
  settings: SubscriptionSettings,
  limits: DeclarationLimits,
): CheckedDeclaration<SubscriptionSettings> {
  const problem = subscriptionNameProblem(name);
  if (problem !== undefined) return { problem };
  const problems = new PolicyProblems();
  const read = readSubscriptionSettings(spellSubscription(settings), limits, { path: "", problems });
  return problems.isEmpty && read !== undefined ? { settings: read } : { problem: textOf(problems) };
}

function textOf({ list }: PolicyProblems): string {
  return list
    .map(({ path, message, hint }) => `${path} ${message}${hint === undefined ? "" : ` (${hint})`}`)
    .join("; ");
}
