import { describe, expect, it } from "vitest";
import type { Policy, PolicyDocument } from "../model/policy.ts";
import { defaultSubscriptionSettings } from "../model/settings.ts";
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

  it("shows in full the names of client certificates that let somebody in, or no longer do", () => {
    const device = (...certificates: string[]): Policy => ({
      roles: {},
      principals: { device: { roles: ["viewer"], certificates } },
    });
    const before = device("dns:a.example", "dns:b.example");
    const after = device("dns:b.example", "uri:urn:c");
    expect(diffPolicies(before, after)).toEqual([
      "~ principal device: +certificate uri:urn:c, -certificate dns:a.example",
    ]);
    expect(diffPolicies(empty, after)).toEqual(["+ principal device (viewer; certificates dns:b.example, uri:urn:c)"]);
    expect(diffPolicies(device(), { roles: {}, principals: { device: { roles: ["viewer"] } } })).toEqual([]);
  });

  it("sees a grant that only changed its filter, and no change of order", () => {
    const role = (...filters: string[]): Policy => ({
      roles: { r: { allow: filters.map((filter) => ({ action: "publish", filter })), deny: [] } },
      principals: {},
    });
    expect(diffPolicies(role("a", "b"), role("b", "a"))).toEqual([]);
    expect(diffPolicies(role("a"), role("b"))).toEqual(["~ role r: +1 grant, -1 grant"]);
  });

  it("tells what is declared, where the document has the section", () => {
    const settings = { ...defaultSubscriptionSettings, filters: ["a", "b"] };
    const before: PolicyDocument = {
      ...empty,
      topics: { "a/#": { maxMessageBytes: 1024 * 1024, owner: "shop" }, gone: {}, same: { schema: { a: 1, b: 2 } } },
      subscriptions: { billing: settings, same: settings, old: settings },
    };
    const after: PolicyDocument = {
      ...empty,
      topics: {
        "a/#": { maxMessageBytes: 256 * 1024, schema: { $comment: "x".repeat(100) } },
        fresh: { retention: { ageMs: 86_400_000 }, owner: "shop" },
        same: { schema: { b: 2, a: 1 } },
      },
      subscriptions: {
        billing: { ...settings, filters: ["a", "c"], ordering: "key", maxDeliveries: 7 },
        same: { ...settings, filters: ["b", "a"] },
        fresh: settings,
      },
    };
    expect(diffPolicies(before, after)).toEqual([
      "~ topic a/#: -owner, maxMessageSize 1MiB -> 256KiB, +schema",
      "+ topic fresh (owner shop, retention 1d)",
      "- topic gone (no settings)",
      "~ subscription billing: filters a b -> a c, +ordering key, +maxDeliveries 7",
      "+ subscription fresh (filters a b)",
      "- subscription old (filters a b)",
    ]);
    expect(diffPolicies(before, empty)).toEqual([]);
    expect(diffPolicies(before, { ...empty, topics: {} })).toHaveLength(3);
    expect(diffPolicies(empty, before)).toHaveLength(6);
  });
});
