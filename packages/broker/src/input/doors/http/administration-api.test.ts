import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AdministrationError } from "../../../model/administration.ts";
import { defaultSubscriptionSettings } from "../../../model/settings.ts";
import { until } from "../../input.test-data.ts";
import { pathOf } from "./api.test-data.ts";
import { type Ask, adminKey, ask, type Door, openDoor, type Reply, readerKey } from "./http.test-data.ts";
import { publishedAt, storedOf, viewOfSubscription } from "./queue.test-data.ts";

const now = Date.UTC(2026, 5, 1);
let door: Door;
beforeEach(async () => {
  door = await openDoor({ now: () => now });
});
afterEach(async () => {
  expect(door.failures).toEqual([]);
  await door.listening.close();
});

function call(method: string, path: string, options: Ask = {}): Promise<Reply> {
  return ask(door, path, { method, key: readerKey, ...options });
}

describe("settlements", () => {
  const settle = (verb: string, body: unknown): Promise<Reply> => call("POST", `/v1/subscriptions/s/${verb}`, { body });

  it("settles tokens for the caller, each with its result, in order", async () => {
    door.queues.results.set("b", "gone").set("c", "dead");
    const reply = await settle("ack", { tokens: ["a", "b", "c"] });
    expect(reply).toMatchObject({ status: 200 });
    expect(reply.json).toEqual({
      results: [
        { token: "a", result: "done" },
        { token: "b", result: "gone" },
        { token: "c", result: "dead" },
      ],
    });
    expect(door.queues.settled.map(({ principal, settlement }) => [principal, settlement.verb])).toEqual(
      Array(3).fill(["reader", "ack"]),
    );
  });

  it.each([
    ["nack", { tokens: ["a"] }, { verb: "nack" }],
    ["nack", { tokens: ["a"], delay: "PT2S", reason: "r" }, { verb: "nack", delayMs: 2_000, reason: "r" }],
    ["nack", { items: [{ token: "a", delay: 5 }], delay: 9, reason: "r" }, { verb: "nack", delayMs: 5, reason: "r" }],
    ["reject", { items: [{ token: "a", reason: "r" }] }, { verb: "reject", reason: "r" }],
    ["release", { tokens: ["a"] }, { verb: "release" }],
    ["extend", { tokens: ["a"], for: "90s" }, { verb: "extend", forMs: 90_000 }],
    ["extend", { items: [{ token: "a" }] }, { verb: "extend" }],
  ])("%s %j", async (verb, body, settlement) => {
    expect((await settle(verb, body)).status).toBe(200);
    expect(door.queues.settled).toEqual([{ principal: "reader", token: "a", settlement }]);
  });

  it.each([
    ["gone", 410, "lease-gone"],
    ["forbidden", 403, "forbidden"],
    ["failed", 503, "unavailable"],
  ] as const)("answers %s alone with a problem", async (result, status, code) => {
    door.queues.results.set("a", result);
    const reply = await settle("ack", { tokens: ["a"] });
    expect(reply).toMatchObject({
      status,
      json: { type: `urn:mess:problem:${code}`, results: [{ token: "a", result }] },
    });
  });

  it.each([
    ["ack", {}, ""],
    ["ack", { tokens: ["a"], items: [{ token: "a" }] }, ""],
    ["ack", { tokens: "a" }, "tokens"],
    ["ack", { tokens: [1] }, "tokens.0"],
    ["ack", { tokens: ["x".repeat(129)] }, "tokens.0"],
    ["ack", { tokens: ["a"], delay: 1 }, "delay"],
    ["ack", { items: [{ token: "a", reason: "r" }] }, "items.0.reason"],
    ["nack", { items: [{ token: "a", delay: "1 week" }] }, "items.0.delay"],
    ["nack", { tokens: ["a"], delay: -1 }, "delay"],
    ["nack", { tokens: ["a"], delay: 1e300 }, "delay"],
    ["extend", { tokens: ["a"], for: "13h" }, "for"],
    ["extend", { tokens: ["a"], for: 0 }, "for"],
  ])("refuses %s %j at %j", async (verb, body, path) => {
    const reply = await settle(verb, body);
    expect([reply.status, pathOf(reply)]).toEqual([422, path]);
    expect(door.queues.settled).toEqual([]);
  });
});

