import { principalNameProblem } from "./principal-name.ts";

/**
 * Why `name` cannot name a declared subscription, or `undefined` when it can. One grammar with principals: the name is
 * a whole level of `$mess/queue/NAME/#` and of grants, so it holds no separator and no wildcard.
 */
export function subscriptionNameProblem(name: string): string | undefined {
  return principalNameProblem(name);
}
