import { Reason, type Refusal } from "../../../model/engine.ts";
import type { EndReason } from "../../../model/link.ts";
import { HttpRefusal, type ProblemCode } from "./problem.ts";

const codes: ReadonlyMap<number, ProblemCode> = new Map([
  [Reason.notAuthorized, "forbidden"],
  [Reason.noSubscriptionExisted, "not-found"],
  [Reason.topicFilterInvalid, "invalid"],
  [Reason.implementationSpecific, "conflict"],
  [Reason.quotaExceeded, "quota-exceeded"],
]);

/** What the engine refused to let somebody read, as the problem to answer with. */
export function engineRefusal({ reason, text }: Refusal): HttpRefusal {
  const code = codes.get(reason) ?? "unavailable";
  const headers = code === "quota-exceeded" || code === "unavailable" ? { "retry-after": "5" } : {};
  return new HttpRefusal(code, text === "" ? undefined : text, { headers });
}

/** As `engineRefusal`, of a declared subscription: there it is its name that is not understood. */
export function consumeRefusal({ reason, text }: Refusal): HttpRefusal {
  return engineRefusal({
    reason: reason === Reason.implementationSpecific ? Reason.noSubscriptionExisted : reason,
    text,
  });
}

/** The engine ended what had begun before there was an answer. */
export function endRefusal(reason: EndReason, text: string): HttpRefusal {
  switch (reason) {
    case "not-authorized":
      return new HttpRefusal("forbidden", text);
    case "session-ended":
    case "administrative":
      return new HttpRefusal("conflict", text);
    default:
      return engineRefusal({ reason: reason === "quota" ? Reason.quotaExceeded : Reason.serverUnavailable, text });
  }
}