describe("declared subscriptions", () => {
  it("declares with defaults, shows, and takes back what it shows", async () => {
    const made = await call("PUT", "/v1/subscriptions/billing", { body: { filters: ["orders/#"] } });
    expect(made.status).toBe(201);
    expect(door.queueAdministration.calls[0]).toEqual([
      "declareSubscription",
      "reader",
      "billing",
      { ...defaultSubscriptionSettings, filters: ["orders/#"] },
    ]);
    expect(made.json).toEqual({
      name: "billing",
      declaredBy: "reader",
      declaredAt: new Date(publishedAt).toISOString(),
      consumers: 0,
      ready: 3,
      leased: 0,
      retrying: 0,
      blocked: 0,
      dead: 0,
      exact: true,
      oldestOffset: 7,
      settings: {
        filters: ["orders/#"],
        ordering: "shared",
        ackWait: "30s",
        maxDeliveries: 5,
        backoff: ["1s", "5m"],
        expired: "drop",
        priorities: false,
        start: "latest",
        where: {},
        maxMessages: 10_000_000,
        maxBytes: "16GiB",
        overflow: "reject",
        expiry: "never",
      },
    });
    const shown = await call("GET", "/v1/subscriptions/billing");
    expect(shown.json).toEqual(made.json);
    const again = await call("PUT", "/v1/subscriptions/billing", { body: shown.json["settings"] });
    expect([again.status, again.json]).toEqual([200, shown.json]);
  });

  it("reads every setting", async () => {
    const body = {
      owner: "shop",
      filters: ["a", "b/+"],
      ordering: "key",
      ackWait: "2m",
      maxDeliveries: 8,
      backoff: ["500ms", 60_000],
      expired: "dead-letter",
      priorities: true,
      start: "2026-01-01T00:00:00Z",
      where: { region: "eu" },
      maxMessages: 10,
      maxBytes: "1MiB",
      overflow: "drop-oldest",
      expiry: "30d",
    };
    const reply = await call("PUT", "/v1/subscriptions/s", { body });
    expect(reply.status).toBe(201);
    const settings = door.queueAdministration.declared.get("s")?.settings;
    expect(settings).toMatchObject({
      owner: "shop",
      ackWaitMs: 120_000,
      backoffMs: [500, 60_000],
      start: { at: Date.UTC(2026, 0, 1) },
      maxBytes: 1_048_576,
      expiryMs: 30 * 86_400_000,
    });
    expect({ ...settings?.where }).toEqual({ region: "eu" });
    expect(reply.json["settings"]).toMatchObject({
      start: "2026-01-01T00:00:00.000Z",
      expiry: "30d",
      backoff: ["500ms", "1m"],
    });
  });

  it.each([
    [{}, "filters"],
    [{ filters: [] }, "filters"],
    [{ filters: Array(65).fill("a") }, "filters"],
    [{ filters: ["a#"] }, "filters.0"],
    [{ filters: ["$mess/x"] }, "filters.0"],
    [{ filters: [7] }, "filters.0"],
    [{ filters: ["a"], ordering: "fifo" }, "ordering"],
    [{ filters: ["a"], ackWait: "30" }, "ackWait"],
    [{ filters: ["a"], ackWait: "99ms" }, "ackWait"],
    [{ filters: ["a"], ackWait: "13h" }, "ackWait"],
    [{ filters: ["a"], ackWaitMs: 1 }, "ackWaitMs"],
    [{ filters: ["a"], maxDeliveries: 0 }, "maxDeliveries"],
    [{ filters: ["a"], maxDeliveries: 1e21 }, "maxDeliveries"],
    [{ filters: ["a"], backoff: ["5m", "1s"] }, "backoff"],
    [{ filters: ["a"], backoff: ["1s"] }, "backoff"],
    [{ filters: ["a"], backoff: ["1s", true] }, "backoff.1"],
    [{ filters: ["a"], start: 0 }, "start"],
    [{ filters: ["a"], start: "yesterday" }, "start"],
    [{ filters: ["a"], where: { a: 1 } }, "where.a"],
    [{ filters: ["a"], where: { "mess-key": "1" } }, "where.mess-key"],
    [JSON.parse('{"filters":["a"],"where":{"__proto__":"1"}}') as unknown, "where.__proto__"],
    [{ filters: ["a", "a"] }, "filters.1"],
    [{ filters: ["a"], where: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, ""])) }, "where"],
    [{ filters: ["a"], maxBytes: "1PB" }, "maxBytes"],
    [{ filters: ["a"], overflow: null }, "overflow"],
    [{ filters: ["a"], priorities: "perhaps" }, "priorities"],
    [{ filters: ["a"], expiry: "0.5s" }, "expiry"],
    [{ filters: ["a"], owner: "x".repeat(129) }, "owner"],
  ])("refuses %j at %s", async (body, path) => {
    const reply = await call("PUT", "/v1/subscriptions/s", { body });
    expect([reply.status, pathOf(reply)]).toEqual([422, path]);
    expect(door.queueAdministration.calls).toEqual([]);
  });

  it("lists page by page", async () => {
    const settings = { ...defaultSubscriptionSettings, filters: ["a"] };
    for (const name of ["c", "a", "b", "d", "e"]) {
      door.queueAdministration.declared.set(name, viewOfSubscription(name, settings, "x"));
    }
    const names: string[] = [];
    let path = "/v1/subscriptions?limit=2";
    for (let page = 0; page < 4; page++) {
      const { json } = await call("GET", path);
      names.push(...(json["subscriptions"] as { name: string }[]).map(({ name }) => name));
      if (json["next"] === undefined) break;
      path = `/v1/subscriptions?limit=2&cursor=${encodeURIComponent(json["next"] as string)}`;
    }
    expect(names).toEqual(["a", "b", "c", "d", "e"]);
  });

  it("deletes, with force or without", async () => {
    const settings = { ...defaultSubscriptionSettings, filters: ["a"] };
    for (const [query, force] of [
      ["", false],
      ["?force", true],
      ["?force=false", false],
    ] as const) {
      door.queueAdministration.declared.set("s", viewOfSubscription("s", settings, "x"));
      expect(await call("DELETE", `/v1/subscriptions/s${query}`)).toMatchObject({ status: 204, text: "" });
      expect(door.queueAdministration.calls).toContainEqual(["deleteSubscription", "reader", "s", force]);
    }
    expect((await call("DELETE", "/v1/subscriptions/s")).status).toBe(404);
  });

  it.each([
    ["earliest", "earliest"],
    ["latest", "latest"],
    [17, { offset: 17 }],
    ["17", { offset: 17 }],
    ["2026-01-01T00:00:00Z", { at: Date.UTC(2026, 0, 1) }],
  ])("resets to %j", async (to, position) => {
    const settings = { ...defaultSubscriptionSettings, filters: ["a"] };
    door.queueAdministration.declared.set("s", viewOfSubscription("s", settings, "x"));
    expect((await call("POST", "/v1/subscriptions/s/reset", { body: { to } })).status).toBe(200);
    expect(door.queueAdministration.calls[0]).toEqual(["resetSubscription", "reader", "s", position]);
  });

  it("passes the refusals of administration on", async () => {
    for (const [code, status] of [
      ["forbidden", 403],
      ["not-found", 404],
      ["conflict", 409],
      ["invalid", 422],
      ["unavailable", 503],
    ] as const) {
      door.queueAdministration.error = new AdministrationError(code, "because");
      expect(await call("GET", "/v1/subscriptions/s")).toMatchObject({ status, json: { detail: "because" } });
    }
  });
});

