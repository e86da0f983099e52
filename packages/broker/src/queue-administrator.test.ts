import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { codeOf, Workbench } from "./administrator.test-data.ts";
import { Reason } from "./model/engine.ts";
import type { Grant, Policy } from "./model/policy.ts";
import { defaultSubscriptionSettings, type SubscriptionSettings } from "./model/settings.ts";
import type { QueueAdministrator } from "./queue-administrator.ts";

const grant = (action: Grant["action"], ...filters: string[]): Grant[] => filters.map((filter) => ({ action, filter }));
const policy: Policy = {
  roles: {
    shop: {
      allow: [...grant("manage", "orders/#"), ...grant("publish", "orders/#"), ...grant("consume", "billing", "other")],
      deny: [],
    },
    any: { allow: [...grant("manage", "#", "$mess/queue/#")], deny: [] },
    worker: {
      allow: [...grant("consume", "billing"), ...grant("subscribe", "orders/#")],
      deny: grant("subscribe", "orders/secret/#"),
    },
    reader: { allow: grant("subscribe", "orders/eu/#"), deny: [] },
    publisher: { allow: grant("publish", "orders/eu/#"), deny: [] },
  },
  principals: {
    shop: { roles: ["shop"] },
    rival: { roles: ["any"] },
    worker: { roles: ["worker"] },
    reader: { roles: ["reader"] },
    publisher: { roles: ["publisher"] },
    chief: { roles: ["security-admin"] },
  },
};
const billing: SubscriptionSettings = { ...defaultSubscriptionSettings, filters: ["orders/+/created"] };
const first = { after: "", limit: 10 } as const;

let bench: Workbench;
let queues: QueueAdministrator;
beforeEach(async () => {
  bench = await Workbench.open({ policy });
  queues = bench.administrator.queues;
});
afterEach(() => bench.close());

