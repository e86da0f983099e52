/** Rights of scoped tokens: always the owner's verdict and the scope's, for every question there is. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { derivedPrincipal } from "../model/derived-principal.ts";
import type { Action, AdminAction, Grant, Policy } from "../model/policy.ts";
import { patternMatches } from "../model/topic-pattern.ts";
import { authorize, authorizeAdmin, authorizeFilter, type FilterAction } from "./authorize.ts";
import { type CompiledPolicy, compilePolicy, compileScope } from "./compile-policy.ts";
import { explain } from "./explain.ts";
import { mayHandOut } from "./may-hand-out.ts";
import { grantedNames, maySeeSubscription, subscriptionRefusal, topicRefusal } from "./ownership.ts";
import { principalNameProblem } from "./principal-name.ts";
import { holdsSome, holdsWhole } from "./whole-filter.ts";

const levels = ["a", "b", "p", "$mess"];
const topics = levels.flatMap((one) => [
  one,
  ...levels.flatMap((two) => [`${one}/${two}`, ...levels.map((three) => `${one}/${two}/${three}`)]),
]);
const token = derivedPrincipal("p", "k_1");

const filters = fc
  .tuple(fc.array(fc.constantFrom("a", "b", "$mess", "+", "{principal}"), { minLength: 1, maxLength: 3 }), fc.boolean())
  .map(([parts, all]) => [...parts, ...(all ? ["#"] : [])].join("/"));
const topicActions: readonly Action[] = ["publish", "subscribe", "consume", "share", "retain", "will", "manage"];
const adminActions: readonly AdminAction[] = ["admin.keys", "admin.policy", "admin.metrics"];
const grants = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ action: fc.constantFrom(...topicActions), filter: filters }) },
    {
      weight: 1,
      arbitrary: fc
        .constantFrom<Grant["action"]>("admin.*", ...adminActions)
        .map((action) => ({ action, filter: "#" })),
    },
  ),
  { maxLength: 6 },
);

interface Drawn {
  readonly compiled: CompiledPolicy;
  /** Where a principal `p` has the scope as its one role: what the scope alone says. */
  readonly scopeAlone: CompiledPolicy;
}

const drawn: fc.Arbitrary<Drawn> = fc.tuple(grants, grants, grants, grants).map(([one, two, deny, scope]) => {
  const policy: Policy = {
    roles: { one: { allow: one, deny: [] }, two: { allow: two, deny } },
    principals: { p: { roles: ["one", "two"] } },
  };
  return {
    compiled: compilePolicy(policy, new Map([[token, compileScope("p", scope)]])),
    scopeAlone: compilePolicy({
      roles: { scope: { allow: scope, deny: [] } },
      principals: { p: { roles: ["scope"] } },
    }),
  };
});

