import { describe, expect, it } from "vitest";
import type { Policy } from "../model/policy.ts";
import { compilePolicy } from "./compile-policy.ts";
import { mayHandOut } from "./may-hand-out.ts";

const policy: Policy = {
  roles: {
    device: {
      allow: [
        { action: "publish", filter: "dev/{principal}/#" },
        { action: "subscribe", filter: "cmd/{principal}" },
      ],
      deny: [],
    },
    provisioner: {
      allow: [
        { action: "admin.keys", filter: "#" },
        { action: "publish", filter: "dev/#" },
        { action: "subscribe", filter: "cmd/+" },
      ],
      deny: [{ action: "publish", filter: "dev/vault/#" }],
    },
    wide: { allow: [{ action: "publish", filter: "dev/#" }], deny: [] },
    self: { allow: [{ action: "publish", filter: "{principal}/#" }], deny: [] },
  },
  principals: {
    maker: { roles: ["provisioner", "self"] },
    chief: { roles: ["security-admin"] },
  },
};
const compiled = compilePolicy(policy);

describe("mayHandOut", () => {
  it.each([
    ["a device's own topics", "maker", "d1", ["device"], true],
    ["no roles", "maker", "d1", [], true],
    ["admin", "maker", "admin", ["admin"], false],
    ["security-admin", "maker", "x", ["security-admin"], false],
    ["an admin right it does not hold", "maker", "x", ["viewer"], false],
    ["topics a deny keeps from it", "maker", "x", ["wide"], false],
    ["a device in the denied part", "maker", "vault", ["device"], false],
    ["what its own name gives it", "maker", "other", ["self"], false],
    ["its own role, cut by its deny", "maker", "maker", ["provisioner"], false],
    ["an unknown role", "maker", "x", ["ghost"], false],
    ["a role named like a method", "maker", "x", ["constructor"], false],
    ["anything, by one who may change the policy", "chief", "x", ["admin"], true],
    ["anything, by nobody", "nobody", "x", ["device"], false],
    ["anything, by admin", "admin", "x", ["wide"], true],
  ])("%s: from %s to %s", (_what, by, holder, roles, expected) => {
    expect(mayHandOut(compiled, { by, holder, roles })).toBe(expected);
  });
});