describe("topics", () => {
  it("belong to who declares them, and survive a restart", async () => {
    expect(await queues.declareTopic("shop", "orders/#", { maxMessageBytes: 10 })).toBe(true);
    expect(await queues.declareTopic("shop", "orders/#", { maxMessageBytes: 20 })).toBe(false);
    expect(bench.events("topic.declared")).toMatchObject([
      { filter: "orders/#", by: "shop" },
      { filter: "orders/#", by: "shop" },
    ]);
    await bench.restart();
    queues = bench.administrator.queues;
    expect(queues.topics("shop")).toMatchObject([
      { filter: "orders/#", settings: { owner: "shop", maxMessageBytes: 20 }, declaredBy: "shop" },
    ]);
    expect((await bench.publish("shop", "orders/x", "x".repeat(21))).reason).toBe(Reason.packetTooLarge);
    expect((await bench.publish("shop", "orders/x", "x".repeat(10))).reason).toBeLessThan(0x80);
    await queues.deleteTopic("shop", "orders/#");
    expect(bench.events("topic.deleted")).toMatchObject([{ filter: "orders/#", by: "shop" }]);
    expect(queues.topics("admin")).toEqual([]);
    expect((await bench.publish("shop", "orders/x", "x".repeat(21))).reason).toBeLessThan(0x80);
  });

  it.each<[by: string, filter: string, settings: object, code: string]>([
    ["rival", "orders/eu", {}, "forbidden"],
    ["rival", "#", {}, "forbidden"],
    ["rival", "orders/#", {}, "forbidden"],
    ["rival", "free/#", {}, "done"],
    ["rival", "free/#", { owner: "shop" }, "forbidden"],
    ["shop", "orders/eu", {}, "done"],
    ["shop", "free/#", {}, "forbidden"],
    ["ghost", "orders/#", {}, "forbidden"],
    ["admin", "orders/eu", { owner: "rival" }, "done"],
    ["shop", "orders/a/#/b", {}, "invalid"],
    ["shop", "$SYS/#", {}, "invalid"],
    ["shop", "orders/#", { maxMessageBytes: 0 }, "invalid"],
    ["shop", "orders/#", { key: "orders/+/#" }, "invalid"],
    ["shop", "orders/#", { schema: { $ref: "https://example.test/s" } }, "invalid"],
    ["shop", "orders/#", { schema: { $ref: "#" } }, "invalid"],
  ])("where shop owns orders/#: by %s for %s with %j: %s", async (by, filter, settings, code) => {
    await queues.declareTopic("shop", "orders/#", {});
    expect(await codeOf(queues.declareTopic(by, filter, settings))).toBe(code);
    if (code !== "done") {
      expect(bench.events("admin.refused")).toMatchObject([{ act: "topic.declare", by, code, target: filter }]);
    }
  });

  it("keep their owner when a change names none, and are claimed by nobody", async () => {
    await queues.declareTopic("shop", "orders/#", {});
    await queues.declareTopic("admin", "orders/#", { maxMessageBytes: 5 });
    expect(queues.topics("admin")[0]?.settings).toEqual({ owner: "shop", maxMessageBytes: 5 });
    await queues.declareTopic("admin", "free/#", {});
    expect(queues.topics("admin")[0]?.settings).toEqual({});
    await queues.declareTopic("rival", "free/#", { maxMessageBytes: 6 });
    expect(queues.topics("admin")[0]?.settings).toEqual({ maxMessageBytes: 6 });
    expect(await codeOf(queues.declareTopic("rival", "free/#", { owner: "rival" }))).toBe("forbidden");
    await queues.declareTopic("admin", "free/#", { owner: "rival" });
    expect(queues.topics("admin")[0]?.settings).toEqual({ owner: "rival" });
  });

  it("are seen by those who have to do with them", async () => {
    await queues.declareTopic("shop", "orders/#", {});
    await queues.declareTopic("rival", "free/#", {});
    const seen = (by: string): string[] => queues.topics(by).map(({ filter }) => filter);
    expect(seen("admin")).toEqual(["free/#", "orders/#"]);
    expect(seen("chief")).toEqual(["free/#", "orders/#"]);
    expect(seen("shop")).toEqual(["orders/#"]);
    expect(seen("publisher")).toEqual(["orders/#"]);
    expect(seen("reader")).toEqual(["orders/#"]);
    expect(seen("ghost")).toEqual([]);
  });

  it("are deleted by those who may declare them, and nobody else learns of them", async () => {
    await queues.declareTopic("shop", "orders/#", {});
    expect(await codeOf(queues.deleteTopic("rival", "orders/#"))).toBe("forbidden");
    expect(await codeOf(queues.deleteTopic("reader", "orders/eu"))).toBe("forbidden");
    expect(await codeOf(queues.deleteTopic("shop", "orders/eu"))).toBe("not-found");
    expect(await codeOf(queues.deleteTopic("admin", "orders/#"))).toBe("done");
  });

  it("have their schema checked", async () => {
    const schema = { type: "object", required: ["id"], properties: { id: { type: "integer" } } };
    await queues.declareTopic("shop", "orders/#", { schema });
    expect((await bench.publish("shop", "orders/x", '{"id":1}')).reason).toBeLessThan(0x80);
    const refused = await bench.publish("shop", "orders/x", '{"id":"1"}');
    expect(refused).toMatchObject({ reason: 0x99, text: expect.stringMatching(/\/id.*must be integer/) });
  });
});

