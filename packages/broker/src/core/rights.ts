/** The one place of the core that asks `authorize()`, so that nothing can take effect past it. */
import { readAttribute } from "../model/attributes.ts";
import type { MessageView } from "../model/message.ts";
import type { Action } from "../model/policy.ts";
import { deadLetterPrefix } from "../model/settings.ts";
import { authorize, authorizeFilter, type CompiledPolicy, type FilterAction } from "../security/authorize.ts";
import type { RecordedDecision } from "./recorded-decisions.ts";
import type { State } from "./state.ts";

/** May the principal do this to this topic, now? Who may consume from a subscription may read its dead letters, and nobody else. */
export function allowed(state: State, principal: string, action: Action, topic: string): boolean {
  if (state.everythingAllowed) return true;
  state.decisions.note({ principal, action, topic, isFilter: false });
  return verdict(state.compiled, principal, action, topic);
}

function verdict(compiled: CompiledPolicy, principal: string, action: Action, topic: string): boolean {
  if (action === "subscribe" && topic.startsWith(deadLetterPrefix))
    return authorize(compiled, principal, "consume", topic.slice(deadLetterPrefix.length));
  return authorize(compiled, principal, action, topic);
}

const dollar = 0x24;

/**
 * May the principal be shown this message of a topic it may read? A dead letter takes the right to read where it was
 * published as well: what a deny hides stays hidden when it dies.
 */
export function allowedMessage(state: State, principal: string, message: MessageView): boolean {
  if (state.everythingAllowed || message.bytes[message.topicStart] !== dollar) return true;
  const origin = readAttribute(message, "originTopic");
  return origin === undefined || allowed(state, principal, "subscribe", origin);
}

/** May the principal hold a subscription with this filter? Delivery asks again, topic by topic. */
export function allowedFilter(state: State, principal: string, action: FilterAction, filter: string): boolean {
  if (state.everythingAllowed) return true;
  state.decisions.note({ principal, action, topic: filter, isFilter: true });
  return filterVerdict(state.compiled, principal, action, filter);
}

function filterVerdict(compiled: CompiledPolicy, principal: string, action: FilterAction, filter: string): boolean {
  if (action === "subscribe" && filter.startsWith(deadLetterPrefix))
    return authorizeFilter(compiled, principal, "consume", filter.slice(deadLetterPrefix.length)) === "granted";
  return authorizeFilter(compiled, principal, action, filter) === "granted";
}

/** What `compiled` would answer to a question that was asked. */
export function verdictOn(compiled: CompiledPolicy, decision: RecordedDecision): boolean {
  const { principal, action, topic, isFilter } = decision;
  if (isFilter) return filterVerdict(compiled, principal, action as FilterAction, topic);
  return verdict(compiled, principal, action, topic);
}
