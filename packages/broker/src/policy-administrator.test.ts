import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { codeOf, Workbench } from "./administrator.test-data.ts";
import type { JournalFrame } from "./model/journal.ts";
import type { Policy, PolicyDocument } from "./model/policy.ts";
import { RecordKind } from "./model/record.ts";
import { defaultSubscriptionSettings, type SubscriptionSettings } from "./model/settings.ts";

const policy: Policy = { roles: {}, principals: { shop: { roles: [] } } };
const on = (filter: string, more: Partial<SubscriptionSettings> = {}): SubscriptionSettings => ({
  ...defaultSubscriptionSettings,
  filters: [filter],
  ...more,
});
const document: PolicyDocument = {
  ...policy,
  topics: { "orders/#": { owner: "shop", maxMessageBytes: 100 }, "a/+": {} },
  subscriptions: { billing: on("orders/#"), audit: on("#", { start: "earliest" }) },
};

let bench: Workbench;
beforeEach(async () => {
  bench = await Workbench.open({ policy });
});
afterEach(() => bench.close());

const apply = (what: PolicyDocument, dryRun = false) => bench.administrator.applyPolicy("admin", what, dryRun);

describe("applyPolicy, of what is declared", () => {
  it("declares it, tells what changes, and keeps it over a restart", async () => {
    const lines = [
      "+ topic a/+ (no settings)",
      "+ topic orders/# (owner shop, maxMessageSize 100B)",
      "+ subscription audit (filters #, start earliest)",
      "+ subscription billing (filters orders/#)",
    ];
    expect(await apply(document, true)).toMatchObject({ lines, applied: false });
    expect(bench.administrator.policy()).toEqual({ ...policy, topics: {}, subscriptions: {} });
    expect(await apply(document)).toEqual({ lines, applied: true });
    expect(bench.administrator.policy()).toEqual(document);
    expect(await apply(document)).toEqual({ lines: [], applied: false });
    expect(bench.events("topic.declared")).toHaveLength(2);
    expect(bench.events("subscription.declared")).toHaveLength(2);
    expect(bench.events("policy.applied")).toHaveLength(1);
    await bench.restart();
    expect(bench.administrator.policy()).toEqual(document);
    expect(await apply(document)).toEqual({ lines: [], applied: false });
    // What is kept is roles and principals: the rest has records of its own.
    expect(Object.keys(bench.engine.machine.state.policy).sort()).toEqual(["principals", "roles"]);
  });

  it("takes a section that is there for the whole truth, and leaves the other as it is", async () => {
    await apply(document);
    expect((await apply(policy)).lines).toEqual([]);
    expect((await apply({ ...policy, topics: { "a/+": { maxMessageBytes: 7 } } })).lines).toEqual([
      "~ topic a/+: +maxMessageSize 7B",
      "- topic orders/# (owner shop, maxMessageSize 100B)",
    ]);
    expect(bench.administrator.policy()).toMatchObject({
      topics: { "a/+": { maxMessageBytes: 7 } },
      subscriptions: document.subscriptions,
    });
    expect((await apply({ ...policy, subscriptions: {} })).applied).toBe(true);
    expect(bench.administrator.policy().subscriptions).toEqual({});
    expect(bench.events("subscription.deleted")).toHaveLength(2);
  });

  it("takes away no owner and no setting that an unchanged document has", async () => {
    await apply(document);
    await bench.administrator.queues.declareTopic("admin", "orders/#", { maxMessageBytes: 5 });
    expect((await apply(document)).lines).toEqual(["~ topic orders/#: maxMessageSize 5B -> 100B"]);
    expect(bench.administrator.policy()).toEqual(document);
  });

  it("deletes no subscription in which something waits", async () => {
    await apply(document);
    await bench.publish("admin", "orders/1", "x");
    const without = { ...policy, roles: { r: { allow: [], deny: [] } }, subscriptions: { audit: on("#") } };
    for (const dryRun of [true, false]) {
      await expect(apply(without, dryRun)).rejects.toThrow(/1 messages and 0 dead letters wait.*"billing"/);
    }
    // All or nothing.
    expect(bench.administrator.policy()).toEqual(document);
    expect(bench.events("admin.refused")[0]).toMatchObject({ act: "policy.apply", by: "admin", code: "conflict" });
    await bench.work("admin", "billing", { verb: "reject" });
    await expect(apply(without)).rejects.toThrow(/1 dead letters/);
    await bench.administrator.queues.purge("admin", "billing", {});
    expect(await codeOf(apply(without))).toBe("done");
  });

  it.each<[PolicyDocument, RegExp]>([
    [{ ...policy, topics: { t: { schema: { $ref: "https://x.test/" } } } }, /topics\."t": schema .*nothing is fetched/],
    [{ ...policy, topics: { t: { maxMessageBytes: 0 } } }, /maxMessageSize is out of range/],
    [{ ...policy, subscriptions: { s: on("$SYS/#") } }, /subscriptions\."s": filters/],
    [{ ...policy, subscriptions: { s: on("a", { start: { offset: 1e9 } }) } }, /subscriptions\."s": start/],
    [{ ...policy, subscriptions: { s: on("a", { ackWaitMs: 1 }) } }, /ackWait is out of range/],
  ])("refuses %j and changes nothing", async (what, text) => {
    const roles = { r: { allow: [], deny: [] } };
    await expect(apply({ ...what, roles }, true)).rejects.toThrow(text);
    await expect(apply({ ...what, roles })).rejects.toThrow(text);
    expect(bench.administrator.policy()).toEqual({ ...policy, topics: {}, subscriptions: {} });
  });

  it("begins where it says, also at a time", async () => {
    await apply({ ...policy, topics: { "#": { retention: { ageMs: 3_600_000 } } } });
    const early = await bench.publish("admin", "a", "1");
    await bench.publish("admin", "a", "2");
    const subscriptions = {
      all: on("#", { start: "earliest" }),
      new: on("#"),
      from: on("#", { start: { offset: early.offset + 1 } }),
      time: on("#", { start: { at: Date.now() - 3_600_000 } }),
    };
    await apply({ ...policy, subscriptions });
    const counts = ["all", "new", "from", "time"].map((name) => bench.engine.machine.queues.view(name)?.oldestOffset);
    expect(counts[1]).toBe(0);
    expect(counts[0]).toBeLessThanOrEqual(early.offset);
    expect(counts[2]).toBeGreaterThan(early.offset);
    expect(counts[3]).toBe(early.offset);
  });

  it("is one frame: a crash keeps all of it or nothing", async () => {
    const frames: JournalFrame[] = [];
    const { machine } = bench.engine;
    const committed = machine.committed.bind(machine);
    machine.committed = (frame) => {
      frames.push(frame);
      committed(frame);
    };
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`s${index}`, on(`a/${index}`)]));
    await apply({ ...document, subscriptions: { ...many, time: on("#", { start: { at: 1_000_000 } }) } });
    const kinds = [RecordKind.policyApplied, RecordKind.topicDeclared, RecordKind.subscriptionDeclared] as const;
    const holding = frames.filter((frame) => kinds.some((kind) => frame.kinds.subarray(0, frame.count).includes(kind)));
    expect(holding).toHaveLength(1);
  });

  it("applies one at a time", async () => {
    const other = { ...policy, subscriptions: { s: on("#", { start: { at: 1_000_000 } }) } };
    const results = await Promise.all([codeOf(apply(other)), codeOf(apply(document))]);
    expect(results).toEqual(["done", "conflict"]);
    expect(await codeOf(apply(document))).toBe("done");
  });

  it("takes 20,000 subscriptions in a second or two", async () => {
    const count = 20_000;
    const many = Object.fromEntries(Array.from({ length: count }, (_, index) => [`s${index}`, on(`a/${index}`)]));
    const started = performance.now();
    expect((await apply({ ...policy, subscriptions: many })).lines).toHaveLength(count);
    expect((await apply({ ...policy, subscriptions: many })).lines).toHaveLength(0);
    expect(performance.now() - started).toBeLessThan(15_000);
    expect(bench.administrator.queues.subscriptions("shop", { after: "", limit: 10 })).toEqual([]);
    expect(bench.administrator.queues.subscriptions("admin", { after: "s5", limit: 2 })).toMatchObject([
      { name: "s50" },
      { name: "s500" },
    ]);
  });
});
