/** Random rights, said as plainly as can be: what the broker's own decision is compared with (invariant I5). */
import fc from "fast-check";
import type { Grant, Policy } from "../model/policy.ts";
import { referenceMatches } from "../model/reference-matcher.test-data.ts";
import { principals } from "./history.test-data.ts";

export const queueNames = ["work", "all"] as const;

export type ModelAction = "publish" | "subscribe" | "share" | "retain" | "will" | "consume";

/** A deny in any role beats every allow; without an allow the answer is no. `{principal}` is the name as one level. */
export function mayIn(policy: Policy, principal: string, action: ModelAction, topic: string): boolean {
  const roles = (policy.principals[principal]?.roles ?? []).map((name) => policy.roles[name]);
  const hits = (grants: readonly Grant[] | undefined): boolean =>
    (grants ?? []).some(
      (grant) =>
        grant.action === action &&
        referenceMatches(
          grant.filter
            .split("/")
            .map((level) => (level === "{principal}" ? principal : level))
            .join("/"),
          topic,
        ),
    );
  return roles.some((role) => hits(role?.allow)) && !roles.some((role) => hits(role?.deny));
}

/** May it be shown a message of this topic: a dead letter takes `consume` of its subscription, and what it died as. */
export function mayRead(policy: Policy, principal: string, topic: string, origin: string | undefined): boolean {
  const dead = /^\$mess\/dead\/(?<name>.+)$/u.exec(topic)?.groups?.["name"];
  if (dead === undefined) return mayIn(policy, principal, "subscribe", topic);
  return (
    mayIn(policy, principal, "consume", dead) && (origin === undefined || mayIn(policy, principal, "subscribe", origin))
  );
}

const topicFilter = fc.constantFrom("#", "#", "#", "a/#", "a/+", "a/b", "a", "b", "+/b", "+", "{principal}/#");
const topicGrant: fc.Arbitrary<Grant> = fc.record({
  action: fc.constantFrom("publish", "subscribe", "share", "retain", "will"),
  filter: topicFilter,
});
const consumeGrant: fc.Arbitrary<Grant> = fc.record({
  action: fc.constant("consume" as const),
  filter: fc.constantFrom("#", ...queueNames),
});
const grant = fc.oneof({ weight: 4, arbitrary: topicGrant }, { weight: 1, arbitrary: consumeGrant });

const everything: readonly Grant[] = [
  ...(["publish", "subscribe", "share", "retain", "will", "consume"] as const).map((action) => ({
    action,
    filter: "#",
  })),
  // What the model's clients subscribe to in the broker's own tree.
  { action: "subscribe", filter: "$mess/#" },
];

/** Mostly everything, less what some denies take away; else a few grants. */
const role = fc.oneof(
  fc.record({ allow: fc.constant(everything), deny: fc.array(grant, { maxLength: 3 }) }),
  fc.record({ allow: fc.array(grant, { maxLength: 6 }), deny: fc.array(grant, { maxLength: 2 }) }),
);
const held = fc.subarray(["r0", "r1"]);

export const randomPolicies: fc.Arbitrary<Policy> = fc.tuple(role, role, held, held).map(([r0, r1, first, second]) => ({
  roles: { r0, r1 },
  principals: { [principals[0]]: { roles: first }, [principals[1]]: { roles: second } },
}));

export const everythingForAll: Policy = {
  roles: { r0: { allow: everything, deny: [] }, r1: { allow: [], deny: [] } },
  principals: { [principals[0]]: { roles: ["r0"] }, [principals[1]]: { roles: ["r0"] } },
};
