import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Grant, Policy } from "../model/policy.ts";
import { certificateNames } from "./declared-document.test-data.ts";
import { policyFromJson, policyFromToml, policyToToml } from "./policy-document.ts";

const example = `
# people may write here
[roles.order-writer]
allow = [{ publish = "orders/#" }]
[roles.billing]
allow = [{ consume = "billing" }, { subscribe = "orders/+/created" }, { admin = "*" }]
deny  = [{ subscribe = "orders/secret/#" }]
[principals.shop]
roles = ["order-writer"]
[principals.biller]
roles = ["billing", "viewer"]
`;

describe("policyFromToml", () => {
  it("gives what the same document in JSON gives", () => {
    const json = JSON.stringify({
      roles: {
        "order-writer": { allow: [{ publish: "orders/#" }] },
        billing: {
          allow: [{ consume: "billing" }, { subscribe: "orders/+/created" }, { admin: "*" }],
          deny: [{ subscribe: "orders/secret/#" }],
        },
      },
      principals: { shop: { roles: ["order-writer"] }, biller: { roles: ["billing", "viewer"] } },
    });
    const fromToml = policyFromToml(example);
    expect(fromToml).toHaveProperty("policy");
    expect(fromToml).toEqual(policyFromJson(json));
  });

  it.each(["", " \n\t\n", "# only a comment\n", "\n# a\n# b"])(
    "takes %j as a policy with nobody in it (LESSONS 8)",
    (text) => {
      expect(policyFromToml(text)).toEqual({ policy: { roles: {}, principals: {} } });
    },
  );

  it.each([
    '\ufeff[roles.r]\nallow = [{ publis = "#" }]',
    "roles",
    "[roles",
    "roles = 1",
    "roles = 2020-01-01",
    "[[roles]]",
    "\u0000",
    "[roles.r]\nallow = [{ publish = a }]",
    '[roles.__proto__]\nallow = [{ publish = "#" }]',
    "[__proto__]\nroles = {}",
    '[principals.p]\nroles = ["constructor"]',
    '[topics."orders/#"]\nowner = 1',
    '[topics."$SYS/#"]\nowner = "shop"',
    "[topics.t]\nretention = 2030-01-01T00:00:00Z",
    "[topics.t.schema]\nconst = 2030-01-01",
    "[topics.t.schema]\nmaximum = inf",
    '[subscriptions.s]\nfilters = ["a"]\nstart = 2030-01-01T00:00:00Z',
    "[subscriptions.s]",
    `a = ${"[".repeat(100_000)}`,
  ])("refuses %j", (text) => {
    expect(policyFromToml(text)).toHaveProperty("problems");
  });

  it("does not show the text it could not read", () => {
    const secret = "mess_TOTALLYsecretTOTALLYsecret";
    for (const read of [policyFromToml, policyFromJson]) {
      expect(JSON.stringify(read(`key = ${secret}\n`))).not.toContain("TOTALLY");
    }
    expect(JSON.stringify(policyFromToml("\n\nkey = = 1"))).toContain("line 3");
  });

  it("refuses a text beyond its bound before parsing it", () => {
    const text = " ".repeat(16 * 1_024 * 1_024 + 1);
    expect(policyFromToml(text)).toHaveProperty("problems");
    expect(policyFromJson(text)).toHaveProperty("problems");
  });
});

describe("policyToToml", () => {
  const grant: fc.Arbitrary<Grant> = fc.oneof(
    fc.record({
      action: fc.constantFrom<Grant["action"]>("publish", "subscribe", "retain", "will", "share", "consume"),
      filter: fc.constantFrom("a/#", "+", '"', "\\", "a b", "ä", "dev/{principal}/#", "$mess/#", "'''", "a=b]"),
    }),
    fc.record({
      action: fc.constantFrom<Grant["action"]>("admin.*", "admin.keys", "admin.audit"),
      filter: fc.constant("#"),
    }),
  );
  const names = fc.constantFrom("r", "constructor", "a.b", 'q"x', "\\", "Zoë", "x y", "[r]", "toString", "r = 1");
  const policies: fc.Arbitrary<Policy> = fc
    .tuple(
      fc.dictionary(names, fc.record({ allow: fc.array(grant), deny: fc.array(grant) }), { maxKeys: 5 }),
      fc.array(names, { maxLength: 5 }),
      certificateNames,
    )
    .map(([roles, principals, certificates]) => ({
      roles,
      principals: {
        ...Object.fromEntries(principals.map((name) => [name, { roles: [...Object.keys(roles), "viewer"] }])),
        device: { roles: [], certificates },
      },
    }));

  it("is read back to the same policy", () => {
    fc.assert(
      fc.property(policies, (policy) => {
        expect(policyFromToml(policyToToml(policy))).toEqual({ policy });
        expect(policyFromJson(JSON.stringify(policy))).toEqual({ policy });
      }),
    );
  });

  it("reads well", () => {
    const read = policyFromToml(example);
    if ("problems" in read) throw new Error("refused");
    expect(policyToToml(read.policy)).toBe(`[roles.billing]
allow = [
  { consume = "billing" },
  { subscribe = "orders/+/created" },
  { admin = "*" },
]
deny = [
  { subscribe = "orders/secret/#" },
]

[roles.order-writer]
allow = [
  { publish = "orders/#" },
]
deny = []

[principals.biller]
roles = ["billing", "viewer"]

[principals.shop]
roles = ["order-writer"]
`);
    expect(policyToToml({ roles: {}, principals: {} })).toBe("");
  });
});