describe("declared topics", () => {
  const settings = {
    owner: "shop",
    retention: { age: "7d", bytes: "1GiB" },
    maxMessageSize: "256KiB",
    schema: { type: "object" },
    key: "orders/{id}/#",
  };

  it("declares, shows, lists, deletes", async () => {
    const path = "/v1/topics/orders%2F%23";
    const made = await call("PUT", path, { body: settings });
    expect(made).toMatchObject({ status: 201, json: { filter: "orders/#", settings } });
    expect(door.queueAdministration.calls[0]?.[3]).toEqual({
      owner: "shop",
      retention: { ageMs: 7 * 86_400_000, bytes: 2 ** 30 },
      maxMessageBytes: 262_144,
      schema: { type: "object" },
      key: "orders/{id}/#",
    });
    expect((await call("PUT", path, { body: { retention: "7d" } })).json).toMatchObject({
      settings: { retention: "7d" },
    });
    expect((await call("GET", path)).status).toBe(200);
    await call("PUT", "/v1/topics/a", { body: {} });
    await call("PUT", "/v1/topics/z", { body: {} });
    const first = await call("GET", "/v1/topics?limit=2");
    expect((first.json["topics"] as { filter: string }[]).map(({ filter }) => filter)).toEqual(["a", "orders/#"]);
    const second = await call("GET", `/v1/topics?limit=2&cursor=${first.json["next"] as string}`);
    expect((second.json["topics"] as { filter: string }[]).map(({ filter }) => filter)).toEqual(["z"]);
    expect(second.json["next"]).toBeUndefined();
    expect((await call("DELETE", path)).status).toBe(204);
    expect((await call("GET", path)).status).toBe(404);
    expect((await call("DELETE", path)).status).toBe(404);
  });

  it.each([
    [{ retention: {} }, "retention"],
    [{ retention: "0s" }, "retention"],
    [{ retention: { age: "1d", size: 1 } }, "retention.size"],
    [{ maxMessageSize: "0" }, "maxMessageSize"],
    [{ maxMessageSize: "2GiB" }, "maxMessageSize"],
    [{ schema: "x" }, "schema"],
    [{ schema: null }, "schema"],
    [{ schema: { a: "x".repeat(70_000) } }, "schema"],
    [{ signing: true }, "signing"],
    [{ key: "b/{id}" }, "key"],
    [{ key: "a" }, "key"],
  ])("refuses %j at %s", async (body, path) => {
    const reply = await call("PUT", "/v1/topics/a", { body });
    expect([reply.status, pathOf(reply)]).toEqual([422, path]);
  });

  it("refuses what is no filter, and the broker's own", async () => {
    for (const filter of ["a%2F%23%2Fb", "%24mess%2Fx", "%00"]) {
      expect((await call("PUT", `/v1/topics/${filter}`, { body: {} })).status).toBe(400);
      expect((await call("GET", `/v1/topics/${filter}`)).status).toBe(400);
    }
  });

  it("refuses JSON that is nested too deeply", async () => {
    const nest = (depth: number): string => `{"schema":${'{"not":'.repeat(depth - 2)}{}${"}".repeat(depth - 2)}}`;
    expect((await call("PUT", "/v1/topics/a", { body: nest(64) })).status).toBe(201);
    expect(await call("PUT", "/v1/topics/a", { body: nest(65) })).toMatchObject({
      status: 400,
      json: { type: "urn:mess:problem:not-json" },
    });
    expect((await call("PUT", "/v1/topics/a", { body: "[".repeat(500_000) })).status).toBe(400);
  });
});