describe("subscriptions", () => {
  it("are declared, listed, changed and deleted", async () => {
    expect(await queues.declareSubscription("shop", "billing", billing)).toBe(true);
    expect(await queues.declareSubscription("shop", "billing", { ...billing, maxDeliveries: 9 })).toBe(false);
    await queues.declareSubscription("shop", "other", billing);
    await queues.declareSubscription("admin", "aaa", { ...billing, filters: ["free/#"] });
    const names = (by: string, after = "", limit = 10): string[] =>
      queues.subscriptions(by, { after, limit }).map(({ name }) => name);
    expect(names("admin")).toEqual(["aaa", "billing", "other"]);
    expect(names("admin", "aaa", 1)).toEqual(["billing"]);
    expect(names("admin", "b")).toEqual(["billing", "other"]);
    expect(names("admin", "other")).toEqual([]);
    expect(names("shop")).toEqual(["billing", "other"]);
    expect(names("shop", "billing")).toEqual(["other"]);
    expect(names("worker")).toEqual(["billing"]);
    expect(names("rival")).toEqual(["aaa", "billing", "other"]);
    expect(names("reader")).toEqual([]);
    expect(queues.subscription("worker", "billing")).toMatchObject({
      name: "billing",
      settings: { ...billing, owner: "shop", maxDeliveries: 9 },
      declaredBy: "shop",
    });
    expect(await codeOf(() => queues.subscription("worker", "other"))).toBe("not-found");
    expect(await codeOf(() => queues.subscription("admin", "nothing"))).toBe("not-found");
    await queues.deleteSubscription("shop", "other", false);
    expect(names("shop")).toEqual(["billing"]);
    expect(bench.events("subscription.declared")).toHaveLength(4);
    expect(bench.events("subscription.deleted")).toMatchObject([{ name: "other", by: "shop" }]);
  });

  it.each<[by: string, name: string, settings: Partial<SubscriptionSettings>, code: string]>([
    ["shop", "billing", {}, "done"],
    ["shop", "shipping", {}, "forbidden"],
    ["shop", "billing", { filters: ["orders/x", "free"] }, "forbidden"],
    ["shop", "billing", { owner: "rival" }, "forbidden"],
    ["rival", "mine", {}, "forbidden"],
    ["rival", "mine", { filters: ["free/#"] }, "done"],
    ["rival", "mine", { filters: ["#"] }, "forbidden"],
    ["rival", "taken", { filters: ["free/#"] }, "forbidden"],
    ["worker", "billing", {}, "forbidden"],
    ["admin", "any", { owner: "shop" }, "done"],
    ["chief", "any", {}, "done"],
    ["shop", "a/b", {}, "invalid"],
    ["shop", "", {}, "invalid"],
    ["shop", "billing", { filters: [] }, "invalid"],
    ["shop", "billing", { ackWaitMs: 99 }, "invalid"],
    ["shop", "billing", { start: { offset: 1e9 } }, "invalid"],
    ["shop", "billing", { start: { at: 4e12 } }, "invalid"],
    ["shop", "billing", { start: { at: 1e12 } }, "done"],
    ["shop", "billing", { where: { "mess-key": "x" } }, "invalid"],
    ["shop", "billing", { ordering: "fifo" as "key" }, "invalid"],
  ])("by %s named %s with %j: %s", async (by, name, settings, code) => {
    await queues.declareTopic("shop", "orders/#", {});
    await queues.declareSubscription("admin", "taken", { ...billing, filters: ["free/x"], owner: "shop" });
    expect(await codeOf(queues.declareSubscription(by, name, { ...billing, ...settings }))).toBe(code);
    if (code === "done") return;
    expect(bench.events("admin.refused")).toMatchObject([{ act: "subscription.declare", by, code, target: name }]);
  });

  it("are at most as many as the configuration says", async () => {
    await bench.close();
    bench = await Workbench.open({ policy, limits: { declaredSubscriptionsMax: 2, declaredTopicsMax: 1 } });
    queues = bench.administrator.queues;
    expect(await codeOf(queues.declareSubscription("admin", "a", billing))).toBe("done");
    expect(await codeOf(queues.declareSubscription("admin", "b", billing))).toBe("done");
    expect(await codeOf(queues.declareSubscription("admin", "c", billing))).toBe("conflict");
    expect(await codeOf(queues.declareSubscription("admin", "b", { ...billing, maxDeliveries: 1 }))).toBe("done");
    expect(await codeOf(queues.declareTopic("admin", "a", {}))).toBe("done");
    expect(await codeOf(queues.declareTopic("admin", "b", {}))).toBe("invalid");
    const subscriptions = { a: billing, b: billing, c: billing };
    expect(await codeOf(bench.administrator.applyPolicy("admin", { ...policy, subscriptions }, false))).toBe(
      "conflict",
    );
    expect(await codeOf(bench.administrator.applyPolicy("admin", { ...policy, topics: { b: {} } }, false))).toBe(
      "done",
    );
  });

  it("are not deleted with what waits in them, unless by force", async () => {
    await queues.declareSubscription("shop", "billing", billing);
    await bench.publish("shop", "orders/1/created", "x");
    expect(await codeOf(queues.deleteSubscription("shop", "billing", false))).toBe("conflict");
    expect(await codeOf(queues.deleteSubscription("worker", "billing", true))).toBe("forbidden");
    expect(await codeOf(queues.deleteSubscription("reader", "billing", true))).toBe("not-found");
    expect(await codeOf(queues.deleteSubscription("rival", "billing", true))).toBe("forbidden");
    expect(await codeOf(queues.deleteSubscription("shop", "billing", true))).toBe("done");
  });

  it("have their position set by those who may declare them", async () => {
    await queues.declareSubscription("shop", "billing", billing);
    const { offset } = await bench.publish("shop", "orders/1/created", "x");
    await bench.publish("shop", "orders/2/created", "x");
    expect(queues.subscription("shop", "billing").ready).toBe(2);
    expect((await queues.resetSubscription("shop", "billing", "latest")).ready).toBe(0);
    expect((await queues.resetSubscription("shop", "billing", { offset })).ready).toBeGreaterThanOrEqual(2);
    expect(await codeOf(queues.resetSubscription("worker", "billing", "earliest"))).toBe("forbidden");
    expect(await codeOf(queues.resetSubscription("reader", "billing", "earliest"))).toBe("not-found");
    expect(await codeOf(queues.resetSubscription("shop", "billing", { offset: 1e9 }))).toBe("invalid");
    expect(bench.events("subscription.reset")).toMatchObject([{ name: "billing", by: "shop" }, { from: offset }]);
  });
});

