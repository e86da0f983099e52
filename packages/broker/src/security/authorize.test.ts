import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Action, Grant, Policy } from "../model/policy.ts";
import { patternMatches } from "../model/topic-pattern.ts";
import { authorize, authorizeAdmin, authorizeFilter } from "./authorize.ts";
import { builtInRoles } from "./built-in-roles.ts";
import { compilePolicy } from "./compile-policy.ts";
import { explain } from "./explain.ts";

function grants(action: Grant["action"], ...filters: string[]): Grant[] {
  return filters.map((filter) => ({ action, filter }));
}

/** One role `r` and a principal `p` that has it. */
function policyOf(allow: Grant[], deny: Grant[] = [], principal = "p"): Policy {
  return { roles: { r: { allow, deny } }, principals: { [principal]: { roles: ["r"] } } };
}

const names = ["a", "b", "p", "$x", ""];
const topics = names.flatMap((one) => [
  one,
  ...names.flatMap((two) => [`${one}/${two}`, ...names.map((three) => `${one}/${two}/${three}`)]),
]);

const filters = fc
  .tuple(fc.array(fc.constantFrom("a", "b", "$x", "+", "{principal}"), { minLength: 1, maxLength: 3 }), fc.boolean())
  .map(([levels, all]) => [...levels, ...(all ? ["#"] : [])].join("/"));
const filterLists = fc.array(filters, { maxLength: 4 });

function asPrincipal(filter: string): string {
  return filter.replaceAll("{principal}", "p");
}