describe("dead letters, delayed messages, browsing", () => {
  const attributes = { reason: "nacked", attempts: 5, originTopic: "orders/1", origin: 3, key: "k" };

  it("lists dead letters with where they came from", async () => {
    door.queueAdministration.deadLetters = [7, 9, 12].map((offset) =>
      storedOf(offset, {
        topic: "$mess/dead/s",
        attributes,
        properties: {
          contentType: "x/y",
          userProperties: [
            ["a", "1"],
            ["a", "2"],
          ],
        },
      }),
    );
    const first = await call("GET", "/v1/subscriptions/s/dead?limit=2");
    expect((first.json["messages"] as unknown[])[0]).toEqual({
      offset: 7,
      topic: "$mess/dead/s",
      publisher: "shop",
      time: new Date(publishedAt).toISOString(),
      key: "k",
      contentType: "x/y",
      headers: { a: ["1", "2"] },
      payload: "hello",
      dead: { reason: "nacked", attempts: 5, topic: "orders/1", offset: 3 },
    });
    const second = await call("GET", `/v1/subscriptions/s/dead?cursor=${first.json["next"] as string}`);
    expect((second.json["messages"] as { offset: number }[]).map(({ offset }) => offset)).toEqual([12]);
    expect((await call("GET", "/v1/subscriptions/s/dead/9")).json).toMatchObject({ offset: 9 });
    expect((await call("GET", "/v1/subscriptions/s/dead/8")).status).toBe(404);
    for (const offset of ["0", "x", "-1", "1.5", "redrive"]) {
      expect((await call("GET", `/v1/subscriptions/s/dead/${offset}`)).status).toBe(400);
    }
  });

  it.each([
    ["redrive", { all: true }, {}],
    ["redrive", { offsets: [1, 2] }, { offsets: [1, 2] }],
    ["purge", { reason: "nack" }, { reason: "nack" }],
  ] as const)("%s %j", async (verb, body, selection) => {
    const reply = await call("POST", `/v1/subscriptions/s/dead/${verb}`, { body });
    expect(reply.json).toEqual(verb === "redrive" ? { done: 1, remaining: 0 } : { done: 2, remaining: 3 });
    expect(door.queueAdministration.calls).toEqual([[verb, "reader", "s", selection]]);
  });

  it("does not take an empty selection for all", async () => {
    for (const body of [
      {},
      { all: false },
      { all: true, offsets: [1] },
      { offsets: [] },
      { offsets: [0] },
      { offsets: ["a"] },
    ]) {
      expect((await call("POST", "/v1/subscriptions/s/dead/purge", { body })).status).toBe(422);
    }
    expect(door.queueAdministration.calls).toEqual([]);
  });

  it("lists and cancels delayed messages", async () => {
    door.queueAdministration.delayedMessages = [1, 2, 3].map((offset) => ({
      offset,
      topic: "t",
      publisher: "shop",
      dueAt: now + 5_000,
      bytes: 10,
    }));
    const first = await call("GET", "/v1/delayed?limit=2");
    expect(first.json["messages"]).toMatchObject([{ offset: 1, dueAt: "2026-06-01T00:00:05.000Z" }, { offset: 2 }]);
    const second = await call("GET", `/v1/delayed?cursor=${first.json["next"] as string}`);
    expect(second.json).toMatchObject({ messages: [{ offset: 3 }] });
    expect((await call("DELETE", "/v1/delayed/3")).status).toBe(204);
    expect(door.queueAdministration.calls.at(-1)).toEqual(["cancelDelayed", "reader", 3]);
  });

  it("browses with a cursor", async () => {
    door.queueAdministration.stored = [storedOf(1), storedOf(5, { payload: Buffer.from([255]) }), storedOf(8)];
    const first = await call("GET", "/v1/messages?filter=a%2F%23&from=2026-01-01T00:00:00Z&limit=2");
    expect(first.json["messages"]).toMatchObject([{ payload: "hello" }, { payloadBase64: "/w==" }]);
    expect(door.queueAdministration.calls[0]?.[2]).toMatchObject({
      filter: "a/#",
      from: { at: Date.UTC(2026, 0, 1) },
      limit: 2,
    });
    const cursor = first.json["next"] as string;
    const second = await call("GET", `/v1/messages?filter=a%2F%23&cursor=${cursor}`);
    expect(second.json).toMatchObject({ messages: [{ offset: 8 }] });
    expect(second.json["next"]).toBeUndefined();
    for (const path of [
      `/v1/messages?filter=other&cursor=${cursor}`,
      `/v1/messages?filter=a%2F%23&from=1&cursor=${cursor}`,
      `/v1/delayed?cursor=${cursor}`,
      `/v1/messages?filter=a%2F%23&cursor=${cursor}x`,
      `/v1/messages?filter=a%2F%23&cursor=${"x".repeat(5_000)}`,
      "/v1/messages?filter=a%2F%23&cursor=",
      "/v1/messages",
    ]) {
      expect((await call("GET", path)).status).toBe(400);
    }
  });
});

describe("quota of requests", () => {
  it("counts by principal and tells what is left", async () => {
    await door.listening.close();
    door = await openDoor({ limits: { httpRequestsPerPrincipalPerSecond: 3 } });
    const replies = [];
    for (let i = 0; i < 4; i++) replies.push(await call("GET", "/v1/whoami"));
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 429]);
    expect(replies[0]?.headers["ratelimit-policy"]).toBe('"principal";q=3;w=1');
    expect(replies[0]?.headers["ratelimit"]).toBe('"principal";r=2;t=1');
    expect(replies[3]).toMatchObject({ json: { type: "urn:mess:problem:too-many-requests" } });
    expect(replies[3]?.headers["retry-after"]).toBe("1");
    expect(door.administration.audited).toEqual([
      { event: "limit.hit", detail: { limit: "httpRequestsPerPrincipalPerSecond", principal: "reader" } },
    ]);
    await until(() => door.counters.open === 0);
    expect(door.counters.answers).toEqual([0, 0, 3, 0, 1, 0]);
    expect((await ask(door, "/v1/whoami", { key: adminKey })).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect((await call("GET", "/v1/whoami")).status).toBe(200);
  });
});