describe("dead letters", () => {
  beforeEach(async () => {
    await queues.declareSubscription("shop", "billing", billing);
    await bench.publish("shop", "orders/1/created", "one");
    await bench.publish("shop", "orders/2/created", "two");
    await bench.work("admin", "billing", { verb: "reject", reason: "bad" });
    await bench.work("admin", "billing", { verb: "reject", reason: "worse" });
  });

  it("are shown, sent again and purged by who consumes", async () => {
    const page = await queues.dead("worker", "billing", { from: 0, limit: 10 });
    expect(page.messages.map(({ attributes }) => attributes)).toMatchObject([
      { originTopic: "orders/1/created", reason: "bad" },
      { originTopic: "orders/2/created", reason: "worse" },
    ]);
    expect(queues.subscription("worker", "billing").dead).toBe(2);
    expect(await queues.redrive("worker", "billing", { reason: "worse" })).toMatchObject({ done: 1 });
    expect(await queues.purge("worker", "billing", {})).toEqual({ done: 1, remaining: 0 });
    expect(queues.subscription("worker", "billing")).toMatchObject({ dead: 0, ready: 1 });
    expect(bench.events("dead.redriven")).toMatchObject([{ name: "billing", by: "worker" }]);
    expect(bench.events("dead.purged")).toMatchObject([{ name: "billing", by: "worker" }]);
  });

  it("are messages: who sets things up or changes the policy does not read them", async () => {
    const page = { from: 0, limit: 10 };
    expect(await codeOf(queues.dead("chief", "billing", page))).toBe("forbidden");
    expect(await codeOf(queues.dead("rival", "billing", page))).toBe("forbidden");
    expect(await codeOf(queues.dead("reader", "billing", page))).toBe("not-found");
    expect(await codeOf(queues.purge("reader", "billing", {}))).toBe("not-found");
    expect(await codeOf(queues.redrive("reader", "billing", {}))).toBe("not-found");
    // Who may not subscribe to the topic does not read it here either.
    expect((await queues.dead("shop", "billing", page)).messages).toEqual([]);
    await bench.publish("shop", "orders/secret/created", "three");
    await bench.work("admin", "billing", { verb: "reject" });
    expect((await queues.dead("worker", "billing", page)).messages).toHaveLength(2);
    expect((await queues.dead("admin", "billing", page)).messages).toHaveLength(3);
  });
});

