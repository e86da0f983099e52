import { describe, expect, it } from "vitest";
import type { Policy } from "../model/policy.ts";
import { builtInRoles } from "./built-in-roles.ts";
import { checkPolicy } from "./policy-check.ts";
import type { PolicyProblem } from "./policy-problems.ts";

function accepted(value: unknown): Policy {
  const checked = checkPolicy(value);
  if ("problems" in checked) throw new Error(JSON.stringify(checked.problems));
  return checked.policy;
}

function problems(value: unknown): readonly PolicyProblem[] {
  const checked = checkPolicy(value);
  return "problems" in checked ? checked.problems : [];
}

function withGrant(grant: unknown): unknown {
  return { roles: { r: { allow: [grant] } } };
}

function certified(certificates: unknown): unknown {
  return { principals: { p: { roles: ["viewer"], certificates } } };
}

function withPrincipal(name: string): unknown {
  return { principals: Object.fromEntries([[name, { roles: ["viewer"] }]]) };
}

describe("checkPolicy", () => {
  it("reads the document of DESIGN section 8", () => {
    const policy = accepted({
      roles: {
        "order-writer": { allow: [{ publish: "orders/#" }] },
        billing: {
          allow: [{ consume: "billing" }, { subscribe: ["orders/+/created", "x"] }, { admin: ["keys", "*"] }],
          deny: [{ subscribe: "orders/secret/#", share: "orders/secret/#" }],
        },
      },
      principals: { shop: { roles: ["order-writer", "viewer"] } },
    });
    expect(policy).toEqual({
      roles: {
        "order-writer": { allow: [{ action: "publish", filter: "orders/#" }], deny: [] },
        billing: {
          allow: [
            { action: "consume", filter: "billing" },
            { action: "subscribe", filter: "orders/+/created" },
            { action: "subscribe", filter: "x" },
            { action: "admin.keys", filter: "#" },
            { action: "admin.*", filter: "#" },
          ],
          deny: [
            { action: "subscribe", filter: "orders/secret/#" },
            { action: "share", filter: "orders/secret/#" },
          ],
        },
      },
      principals: { shop: { roles: ["order-writer", "viewer"] } },
    });
    expect(accepted(policy)).toEqual(policy);
    expect(accepted(JSON.parse(JSON.stringify(policy)))).toEqual(policy);
  });

  it("takes an empty document as a policy with nobody in it (LESSONS 8)", () => {
    expect(accepted({})).toEqual({ roles: {}, principals: {} });
  });

  it.each([undefined, null, [], "", "roles", 1, true, new Date(0), new Map()])("refuses %j as a document", (value) => {
    expect(problems(value)).toHaveLength(1);
  });

  it.each<[string, unknown, string, RegExp]>([
    ["an unknown section", { role: {} }, "role", /did you mean `roles`/],
    ["an unknown key of a role", { roles: { r: { alow: [] } } }, "roles.r.alow", /did you mean `allow`/],
    ["an unknown action", withGrant({ pubish: "a" }), "roles.r.allow[0].pubish", /did you mean `publish`/],
    ["an unknown admin action", withGrant({ admin: "key" }), "roles.r.allow[0].admin", /did you mean `keys`/],
    ["an empty grant", withGrant({}), "roles.r.allow[0]", /empty/],
    ["a grant that is text", withGrant("publish"), "roles.r.allow[0]", /table/],
    ["a filter that is a number", withGrant({ publish: 1 }), "roles.r.allow[0].publish", /string/],
    ["a filter that is null", withGrant({ publish: null }), "roles.r.allow[0].publish", /string/],
    ["no filters", withGrant({ publish: [] }), "roles.r.allow[0].publish", /non-empty/],
    ["a bad filter", withGrant({ publish: ["a", "a/#/b"] }), "roles.r.allow[0].publish[1]", /last level/],
    ["an empty filter", withGrant({ publish: "" }), "roles.r.allow[0].publish", /at least one/],
    ["a foreign template", withGrant({ publish: "dev/{clientId}/#" }), "roles.r.allow[0].publish", /\{principal\}/],
    ["a half template", withGrant({ publish: "dev/x{principal}" }), "roles.r.allow[0].publish", /alone in its level/],
    ["$share in a filter", withGrant({ subscribe: "$share/g/a" }), "roles.r.allow[0].subscribe", /grant `share`/],
    ["an unknown $ tree", withGrant({ publish: "$CONTROL/#" }), "roles.r.allow[0].publish", /broker's/],
    ["a mixed form", withGrant({ action: "publish", filter: "a", x: 1 }), "roles.r.allow[0].x", /not a key/],
    ["a form without filter", withGrant({ action: "publish" }), "roles.r.allow[0].filter", /string/],
    [
      "a form of unknown action",
      withGrant({ action: "admin.key", filter: "#" }),
      "roles.r.allow[0].action",
      /admin\.keys/,
    ],
    ["an admin form with a filter", withGrant({ action: "admin.keys", filter: "a" }), "roles.r.allow[0].filter", /"#"/],
    ["allow that is a table", { roles: { r: { allow: { publish: "a" } } } }, "roles.r.allow", /array/],
    ["an unknown role", { principals: { p: { roles: ["viewr"] } } }, "principals.p.roles[0]", /did you mean `viewer`/],
    ["a role that is no text", { principals: { p: { roles: [1] } } }, "principals.p.roles[0]", /name of a role/],
    ["roles that are text", { principals: { p: { roles: "viewer" } } }, "principals.p.roles", /array/],
    ["a principal without roles", { principals: { p: {} } }, "principals.p.roles", /array/],
    ["a certificate that is no list", certified("dns:a"), "principals.p.certificates", /array of names/],
    ["a certificate that is no text", certified([1]), "principals.p.certificates[0]", /in quotes/],
    ["a common name", certified(["CN=a"]), "principals.p.certificates[0]", /common names are never looked at/],
    ["a kind in capitals", certified(["DNS:a.example"]), "principals.p.certificates[0]", /begins with/],
    ["a certificate without a name", certified(["dns:"]), "principals.p.certificates[0]", /something after/],
    ["a wildcard", certified(["dns:*.com"]), "principals.p.certificates[0]", /wildcards/],
    ["a wildcard within", certified(["dns:a*.example"]), "principals.p.certificates[0]", /wildcards/],
    ["a NUL in a name", certified(["dns:a.example\0.evil"]), "principals.p.certificates[0]", /visible ASCII/],
    ["a name beyond ASCII", certified(["dns:\u00e4.example"]), "principals.p.certificates[0]", /xn--/],
    ["a name of ours", certified(["uri:urn:mess:principal:admin"]), "principals.p.certificates[0]", /reserved/],
    ["a long name", certified([`uri:${"a".repeat(513)}`]), "principals.p.certificates[0]", /512/],
    ["a name twice", certified(["dns:a", "dns:a"]), "principals.p.certificates[1]", /also in .*certificates\[0\]/],
    [
      "a name of two principals",
      { principals: { p: { roles: [], certificates: ["dns:a"] }, q: { roles: [], certificates: ["dns:b", "dns:a"] } } },
      "principals.q.certificates[1]",
      /also in principals\.p\.certificates\[0\]/,
    ],
    ["an unknown key of a principal", { principals: { p: { roles: [], rols: [] } } }, "principals.p.rols", /`roles`/],
    [
      "another role for admin",
      { principals: { admin: { roles: ["viewer"] } } },
      "principals.admin",
      /lock everybody out/,
    ],
    ["no role for admin", { principals: { admin: { roles: [] } } }, "principals.admin", /lock everybody out/],
  ])("refuses %s", (_what, value, path, text) => {
    const found = problems(value).find((problem) => problem.path === path);
    expect(`${found?.message} ${found?.hint ?? ""}`).toMatch(text);
  });

  it("does not let a built-in role be redefined", () => {
    for (const role of builtInRoles) {
      const [problem] = problems({ roles: { [role.name]: { allow: [{ publish: "#" }] } } });
      expect(problem?.message).toContain("built in");
    }
  });

  it("takes the admin principal with exactly its role", () => {
    expect(accepted({ principals: { admin: { roles: ["admin"] } } }).principals["admin"]).toEqual({ roles: ["admin"] });
  });

  it.each([
    "a+b",
    "#",
    "a/b",
    "{x}",
    "x}",
    "",
    "a\nb",
    "a\u007fb",
    "\ud800",
    " a",
    "$mess",
    "__proto__",
    "x".repeat(129),
  ])("refuses the principal name %j", (name) => {
    expect(problems(withPrincipal(name)).length).toBeGreaterThan(0);
    expect(problems({ roles: Object.fromEntries([[name, {}]]) }).length).toBeGreaterThan(0);
  });

  it.each(["constructor", "toString", "hasOwnProperty", ".*", "(a|a)*$", "a|.*", "Zoë", "a b", "x".repeat(128)])(
    "takes the name %j as a name and nothing more",
    (name) => {
      const policy = accepted({
        roles: Object.fromEntries([[name, {}]]),
        principals: Object.fromEntries([[name, { roles: [name] }]]),
      });
      expect(Object.keys(policy.roles)).toEqual([name]);
      expect(policy.principals[name]).toEqual({ roles: [name] });
      expect(accepted({}).roles[name]).toBeUndefined();
    },
  );

  it("does not find roles on the prototype", () => {
    for (const role of ["constructor", "toString", "__proto__", "hasOwnProperty"]) {
      expect(problems({ principals: { p: { roles: [role] } } })).toHaveLength(1);
    }
    const polluted: unknown = JSON.parse('{"roles":{"__proto__":{"allow":[{"publish":"#"}]}}}');
    expect(problems(polluted)).toHaveLength(1);
    expect(problems(JSON.parse('{"__proto__":{"roles":{}}}'))).toHaveLength(1);
    expect(({} as Record<string, unknown>)["allow"]).toBeUndefined();
  });

  it("holds its limits", () => {
    const many = (count: number, entry: unknown): unknown =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`n${index}`, entry]));
    expect(problems({ roles: many(1_000, {}) })).toHaveLength(0);
    expect(problems({ roles: many(1_001, {}) })[0]?.message).toContain("at most 1000");
    const grants = (count: number): unknown => ({ allow: Array.from({ length: count }, () => ({ publish: "a" })) });
    expect(problems({ roles: { r: grants(1_000) } })).toHaveLength(0);
    expect(problems({ roles: { r: grants(1_001) } })[0]?.message).toContain("at most 1000");
    expect(problems({ roles: many(101, grants(1_000)) })[0]?.message).toContain("at most 100000");
    expect(problems({ principals: many(100_001, { roles: [] }) })[0]?.message).toContain("at most 100000");
    const roles = Array.from({ length: 101 }, () => "viewer");
    expect(problems({ principals: { p: { roles } } })[0]?.message).toContain("at most 100");
  });

  it("bounds what it says about a hostile document", () => {
    const keys = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`${"k".repeat(2_000)}${index}`, 1]));
    const found = problems(keys);
    expect(found).toHaveLength(50);
    expect(JSON.stringify(found).length).toBeLessThan(20_000);
  });
});