describe("authorize", () => {
  it("is default deny, and deny beats allow, over every small topic", () => {
    fc.assert(
      fc.property(filterLists, filterLists, filterLists, (allowOne, allowTwo, deny) => {
        const policy: Policy = {
          roles: {
            one: { allow: grants("publish", ...allowOne), deny: [] },
            two: { allow: grants("publish", ...allowTwo), deny: grants("publish", ...deny) },
          },
          principals: { p: { roles: ["one", "two"] } },
        };
        const compiled = compilePolicy(policy);
        for (const topic of topics.filter((name) => name !== "")) {
          const holds = (list: string[]): boolean => list.some((filter) => patternMatches(asPrincipal(filter), topic));
          const expected = (holds(allowOne) || holds(allowTwo)) && !holds(deny);
          expect([topic, authorize(compiled, "p", "publish", topic)]).toEqual([topic, expected]);
          expect(explain(compiled, "p", "publish", topic).allowed).toBe(expected);
          expect(authorize(compiled, "p", "subscribe", topic)).toBe(false);
          expect(authorize(compiled, "q", "publish", topic)).toBe(false);
        }
      }),
      { numRuns: 100 },
    );
  });

  it("gives nothing that is not allow minus deny to a granted filter (LESSONS 25)", () => {
    fc.assert(
      fc.property(filterLists, filterLists, filters, (allow, deny, wanted) => {
        const filter = asPrincipal(wanted);
        const compiled = compilePolicy(policyOf(grants("subscribe", ...allow), grants("subscribe", ...deny)));
        const verdict = authorizeFilter(compiled, "p", "subscribe", filter);
        const matched = topics.filter((topic) => topic !== "" && patternMatches(filter, topic));
        const delivered = matched.filter((topic) => authorize(compiled, "p", "subscribe", topic));
        const allowed = matched.filter((topic) => allow.some((entry) => patternMatches(asPrincipal(entry), topic)));
        const denied = new Set(
          matched.filter((topic) => deny.some((entry) => patternMatches(asPrincipal(entry), topic))),
        );
        expect(delivered).toEqual(allowed.filter((topic) => !denied.has(topic)));
        // Granted: the allows reach all of the filter. Refused although they do: one deny takes it all.
        if (verdict === "granted") expect(allowed).toEqual(matched);
        if (deny.some((entry) => asPrincipal(entry) === filter)) expect(verdict).toBe("denied");
        expect(explain(compiled, "p", "subscribe", filter).allowed).toBe(
          filter.includes("+") || filter.includes("#") ? verdict === "granted" : delivered.length > 0,
        );
      }),
      { numRuns: 400 },
    );
  });

  it("agrees with authorizeFilter on filters without wildcards", () => {
    fc.assert(
      fc.property(filterLists, filterLists, (allow, deny) => {
        const compiled = compilePolicy(policyOf(grants("subscribe", ...allow), grants("subscribe", ...deny)));
        for (const topic of topics.filter((name) => name !== "")) {
          const granted = authorizeFilter(compiled, "p", "subscribe", topic) === "granted";
          expect([topic, authorize(compiled, "p", "subscribe", topic)]).toEqual([topic, granted]);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("masks and refuses as THREATS A6 says", () => {
    const compiled = compilePolicy(policyOf(grants("subscribe", "#"), grants("subscribe", "secret/#")));
    expect(authorizeFilter(compiled, "p", "subscribe", "#")).toBe("granted");
    expect(authorizeFilter(compiled, "p", "subscribe", "+/x")).toBe("granted");
    expect(authorizeFilter(compiled, "p", "subscribe", "secret/#")).toBe("denied");
    expect(authorizeFilter(compiled, "p", "subscribe", "secret/+/x")).toBe("denied");
    expect(authorizeFilter(compiled, "p", "subscribe", "$SYS/#")).toBe("denied");
    expect(authorize(compiled, "p", "subscribe", "secret/x")).toBe(false);
    expect(authorize(compiled, "p", "subscribe", "secret")).toBe(false);
    expect(authorize(compiled, "p", "subscribe", "open/x")).toBe(true);
  });

  it("does not add allows up", () => {
    const compiled = compilePolicy(policyOf(grants("subscribe", "a", "a/+", "a/+/#")));
    expect(authorizeFilter(compiled, "p", "subscribe", "a/#")).toBe("denied");
    expect(authorizeFilter(compiled, "p", "subscribe", "a/b/#")).toBe("granted");
  });

  it.each(["a/#/b", "", "a+", "#a", "a/+\u0000"])("denies the broken filter %j", (filter) => {
    const compiled = compilePolicy(policyOf(grants("subscribe", "#")));
    expect(authorizeFilter(compiled, "p", "subscribe", filter)).toBe("denied");
    expect(explain(compiled, "p", "subscribe", filter).allowed).toBe(false);
  });

  it.each(["", "#", "a/+", "a/#"])("denies publishing to %j, which is no topic name", (topic) => {
    const compiled = compilePolicy(policyOf(grants("publish", "#")));
    expect(authorize(compiled, "p", "publish", topic)).toBe(false);
    expect(explain(compiled, "p", "publish", topic)).toMatchObject({ allowed: false });
  });
});

describe("{principal}", () => {
  const hostile = ["#", "+", "a/#", "/", "", "a/b", "+/+", ".*", "a|.*", "(?:)", "(a+)+$", "{principal}", "$mess"];

  it.each([...hostile, "__proto__", "constructor", "toString", "${x}", "a\r\nb"])(
    "of the name %j reaches only the level of that name (LESSONS 1, 36)",
    (name) => {
      const policy: Policy = {
        roles: { r: { allow: grants("publish", "dev/{principal}/#", "{principal}/#"), deny: [] } },
        principals: Object.fromEntries([[name, { roles: ["r"] }]]),
      };
      const compiled = compilePolicy(policy);
      const others = [
        "dev",
        "dev/a",
        "dev/a/b",
        "dev/b/c",
        "dev//x",
        "a/b/c",
        "$mess/dead/x",
        "dev/{principal}x/y",
        "x",
      ];
      for (const topic of others) expect([topic, authorize(compiled, name, "publish", topic)]).toEqual([topic, false]);
      for (const filter of ["#", "dev/#", "dev/+/#", "+/#", "$mess/#"]) {
        expect([filter, authorizeFilter(compiled, name, "subscribe", filter)]).toEqual([filter, "denied"]);
      }
      const own = `dev/${name}/x`;
      const plain = name !== "" && !["/", "+", "#"].some((character) => name.includes(character));
      expect(authorize(compiled, name, "publish", own)).toBe(plain);
    },
  );

  it("widens no subscription, whatever the name", () => {
    for (const name of hostile) {
      const compiled = compilePolicy(policyOf(grants("subscribe", "dev/{principal}/#"), [], name));
      for (const filter of ["dev/#", "dev/+/#", "dev/a/#", "dev/a/b/#", "#", "dev//#", "dev/+"]) {
        expect([name, filter, authorizeFilter(compiled, name, "subscribe", filter)]).toEqual([name, filter, "denied"]);
      }
    }
    const compiled = compilePolicy(policyOf(grants("subscribe", "dev/{principal}/#")));
    expect(authorizeFilter(compiled, "p", "subscribe", "dev/p/#")).toBe("granted");
    expect(authorizeFilter(compiled, "p", "subscribe", "dev/{principal}/#")).toBe("denied");
  });

  it("decides for a hostile name in well under a millisecond (LESSONS 36)", () => {
    const name = "(a+)+$".repeat(20);
    const compiled = compilePolicy(policyOf(grants("publish", "dev/{principal}/#"), [], name));
    const start = performance.now();
    for (let round = 0; round < 100; round++) authorize(compiled, name, "publish", `dev/${"a".repeat(1_000)}/x`);
    expect(performance.now() - start).toBeLessThan(100);
  });
});

describe("names that JavaScript objects have", () => {
  it.each(["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"])("%s is nobody", (name) => {
    const compiled = compilePolicy(policyOf(grants("publish", "a/#")));
    expect(authorize(compiled, name, "publish", "a/b")).toBe(false);
    expect(authorizeAdmin(compiled, name, "admin.keys")).toBe(false);
    expect(authorizeFilter(compiled, name, "subscribe", "a/b")).toBe("denied");
    expect(authorize(compiled, "p", "publish", name)).toBe(false);
    expect(authorize(compiled, "p", name as Action, "a/b")).toBe(false);
    expect(explain(compiled, name, "publish", "a/b").allowed).toBe(false);
  });
});

describe("admin actions and built-in roles", () => {
  const actions = (["keys", "policy", "sessions", "metrics", "audit", "storage"] as const).map(
    (word) => `admin.${word}` as const,
  );
  const held: Record<string, string[]> = {
    admin: actions,
    viewer: ["admin.metrics"],
    operator: ["admin.metrics", "admin.sessions", "admin.storage"],
    "publisher-admin": [],
    "security-admin": ["admin.keys", "admin.policy"],
    auditor: ["admin.audit", "admin.metrics"],
  };

  it("are what the table says, for every role", () => {
    expect(Object.keys(held).sort()).toEqual(builtInRoles.map((role) => role.name).sort());
    for (const [role, expected] of Object.entries(held)) {
      const compiled = compilePolicy({ roles: {}, principals: { p: { roles: [role] } } });
      const got = actions.filter((action) => authorizeAdmin(compiled, "p", action));
      expect([role, got.sort()]).toEqual([role, [...expected].sort()]);
      for (const action of actions) {
        expect(authorize(compiled, "p", action, "")).toBe(expected.includes(action));
        expect(explain(compiled, "p", action, "").allowed).toBe(expected.includes(action));
      }
    }
  });

  it("keep granting and reading the audit trail apart, except for admin", () => {
    for (const role of builtInRoles.filter((entry) => entry.name !== "admin")) {
      const allowed = role.allow.map((grant) => grant.action);
      expect(allowed.includes("admin.policy") && allowed.includes("admin.audit")).toBe(false);
    }
  });

  it("let only admin read messages", () => {
    for (const role of builtInRoles) {
      const compiled = compilePolicy({ roles: {}, principals: { p: { roles: [role.name] } } });
      expect([role.name, authorize(compiled, "p", "subscribe", "a/b")]).toEqual([role.name, role.name === "admin"]);
    }
  });

  it("cannot be replaced, and the admin principal keeps admin", () => {
    const compiled = compilePolicy({
      roles: { admin: { allow: [], deny: grants("admin.*", "#") }, r: { allow: [], deny: grants("admin.*", "#") } },
      principals: { admin: { roles: ["r"] } },
    });
    expect(authorizeAdmin(compiled, "admin", "admin.policy")).toBe(true);
    expect(authorize(compiled, "admin", "publish", "a")).toBe(true);
    expect(authorize(compiled, "admin", "subscribe", "$mess/dead/x")).toBe(true);
  });

  it("a deny takes an admin action away", () => {
    const compiled = compilePolicy({
      roles: { no: { allow: [], deny: grants("admin.keys", "#") } },
      principals: { p: { roles: ["security-admin", "no"] } },
    });
    expect(authorizeAdmin(compiled, "p", "admin.keys")).toBe(false);
    expect(authorizeAdmin(compiled, "p", "admin.policy")).toBe(true);
  });
});

describe("compilePolicy", () => {
  it("refuses a policy that was not checked", () => {
    expect(() => compilePolicy({ roles: {}, principals: { p: { roles: ["ghost"] } } })).toThrow("unknown role");
    expect(() => compilePolicy(policyOf([], grants("publish", "a/#/b")))).toThrow("unchecked policy");
  });
});

describe("explain", () => {
  const compiled = compilePolicy({
    roles: {
      device: {
        allow: [...grants("publish", "plant/7/#", "misc"), ...grants("subscribe", "plant/#")],
        deny: grants("subscribe", "plant/9/#"),
      },
    },
    principals: { dev7: { roles: ["device"] }, ghost: { roles: [] } },
  });

  it("names the deciding grant or the nearest", () => {
    expect(explain(compiled, "dev7", "publish", "plant/7/temp")).toEqual({
      allowed: true,
      because: 'role device allows publish on "plant/7/#"',
      role: "device",
    });
    expect(explain(compiled, "dev7", "publish", "plant/8/temp")).toEqual({
      allowed: false,
      because: 'no grant allows it; nearest: role device allows publish on "plant/7/#"',
    });
    expect(explain(compiled, "dev7", "subscribe", "plant/9/x")).toEqual({
      allowed: false,
      because: 'role device denies subscribe on "plant/9/#"',
      role: "device",
    });
    expect(explain(compiled, "dev7", "subscribe", "plant/+/x").because).toBe(
      'role device allows subscribe on "plant/#"; role device masks "plant/9/#" at delivery',
    );
    expect(explain(compiled, "dev7", "will", "x").because).toBe("no grant allows will (roles: device)");
    expect(explain(compiled, "ghost", "publish", "x").because).toContain("has no role");
    expect(explain(compiled, "admin", "admin.keys", "").because).toBe("role admin allows admin.keys");
  });

  it("escapes what comes from outside", () => {
    expect(explain(compiled, "a\r\nb", "publish", "x").because).not.toContain("\n");
    expect(explain(compiled, "dev7", "publish", "#\u001b[2J").because).not.toContain("\u001b");
  });
});