describe("delayed messages", () => {
  it("are seen by who has to do with the topic, and cancelled by publisher and manager", async () => {
    const later = Date.now() + 3_600_000;
    const offsets: number[] = [];
    for (let index = 0; index < 4; index++) {
      const result = await bench.publish("publisher", "orders/eu/x", "x", { deliverAt: later + index });
      offsets.push(result.offset);
    }
    const seen = async (by: string): Promise<number[]> => {
      return (await queues.delayed(by, undefined, 10)).messages.map(({ offset }) => offset);
    };
    expect(await seen("publisher")).toEqual(offsets);
    expect(await seen("reader")).toEqual(offsets);
    expect(await seen("shop")).toEqual(offsets);
    expect(await seen("ghost")).toEqual([]);
    expect(await seen("chief")).toEqual([]);
    const page = await queues.delayed("reader", undefined, 3);
    expect((await queues.delayed("reader", page.next, 3)).messages).toMatchObject([{ offset: offsets[3] }]);
    const [a = 0, b = 0, c = 0] = offsets;
    expect(await codeOf(queues.cancelDelayed("reader", a))).toBe("forbidden");
    expect(await codeOf(queues.cancelDelayed("ghost", a))).toBe("not-found");
    expect(await codeOf(queues.cancelDelayed("publisher", a))).toBe("done");
    expect(await codeOf(queues.cancelDelayed("publisher", a))).toBe("not-found");
    expect(await codeOf(queues.cancelDelayed("shop", b))).toBe("done");
    expect(await codeOf(queues.cancelDelayed("rival", c))).toBe("done");
    expect(bench.events("delayed.cancelled")).toMatchObject([
      { offset: a, topic: "orders/eu/x", by: "publisher" },
      { offset: b, publisher: "publisher", by: "shop" },
      { offset: c, by: "rival" },
    ]);
    await bench.restart();
    queues = bench.administrator.queues;
    expect(await seen("admin")).toEqual(offsets.slice(3));
  });
});

describe("browse", () => {
  it("shows what the caller may subscribe to", async () => {
    await queues.declareTopic("admin", "orders/#", { retention: { ageMs: 3_600_000 } });
    await bench.publish("shop", "orders/eu/1", "a");
    await bench.publish("shop", "orders/us/1", "b");
    const request = { filter: "orders/#", from: "earliest", limit: 10, bytesMax: 10_000 } as const;
    const topics = async (by: string): Promise<string[]> =>
      (await queues.browse(by, request)).messages.map(({ topic }) => topic);
    expect(await topics("admin")).toEqual(["orders/eu/1", "orders/us/1"]);
    expect(await topics("reader")).toEqual(["orders/eu/1"]);
    expect(await topics("chief")).toEqual([]);
    expect(await codeOf(queues.browse("admin", { ...request, filter: "a/#/b" }))).toBe("invalid");
    expect(await codeOf(queues.browse("admin", { ...request, from: { offset: 1e9 } }))).toBe("invalid");
  });
});

it("lets everybody do everything where nobody is asked", async () => {
  await bench.close();
  bench = await Workbench.open({ policy, isOpen: true });
  queues = bench.administrator.queues;
  await queues.declareTopic("dev", "a/#", {});
  await queues.declareSubscription("dev", "any", { ...billing, filters: ["#"] });
  expect(queues.topics("dev")).toMatchObject([{ filter: "a/#", settings: {} }]);
  expect(queues.subscriptions("dev", first)).toHaveLength(1);
  await bench.publish("dev", "a/x", "x");
  await bench.work("dev", "any", { verb: "reject" });
  expect((await queues.dead("dev", "any", { from: 0, limit: 1 })).messages).toHaveLength(1);
  await queues.deleteSubscription("dev", "any", true);
});
