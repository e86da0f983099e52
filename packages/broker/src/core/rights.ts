/** The one place of the core that asks `authorize()`, so that nothing can take effect past it. */
import { readAttribute } from "../model/attributes.ts";
import type { MessageView } from "../model/message.ts";
import type { Action } from "../model/policy.ts";
import { deadLetterPrefix } from "../model/settings.ts";
import { authorize, authorizeFilter, type FilterAction } from "../security/authorize.ts";
import type { State } from "./state.ts";

/** May the principal do this to this topic, now? Who may consume from a subscription may read its dead letters, and nobody else. */
export function allowed(state: State, principal: string, action: Action, topic: string): boolean {
  if (state.everythingAllowed) return true;
  if (action === "subscribe" && topic.startsWith(deadLetterPrefix))
    return authorize(state.compiled, principal, "consume", topic.slice(deadLetterPrefix.length));
  return authorize(state.compiled, principal, action, topic);
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
  if (action === "subscribe" && filter.startsWith(deadLetterPrefix))
    return authorizeFilter(state.compiled, principal, "consume", filter.slice(deadLetterPrefix.length)) === "granted";
  return authorizeFilter(state.compiled, principal, action, filter) === "granted";
}
