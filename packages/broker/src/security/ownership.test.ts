import { describe, expect, it } from "vitest";
import type { Grant, Policy } from "../model/policy.ts";
import { compilePolicy } from "./authorize.ts";
import { maySeeSubscription, type OwnedTree, subscriptionRefusal, topicRefusal } from "./ownership.ts";

const manage = (filter: string): Grant => ({ action: "manage", filter });
const create = (filter: string): Grant => ({ action: "create", filter });
const consume = (name: string): Grant => ({ action: "consume", filter: name });
const policy: Policy = {
  roles: {
    shop: { allow: [manage("orders/#"), consume("billing")], deny: [] },
    closed: { allow: [], deny: [manage("free/closed/#")] },
    other: { allow: [manage("#"), manage("$mess/queue/+")], deny: [] },
    maker: { allow: [create("teams/{principal}/#"), manage("$mess/queue/{principal}")], deny: [] },
    nothing: { allow: [{ action: "publish", filter: "#" }], deny: [] },
  },
  principals: {
    a: { roles: ["shop"] },
    b: { roles: ["other"] },
    c: { roles: ["other", "closed"] },
    team: { roles: ["maker"] },
    nobody: { roles: ["nothing"] },
    chief: { roles: ["security-admin"] },
    setup: { roles: ["publisher-admin"] },
  },
};
const compiled = compilePolicy(policy);
const owned: readonly OwnedTree[] = [
  { filter: "orders/#", owner: "a" },
  { filter: "orders/vault/#", owner: "v" },
  { filter: "plants/+/state", owner: "p" },
  { filter: "#", owner: undefined },
];

function topic(
  by: string,
  filter: string,
  more: { owner?: string; existing?: string | null } = {},
): string | undefined {
  const { owner, existing } = more;
  const known = existing === undefined ? undefined : { owner: existing ?? undefined };
  return topicRefusal({ compiled, by, owner, trees: owned }, filter, known);
}

describe("topicRefusal", () => {
  it.each<
    [by: string, filter: string, more: { owner?: string; existing?: string | null }, refused: RegExp | undefined]
  >([
    // its own tree
    ["a", "orders/eu/#", {}, undefined],
    ["a", "orders/eu", { owner: "a" }, undefined],
    ["a", "orders/#", { existing: "a" }, undefined],
    ["a", "orders/#", { existing: "a", owner: "b" }, /somebody else/],
    // not below another's, not above it, not across it
    ["b", "orders/eu/#", {}, /owned by "a"/],
    ["b", "orders/eu", {}, /owned by "a"/],
    ["b", "orders", {}, /owned by "a"/],
    ["b", "#", { existing: null }, /owned by "a"/],
    ["b", "+/eu/#", {}, /owned by "a"/],
    ["b", "+", {}, /owned by "a"/],
    ["b", "plants/#", {}, /owned by "p"/],
    ["b", "plants/7/state", {}, /owned by "p"/],
    ["b", "plants/7/+", {}, /owned by "p"/],
    ["b", "orders/#", { existing: "a" }, /is owned by "a"/],
    // who has nothing to do with it does not learn that it is there
    ["ghost", "orders/#", { existing: "a" }, /right manage/],
    ["nobody", "orders/#", { existing: "a" }, /is owned by "a"/],
    ["nobody", "orders/#", {}, /right manage/],
    // where nobody owns anything the right decides
    ["b", "free/#", {}, undefined],
    ["b", "plants/7/log", {}, undefined],
    ["b", "plants/7/state/x", {}, undefined],
    ["b", "free/#", { existing: null }, undefined],
    ["b", "free/#", { owner: "a" }, /somebody else/],
    ["setup", "free/#", {}, undefined],
    // what somebody else has inside one's own tree is not one's own
    ["a", "orders/vault/x", {}, /owned by "v"/],
    ["a", "orders/+/x", {}, /owned by "v"/],
    // rights
    ["a", "free/#", {}, /right manage/],
    ["a", "#", {}, /right manage/],
    ["c", "free/closed/x", {}, /right manage/],
    ["c", "free/+/x", {}, /right manage/],
    ["c", "free/open/#", {}, undefined],
    ["nobody", "free", {}, /right manage/],
    ["ghost", "free", {}, /right manage/],
    // `create`: what is new, and what is its own
    ["team", "teams/team/x", {}, undefined],
    ["team", "teams/team/#", { existing: "team" }, undefined],
    ["team", "teams/team/#", { existing: null }, /right manage/],
    ["team", "teams/other/x", {}, /right manage/],
    ["team", "teams/+/x", {}, /right manage/],
    // who may change the policy could grant itself the rest
    ["chief", "orders/eu", { owner: "x" }, undefined],
    ["admin", "orders/#", { existing: "a", owner: "b" }, undefined],
  ])("%s declares %s with %j: %s", (by, filter, more, refused) => {
    const found = topic(by, filter, more);
    if (refused === undefined) expect(found).toBeUndefined();
    else expect(found).toMatch(refused);
  });

  it("counts no name of an owner as a pattern", () => {
    const trees = [{ filter: "x/#", owner: "+" }];
    expect(topicRefusal({ compiled, by: "b", owner: undefined, trees }, "x/y", undefined)).toMatch(/owned by "\+"/);
  });

  it("finds the most specific owner in any order", () => {
    const trees = [...owned, { filter: "orders/+/eu", owner: "w" }, { filter: "orders/vault/+", owner: "a" }];
    for (const list of [trees, [...trees].reverse()]) {
      const asked = { compiled, by: "a", owner: undefined, trees: list };
      expect(topicRefusal(asked, "orders/vault/eu", undefined)).toBeUndefined();
      expect(topicRefusal(asked, "orders/x/eu", undefined)).toMatch(/owned by "w"/);
      // Only `orders/vault/#` covers it, and that is another's.
      expect(topicRefusal(asked, "orders/vault/x/y", undefined)).toMatch(/owned by "v"/);
    }
  });
});

