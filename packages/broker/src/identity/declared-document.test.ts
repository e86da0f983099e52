import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PolicyDocument } from "../model/policy.ts";
import { defaultSubscriptionSettings } from "../model/settings.ts";
import { declaredDocuments } from "./declared-document.test-data.ts";
import { policyFromToml, policyToToml } from "./policy-document.ts";

describe("policyToToml, of what is declared", () => {
  it("is read back to the same document", () => {
    fc.assert(
      fc.property(declaredDocuments, (document) => {
        expect(policyFromToml(policyToToml(document))).toEqual({ policy: document });
      }),
      { numRuns: 300 },
    );
  });

  it("tells an empty section from none", () => {
    const document: PolicyDocument = { roles: {}, principals: {}, topics: {}, subscriptions: {} };
    expect(policyToToml(document)).toBe("[topics]\n\n[subscriptions]\n");
    expect(policyFromToml(policyToToml(document))).toEqual({ policy: document });
  });

  it("reads well", () => {
    const text = String.raw`[topics."orders/#"]
owner = "shop"
retention = "7d"
maxMessageSize = "256KiB"
schema = "{\"type\":\"object\"}"
key = "orders/{id}/#"

[topics.plain]

[topics."telemetry/+"]
retention = { age = "36h", bytes = "1GiB" }

[subscriptions.billing]
filters = ["orders/+/created"]
ordering = "key"
ackWait = "45s"
maxDeliveries = 8
backoff = ["2s", "10m"]
start = "2030-01-31T12:00:00Z"
where = { "a b" = "x", region = "eu" }
expiry = "30d"

[subscriptions.everything]
filters = ["#"]
start = 7
`;
    const read = policyFromToml(text);
    if ("problems" in read) throw new Error(JSON.stringify(read.problems));
    expect(policyToToml(read.policy)).toBe(text);
    expect(read.policy.topics?.["telemetry/+"]).toEqual({ retention: { ageMs: 129_600_000, bytes: 1024 ** 3 } });
    expect(read.policy.subscriptions?.["everything"]).toEqual({
      ...defaultSubscriptionSettings,
      filters: ["#"],
      start: { offset: 7 },
    });
  });
});