describe("a scoped token", () => {
  it("may on a topic what its owner may and its scope allows", () => {
    fc.assert(
      fc.property(drawn, fc.constantFrom(...topicActions), ({ compiled, scopeAlone }, action) => {
        for (const topic of topics) {
          const both = authorize(compiled, "p", action, topic) && authorize(scopeAlone, "p", action, topic);
          expect([topic, authorize(compiled, token, action, topic)]).toEqual([topic, both]);
          expect(explain(compiled, token, action, topic).allowed).toBe(both);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("may on a filter what its owner may and its scope allows, and is shown nothing else by it", () => {
    fc.assert(
      fc.property(
        drawn,
        fc.constantFrom<FilterAction>("subscribe", "share", "consume"),
        filters,
        ({ compiled, scopeAlone }, action, wanted) => {
          const filter = wanted.replaceAll("{principal}", "p");
          const ask = (policy: CompiledPolicy, name: string): string => authorizeFilter(policy, name, action, filter);
          const both = ask(compiled, "p") === "granted" && ask(scopeAlone, "p") === "granted";
          expect(ask(compiled, token)).toBe(both ? "granted" : "denied");
          if (!both) return;
          for (const topic of topics.filter((name) => patternMatches(filter, name))) {
            const shown = authorize(compiled, token, action, topic);
            expect([topic, shown]).toEqual([topic, authorize(compiled, "p", action, topic)]);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it("may with the broker what its owner may and its scope allows", () => {
    fc.assert(
      fc.property(drawn, fc.constantFrom(...adminActions), ({ compiled, scopeAlone }, action) => {
        const both = authorizeAdmin(compiled, "p", action) && authorizeAdmin(scopeAlone, "p", action);
        expect(authorizeAdmin(compiled, token, action)).toBe(both);
        expect(authorize(compiled, token, action, "")).toBe(both);
        expect(explain(compiled, token, action, "#").allowed).toBe(both);
      }),
      { numRuns: 300 },
    );
  });

  it("holds the whole of a filter when both do, and something of it only when both do", () => {
    fc.assert(
      fc.property(drawn, fc.constantFrom(...topicActions, ...adminActions), filters, (policies, action, wanted) => {
        const { compiled, scopeAlone } = policies;
        const filter = wanted.replaceAll("{principal}", "p");
        for (const holds of [holdsWhole, holdsSome]) {
          const both = holds(compiled, "p", action, filter) && holds(scopeAlone, "p", action, filter);
          expect(holds(compiled, token, action, filter)).toBe(both);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("never has a right that its owner has not, whatever its scope says", () => {
    fc.assert(
      fc.property(drawn, ({ compiled }) => {
        for (const action of [...topicActions, ...adminActions])
          for (const topic of topics)
            expect(authorize(compiled, token, action, topic) && !authorize(compiled, "p", action, topic)).toBe(false);
      }),
      { numRuns: 50 },
    );
  });

  it("sees the names of subscriptions that it may see", () => {
    fc.assert(
      fc.property(drawn, ({ compiled }) => {
        const names = grantedNames(compiled, token);
        if (names === undefined) return;
        for (const name of ["a", "b", "p", "q"]) {
          const shown = names.includes(name) || authorizeAdmin(compiled, token, "admin.policy");
          expect([name, shown]).toEqual([name, maySeeSubscription(compiled, token, name)]);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("a scope", () => {
  const policy: Policy = {
    roles: {
      all: { allow: [{ action: "subscribe", filter: "#" }], deny: [{ action: "subscribe", filter: "secret/#" }] },
    },
    principals: { p: { roles: ["all"] } },
  };
  const scope: Grant[] = [{ action: "subscribe", filter: "dev/{principal}/#" }];
  const scoped = new Map([[token, compileScope("p", scope)]]);

  it("has the owner for {principal}, not the derived name", () => {
    const compiled = compilePolicy(policy, scoped);
    expect(authorize(compiled, token, "subscribe", "dev/p/x")).toBe(true);
    expect(authorize(compiled, token, "subscribe", `dev/${token}/x`)).toBe(false);
    expect(authorizeFilter(compiled, token, "subscribe", "dev/p/#")).toBe("granted");
    expect(authorizeFilter(compiled, token, "subscribe", "dev/+/#")).toBe("denied");
  });

  it("goes with its token: nothing is left under the name", () => {
    const live = new Map(scoped);
    const compiled = compilePolicy(policy, live);
    expect(authorize(compiled, token, "subscribe", "dev/p/x")).toBe(true);
    live.delete(token);
    expect(authorize(compiled, token, "subscribe", "dev/p/x")).toBe(false);
    expect(explain(compiled, token, "subscribe", "dev/p/x").allowed).toBe(false);
  });

  it("gives no right of an owner that the policy does not know any more", () => {
    const compiled = compilePolicy({ roles: {}, principals: {} }, scoped);
    expect(authorize(compiled, token, "subscribe", "dev/p/x")).toBe(false);
  });

  it("says in the explanation whose no it is", () => {
    const compiled = compilePolicy(policy, scoped);
    expect(explain(compiled, token, "subscribe", "other/x").because).toContain("the scope of the token");
    expect(explain(compiled, token, "subscribe", "secret/x").because).toContain("role all denies");
  });

  it("does not reach another owner's tree; what the owner owns is the token's to manage, inside its scope", () => {
    const manager: Policy = {
      roles: {
        m: {
          allow: [
            { action: "manage", filter: "#" },
            { action: "consume", filter: "+" },
          ],
          deny: [],
        },
      },
      principals: { p: { roles: ["m"] } },
    };
    const compiled = compilePolicy(
      manager,
      new Map([
        [
          token,
          compileScope("p", [
            { action: "manage", filter: "own/#" },
            { action: "consume", filter: "q" },
          ]),
        ],
      ]),
    );
    const trees = [
      { filter: "own/#", owner: "p" },
      { filter: "own/else/#", owner: "x" },
    ];
    const asked = { compiled, by: token, owner: undefined, trees };
    expect(topicRefusal(asked, "own/a", undefined)).toBeUndefined();
    expect(topicRefusal(asked, "own/#", { owner: "p" })).toBeUndefined();
    expect(topicRefusal(asked, "own/else/a", undefined)).toMatch(/owned by "x"/);
    expect(topicRefusal(asked, "free/a", undefined)).toMatch(/right manage/);
    expect(subscriptionRefusal({ ...asked, name: "q", filters: ["own/a"] }, undefined)).toBeUndefined();
    expect(subscriptionRefusal({ ...asked, name: "r", filters: ["own/a"] }, undefined)).toMatch(/the name "r"/);
  });

  it("lets a token hand out no more than it holds", () => {
    const admin = derivedPrincipal("admin", "k_2");
    const compiled = compilePolicy(
      { ...policy, principals: {} },
      new Map([[admin, compileScope("admin", [{ action: "admin.keys", filter: "#" }])]]),
    );
    expect(mayHandOut(compiled, { by: "admin", holder: "x", roles: ["all"] })).toBe(true);
    expect(mayHandOut(compiled, { by: admin, holder: "x", roles: ["all"] })).toBe(false);
  });
});

describe("the mark of derived names", () => {
  it.each(["p~k_1", "~", "a~b", "~a"])("is in no name of a policy: %j", (name) => {
    expect(principalNameProblem(name)).toContain("~");
  });
});