describe("subscriptionRefusal", () => {
  it.each<
    [
      by: string,
      name: string,
      filters: readonly string[],
      more: { owner?: string; existing?: string | null },
      refused: RegExp | undefined,
    ]
  >([
    ["a", "billing", ["orders/eu/+/created"], {}, undefined],
    ["a", "billing", ["orders/+/created"], {}, /owned by "v"/],
    ["a", "billing", ["orders/eu/#", "orders/us/#"], { existing: "a" }, undefined],
    ["a", "billing", ["orders/us/x"], { existing: null }, undefined],
    // a name that exists, one that was granted to nobody
    ["a", "billing", ["orders/us/x"], { existing: "b" }, /subscription "billing" is owned by "b"/],
    ["a", "shipping", ["orders/us/x"], {}, /name "shipping" needs a grant/],
    ["setup", "any", ["free/#"], {}, undefined],
    // every filter is asked for
    ["a", "billing", ["orders/us/x", "free"], {}, /right manage/],
    ["a", "billing", ["orders/#"], {}, /owned by "v"/],
    ["a", "billing", ["orders/vault/#"], {}, /owned by "v"/],
    // also of one that is one's own: somebody may have got the topics since
    ["a", "billing", ["orders/vault/#"], { existing: "a" }, /owned by "v"/],
    ["b", "any", ["orders/eu"], {}, /owned by "a"/],
    ["b", "any", ["#"], {}, /owned by "a"/],
    ["b", "any", ["free/#"], {}, undefined],
    ["b", "any", ["free/#"], { owner: "a" }, /somebody else/],
    ["team", "team", ["teams/team/#"], {}, undefined],
    ["team", "team", ["teams/team/#"], { existing: "team" }, undefined],
    ["team", "team", ["teams/team/#"], { existing: null }, /right manage/],
    ["team", "other", ["teams/team/#"], {}, /needs a grant/],
    ["nobody", "any", ["free"], {}, /needs a grant/],
    ["nobody", "any", ["free"], { existing: "b" }, /needs a grant/],
    ["chief", "any", ["orders/#"], { existing: "a", owner: "b" }, undefined],
    ["admin", "any", ["#"], { existing: "a" }, undefined],
  ])("%s declares %s for %j with %j: %s", (by, name, filters, more, refused) => {
    const known = more.existing === undefined ? undefined : { owner: more.existing ?? undefined };
    const found = subscriptionRefusal({ compiled, by, name, filters, owner: more.owner, trees: owned }, known);
    if (refused === undefined) expect(found).toBeUndefined();
    else expect(found).toMatch(refused);
  });
});

it.each([
  ["a", "billing", true],
  ["a", "other", false],
  ["b", "anything", true],
  ["team", "team", true],
  ["team", "a", false],
  ["chief", "x", true],
  ["nobody", "x", false],
  // A name that looks like a filter is no topic, and equals no grant.
  ["b", "+", false],
])("maySeeSubscription(%s, %s): %s", (by, name, expected) => {
  expect(maySeeSubscription(compiled, by, name)).toBe(expected);
});
