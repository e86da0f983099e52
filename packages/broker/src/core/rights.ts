/** The one place of the core that asks `authorize()`, so that nothing can take effect past it. */
import type { Action } from "../model/policy.ts";
import { authorize, authorizeFilter, type FilterAction } from "../security/authorize.ts";
import type { State } from "./state.ts";

/** May the principal do this to this topic, now? */
export function allowed(state: State, principal: string, action: Action, topic: string): boolean {
  return state.everythingAllowed || authorize(state.compiled, principal, action, topic);
}

/** May the principal hold a subscription with this filter? Delivery asks again, topic by topic. */
export function allowedFilter(state: State, principal: string, action: FilterAction, filter: string): boolean {
  return state.everythingAllowed || authorizeFilter(state.compiled, principal, action, filter) === "granted";
}
