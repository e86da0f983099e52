import { describe, expect, it } from "vitest";
import type { Policy } from "../model/policy.ts";
import { diffPolicies } from "./policy-diff.ts";

const empty: Policy = { roles: {}, principals: {} };

describe("diffPolicies", () => {
  it("says for people what changes", () => {
    const before: Policy = {
      roles: {
        device: {
          allow: [
            { action: "publish", filter: "a" },
            { action: "publish", filter: "b" },
          ],
          deny: [],
        },
        old: { allow: [], deny: [{ action: "publish", filter: "x" }] },
      },
      principals: { shop: { roles: ["device"] }, gone: { roles: [] } },
    };
    const after: Policy = {
      roles: {
        device: { allow: [{ action: "publish", filter: "b" }], deny: [{ action: "publish", filter: "c" }] },
        auditing: {
          allow: [
            { action: "admin.audit", filter: "#" },
            { action: "admin.metrics", filter: "#" },
          ],
          deny: [],
        },
      },
      principals: { shop: { roles: ["auditing"] }, fresh: { roles: ["viewer", "device"] } },
    };
    expect(diffPolicies(before, after)).toEqual([
      "+ role auditing (2 grants)",
      "~ role device: -1 grant, +1 deny",
      "- role old (1 grant)",
      "+ principal fresh (viewer, device)",
      "- principal gone (no roles)",
      "~ principal shop: +role auditing, -role device",
    ]);
    expect(diffPolicies(before, before)).toEqual([]);
    expect(diffPolicies(empty, empty)).toEqual([]);
  });

  it("sees a grant that only changed its filter, and no change of order", () => {
    const role = (...filters: string[]): Policy => ({
      roles: { r: { allow: filters.map((filter) => ({ action: "publish", filter })), deny: [] } },
      principals: {},
    });
    expect(diffPolicies(role("a", "b"), role("b", "a"))).toEqual([]);
    expect(diffPolicies(role("a"), role("b"))).toEqual(["~ role r: +1 grant, -1 grant"]);
  });
});
