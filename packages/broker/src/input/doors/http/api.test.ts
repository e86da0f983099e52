import { type Properties, readProperties } from "@mess/wire";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AdministrationError } from "../../../model/administration.ts";
import type { MessageView } from "../../../model/message.ts";
import { readAttributes } from "../../../model/message.ts";
import { defaultSubscriptionSettings } from "../../../model/settings.ts";
import { until } from "../../input.test-data.ts";
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

function payloadOf(view: MessageView): string {
  return view.bytes.toString("utf8", view.payloadStart, view.payloadEnd);
}

function propertiesOf(view: MessageView): Properties {
  return readProperties(view.bytes, view.headerStart, view.headerEnd) ?? {};
}

function lastPublished(): MessageView {
  const message = door.queues.published.at(-1)?.messages[0];
  if (message === undefined) throw new Error("nothing was published");
  return message;
}

const pathOf = (reply: Reply): unknown => (reply.json["errors"] as { path: string }[] | undefined)?.[0]?.path;

describe("POST /v1/messages", () => {
  it("publishes the body as it is, for the caller, and says what became of it", async () => {
    const body = Buffer.from([0, 255, 1]);
    const headers = { "content-type": "image/x-test; a=b" };
    const reply = await call("POST", "/v1/messages?topic=a%2Fb", { body, headers });
    expect(reply).toMatchObject({
      status: 201,
      json: { offset: 1, duplicate: false, topic: "a/b", matched: true },
    });
    expect(door.queues.published[0]?.principal).toBe("reader");
    const message = lastPublished();
    expect([message.topic, message.qos, message.retain, message.hasAttributes]).toEqual(["a/b", 1, false, false]);
    expect(message.bytes.subarray(message.payloadStart, message.payloadEnd)).toEqual(body);
    expect(propertiesOf(message)).toEqual({ contentType: "image/x-test; a=b" });
  });

  it("takes the topic as one level of the path", async () => {
    expect((await call("POST", "/v1/topics/a%2Fb%20c/messages", { body: "x" })).status).toBe(201);
    expect(lastPublished().topic).toBe("a/b c");
    const wild = await call("POST", "/v1/topics/a%2F%23/messages", { body: "x" });
    expect([wild.status, pathOf(wild)]).toEqual([400, "topic"]);
  });

  it.each([
    ["query", "&key=k%C3%A9&id=i1&priority=9&expiry=60&retain=true", {}],
    [
      "headers",
      "",
      { "mess-key": "k\u00c3\u00a9", "mess-id": "i1", "mess-priority": "9", "mess-expiry": "PT1M", "mess-retain": "" },
    ],
    ["both", "&key=k%C3%A9&retain", { "idempotency-key": '"i1"', "mess-priority": "9", "mess-expiry": "60" }],
  ])("reads options from %s", async (_, query, headers) => {
    expect((await call("POST", `/v1/messages?topic=t${query}`, { body: "x", headers })).status).toBe(201);
    const message = lastPublished();
    expect(readAttributes(message)).toEqual({ key: "ké", id: "i1", priority: 9 });
    expect([message.expirySeconds, message.retain]).toEqual([60, true]);
  });

  it.each([
    ["delay=PT5S", now + 5_000],
    ["delay=1500", now + 1_500],
    ["at=2026-06-01T00:00:10Z", now + 10_000],
    ["at=2026-06-01T02:00:10%2B02:00", now + 10_000],
    ["delay=0", undefined],
    ["at=2020-01-01T00:00:00Z", undefined],
  ])("%s", async (query, deliverAt) => {
    expect((await call("POST", `/v1/messages?topic=t&${query}`, { body: "x" })).status).toBe(201);
    expect(readAttributes(lastPublished()).deliverAt).toBe(deliverAt);
  });

  it("carries user properties, response topic, correlation data and trace context", async () => {
    const headers = {
      "mess-header-Tenant": "eu",
      "mess-response-topic": "r/1",
      "mess-correlation-data": "AQI=",
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    };
    expect((await call("POST", "/v1/messages?topic=t", { body: "x", headers })).status).toBe(201);
    const { userProperties = [], responseTopic, correlationData = [] } = propertiesOf(lastPublished());
    expect(responseTopic).toBe("r/1");
    expect([...correlationData]).toEqual([1, 2]);
    expect(Object.fromEntries(userProperties)).toEqual({ tenant: "eu", traceparent: headers.traceparent });
  });

  it("turns a CloudEvent in binary mode into user properties", async () => {
    const headers = {
      "content-type": "application/json",
      "ce-specversion": "1.0",
      "ce-id": "17",
      "ce-source": "/shop",
      "ce-type": "paid",
      "ce-subject": "%E2%82%AC%20%22x%22",
    };
    expect((await call("POST", "/v1/messages?topic=t", { body: "{}", headers })).status).toBe(201);
    const { contentType, userProperties = [] } = propertiesOf(lastPublished());
    expect(contentType).toBe("application/json");
    expect(Object.fromEntries(userProperties)).toEqual({
      specversion: "1.0",
      id: "17",
      source: "/shop",
      type: "paid",
      subject: '€ "x"',
    });
  });

  it("passes a CloudEvent in structured mode on, and refuses what is none", async () => {
    const headers = { "content-type": "application/cloudevents+json; charset=utf-8" };
    const body = '{ "specversion":"1.0","id":"1","source":"/s","type":"t","data":12345678901234567890 }';
    expect((await call("POST", "/v1/messages?topic=t", { body, headers })).status).toBe(201);
    expect(payloadOf(lastPublished())).toBe(body);
    for (const [wrong, path] of [
      ["{", ""],
      ["[]", ""],
      ['{"specversion":"0.3","id":"1","source":"/s","type":"t"}', "specversion"],
      ['{"specversion":"1.0","id":"","source":"/s","type":"t"}', "id"],
      ['{"specversion":"1.0","id":1,"source":"/s","type":"t"}', "id"],
    ] as const) {
      const reply = await call("POST", "/v1/messages?topic=t", { body: wrong, headers });
      expect([reply.status, pathOf(reply)]).toEqual([400, path]);
    }
    const batch = { "content-type": "application/cloudevents-batch+json" };
    expect((await call("POST", "/v1/messages?topic=t", { body: "[]", headers: batch })).status).toBe(415);
  });

  it.each([
    ["no topic", "", {}, "topic"],
    ["an empty topic", "?topic=", {}, "topic"],
    ["a wildcard", "?topic=a%2F%2B", {}, "topic"],
    ["an unknown parameter", "?topic=t&prio=1", {}, "prio"],
    ["an option twice", "?topic=t&key=a", { "mess-key": "a" }, "mess-key"],
    ["an id twice", "?topic=t", { "mess-id": "a", "idempotency-key": "b" }, "idempotency-key"],
    ["delay and at", "?topic=t&delay=1&at=2030-01-01T00:00:00Z", {}, "at"],
    ["a delay in words", "?topic=t&delay=soon", {}, "delay"],
    ["a delay of months", "?topic=t&delay=P1M", {}, "delay"],
    ["a negative delay", "?topic=t&delay=-1", {}, "delay"],
    ["a day that is none", "?topic=t&at=2026-02-30T00:00:00Z", {}, "at"],
    ["a time without zone", "?topic=t&at=2026-02-03T00:00:00", {}, "at"],
    ["a priority of 10", "?topic=t&priority=10", {}, "priority"],
    ["half a priority", "?topic=t&priority=1.5", {}, "priority"],
    ["an expiry of 0", "?topic=t&expiry=0", {}, "expiry"],
    ["half a second", "?topic=t&expiry=PT0.5S", {}, "expiry"],
    ["a retain of yes", "?topic=t&retain=yes", {}, "retain"],
    ["an empty key", "?topic=t&key=", {}, "key"],
    ["U+0000 in a key", "?topic=t&key=a%00", {}, "key"],
    ["a header that is no UTF-8", "?topic=t", { "mess-key": "\u00ff" }, "mess-key"],
    ["an unknown header", "?topic=t", { "mess-prio": "1" }, "mess-prio"],
    ["a reserved property", "?topic=t", { "mess-header-mess-x": "1" }, "mess-header-mess-x"],
    ["half a CloudEvent", "?topic=t", { "ce-id": "1" }, "ce-source"],
    ["a response topic with wildcard", "?topic=t", { "mess-response-topic": "#" }, "mess-response-topic"],
    ["correlation data that is no base64", "?topic=t", { "mess-correlation-data": "*" }, "mess-correlation-data"],
  ] as const)("refuses %s with its place", async (_, query, headers, path) => {
    const reply = await call("POST", `/v1/messages${query}`, { body: "x", headers });
    expect([reply.status, reply.json["type"], pathOf(reply)]).toEqual([400, "urn:mess:problem:wrong-parameters", path]);
    expect(door.queues.published).toEqual([]);
  });

  it.each([
    "/v1/messages?topic=%FF",
    "/v1/messages?topic=a&key=%C3",
    "/v1/topics/%FF/messages",
    "/v1/topics/%/messages",
  ])("refuses %s, which is no UTF-8", async (path) => {
    expect((await call("POST", path, { body: "x" })).status).toBe(400);
  });

  it("refuses two headers of one name", async () => {
    const headers = { "mess-key": ["a", "b"] } as unknown as Record<string, string>;
    expect((await call("POST", "/v1/messages?topic=t", { body: "x", headers })).status).toBe(400);
  });

  it.each([
    [0x87, "forbidden", 403],
    [0x90, "invalid", 422],
    [0x95, "too-large", 413],
    [0x97, "quota-exceeded", 507],
    [0x99, "schema-violation", 422],
    [0x88, "unavailable", 503],
    [0x83, "unavailable", 503],
  ])("answers the core's 0x%s with its problem", async (reason, code, status) => {
    door.queues.answer = () => ({ reason, text: "because", path: "/a/0", offset: 0, duplicate: false });
    const reply = await call("POST", "/v1/messages?topic=t", { body: "x" });
    expect(reply).toMatchObject({ status, json: { type: `urn:mess:problem:${code}`, detail: "because" } });
    expect(reply.headers["retry-after"] !== undefined).toBe(status >= 503);
    if (code === "schema-violation") expect(reply.json["errors"]).toEqual([{ path: "/a/0", message: "because" }]);
  });

  it("tells a repeat, and that nobody subscribes", async () => {
    door.queues.answer = () => ({ reason: 0x10, text: "", offset: 5, duplicate: true });
    const reply = await call("POST", "/v1/messages?topic=t&id=x", { body: "x" });
    expect(reply.json).toEqual({ offset: 5, duplicate: true, topic: "t", matched: false });
  });

  it("waits while the disk does not keep up, and not for ever", async () => {
    door.engine.congested = true;
    const pending = call("POST", "/v1/messages?topic=t", { body: "x" });
    await until(() => door.engine.waiting.length === 1);
    expect(door.queues.published).toEqual([]);
    door.engine.waiting[0]?.();
    expect((await pending).status).toBe(201);
    await door.listening.close();
    door = await openDoor({ limits: { httpRequestDeadlineMs: 200 } });
    door.engine.congested = true;
    expect((await call("POST", "/v1/messages?topic=t", { body: "x" })).status).toBe(503);
  });
});

describe("limits of a message", () => {
  const limits = {
    messageKeyBytesMax: 4,
    messageIdBytesMax: 5,
    topicBytesMax: 16,
    topicLevelsMax: 3,
    userPropertiesMax: 2,
    userPropertyBytesMax: 20,
    packetBytesMax: 1_024,
    httpBodyBytesMax: 2_048,
    delayMsMax: 10_000,
    batchMessagesMax: 3,
    httpPageItemsMax: 2,
  };
  beforeEach(async () => {
    await door.listening.close();
    door = await openDoor({ now: () => now, limits });
  });
  const status = async (
    query: string,
    body: string | Buffer = "x",
    headers: Record<string, string> = {},
  ): Promise<number> => (await call("POST", `/v1/messages?topic=t${query}`, { body, headers })).status;

  it("takes each at the limit and none beyond", async () => {
    expect([await status("&key=abcd"), await status("&key=abcde"), await status("&key=ab%E2%82%AC")]).toEqual([
      201, 400, 400,
    ]);
    expect([await status("&id=abcde"), await status("&id=abcdef")]).toEqual([201, 400]);
    expect([await status("&delay=10000"), await status("&delay=10001"), await status("&delay=PT10.001S")]).toEqual([
      201, 400, 400,
    ]);
    expect([await status("&at=2026-06-01T00:00:10Z"), await status("&at=2026-06-01T00:00:10.001Z")]).toEqual([
      201, 400,
    ]);
    expect([await status("&expiry=4294967294"), await status("&expiry=4294967295")]).toEqual([201, 400]);
    const topic = async (text: string): Promise<number> =>
      (await call("POST", `/v1/messages?topic=${encodeURIComponent(text)}`, { body: "x" })).status;
    expect([await topic("a".repeat(16)), await topic("a".repeat(17))]).toEqual([201, 400]);
    expect([await topic("a/b/c"), await topic("a/b/c/d")]).toEqual([201, 400]);
    const header = (n: number, value = ""): Record<string, string> =>
      Object.fromEntries(Array.from({ length: n }, (_, i) => [`mess-header-${i}`, value]));
    expect([await status("", "x", header(2)), await status("", "x", header(3))]).toEqual([201, 422]);
    expect([await status("", "x", header(2, "123456789")), await status("", "x", header(2, "1234567890"))]).toEqual([
      201, 422,
    ]);
    expect([await status("", Buffer.alloc(1_007)), await status("", Buffer.alloc(1_008))]).toEqual([201, 413]);
    expect([await status("", Buffer.alloc(2_049))]).toEqual([413]);
  });

  it("batch lines, settlements and pages too", async () => {
    const batch = async (count: number): Promise<number> => {
      const body = '{"topic":"t"}\n'.repeat(count);
      return (await call("POST", "/v1/batch", { body, headers: { "content-type": "application/x-ndjson" } })).status;
    };
    expect([await batch(3), await batch(4)]).toEqual([201, 422]);
    const ack = async (count: number): Promise<number> =>
      (await call("POST", "/v1/subscriptions/s/ack", { body: { tokens: Array(count).fill("t") } })).status;
    expect([await ack(2), await ack(3), await ack(0)]).toEqual([200, 422, 422]);
    const page = async (limit: string): Promise<number> =>
      (await call("GET", `/v1/subscriptions?limit=${limit}`)).status;
    expect([
      await page("2"),
      await page("3"),
      await page("0"),
      await page("1e0"),
      await page("99999999999999999999"),
    ]).toEqual([200, 400, 400, 400, 400]);
  });
});

describe("POST /v1/batch", () => {
  const post = (body: string, headers: Record<string, string> = {}): Promise<Reply> =>
    call("POST", "/v1/batch", { body, headers: { "content-type": "application/x-ndjson", ...headers } });

  it("publishes all lines as one batch", async () => {
    const lines = [
      '{"topic":"a","payload":"hé","key":"k","priority":3,"headers":{"x":"1","y":["2","3"],"__proto__":"p"}}',
      '{"topic":"b","payloadBase64":"AP8=","id":"i","expiry":5,"retain":true,"contentType":"x/y"}',
      '  {"topic":"c", "json" : {"n":12345678901234567890, "s":"}\\"" } , "delay":"PT1S"}',
      "",
      '{"topic":"d","responseTopic":"r","correlationDataBase64":"AQ==","json":null}',
      '{"topic":"e"}',
    ];
    const reply = await post(`${lines.join("\r\n")}\r\n`);
    expect(reply.status).toBe(201);
    expect(reply.headers["content-type"]).toBe("application/x-ndjson");
    const answers = reply.text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown);
    expect(answers).toEqual(
      ["a", "b", "c", "d", "e"].map((topic, index) => ({ offset: index + 1, duplicate: false, topic, matched: true })),
    );
    expect(door.queues.published).toHaveLength(1);
    const messages = door.queues.published[0]?.messages ?? [];
    const properties = messages.map(propertiesOf);
    expect(messages.map(payloadOf)).toEqual(["hé", "\0\ufffd", '{"n":12345678901234567890, "s":"}\\"" }', "null", ""]);
    expect(properties[0]?.userProperties).toEqual([
      ["x", "1"],
      ["y", "2"],
      ["y", "3"],
      ["__proto__", "p"],
    ]);
    expect(readAttributes(messages[0] as MessageView)).toEqual({ key: "k", priority: 3 });
    expect([messages[1]?.expirySeconds, messages[1]?.retain, properties[1]?.contentType]).toEqual([5, true, "x/y"]);
    expect([readAttributes(messages[2] as MessageView).deliverAt, properties[2]?.contentType]).toEqual([
      now + 1_000,
      "application/json",
    ]);
    expect([properties[3]?.responseTopic, properties[3]?.correlationData?.length]).toEqual(["r", 1]);
  });

  it("gives lines ids of the Idempotency-Key", async () => {
    const body = '{"topic":"a"}\n\n{"topic":"b","id":"own"}\n{"topic":"c"}';
    expect((await post(body, { "idempotency-key": "K" })).status).toBe(201);
    const ids = door.queues.published[0]?.messages.map((message) => readAttributes(message).id);
    expect(ids).toEqual(["K:1", "own", "K:4"]);
    const long = await post('{"topic":"a"}', { "idempotency-key": "K".repeat(127) });
    expect(long.json["errors"]).toMatchObject([{ line: 1, path: "id" }]);
    expect((await post(body, { "mess-key": "K" })).status).toBe(400);
  });

  it.each([
    ["{", ""],
    ["[]", ""],
    ["1", ""],
    ['{"topic":5}', "topic"],
    ["{}", "topic"],
    ['{"topic":"a","x":1}', "x"],
    ['{"topic":"a","__proto__":1}', "__proto__"],
    ['{"topic":"a","payload":1}', "payload"],
    ['{"topic":"a","payload":"\\ud800"}', "payload"],
    ['{"topic":"\\ud800"}', "topic"],
    ['{"topic":"a","payload":"","json":1}', "json"],
    ['{"topic":"a","payloadBase64":"A"}', "payloadBase64"],
    ['{"topic":"a","payloadBase64":"AB=="}', "payloadBase64"],
    ['{"topic":"a","headers":[]}', "headers"],
    ['{"topic":"a","headers":{"a":1}}', "headers"],
    ['{"topic":"a","headers":{"Mess-A":"1"}}', "headers"],
    ['{"topic":"a","headers":{"a":"\\u0000"}}', "headers"],
    ['{"topic":"a","priority":1e400}', "priority"],
    ['{"topic":"a","priority":"1.0"}', "priority"],
    ['{"topic":"a","delay":1,"at":"2030-01-01T00:00:00Z"}', "at"],
    ['{"topic":"a","retain":1}', "retain"],
    ['{"topic":"a","expiry":[]}', "expiry"],
    ['{"topic":"a","expiry":true}', "expiry"],
    ['{"topic":"a","expiry":""}', "expiry"],
  ])("refuses the line %s at %j, and all others with it", async (line, path) => {
    const reply = await post(`{"topic":"fine"}\n${line}\n{"topic":"fine"}`);
    expect(reply).toMatchObject({ status: 422, json: { type: "urn:mess:problem:invalid" } });
    expect((reply.json["errors"] as unknown[])[0]).toMatchObject({ line: 2, path });
    expect(reply.json["detail"]).toContain("line 2: ");
    expect(door.queues.published).toEqual([]);
  });

  it("tells which line the core refused", async () => {
    door.queues.answer = (index) =>
      index === 2
        ? { reason: 0x97, text: "billing is full", offset: 0, duplicate: false }
        : { reason: 0x83, text: "not stored", offset: 0, duplicate: false };
    const reply = await post('{"topic":"a"}\n\n{"topic":"b"}\n\n{"topic":"c"}');
    expect(reply).toMatchObject({ status: 507, json: { detail: "line 5: billing is full" } });
    expect(reply.json["errors"]).toEqual([{ line: 5, path: "", message: "billing is full" }]);
  });

  it("refuses nothing, other types, and broken UTF-8", async () => {
    expect((await post("\n\n")).status).toBe(422);
    expect((await post("{}", { "content-type": "application/json" })).status).toBe(415);
    const body = Buffer.from([0x7b, 0xff, 0x7d]);
    expect(
      (await call("POST", "/v1/batch", { body, headers: { "content-type": "application/x-ndjson" } })).status,
    ).toBe(400);
  });

  it("refuses what the lengths of MQTT cannot say", async () => {
    const line = (bytes: number): string =>
      JSON.stringify({ topic: "a", correlationDataBase64: Buffer.alloc(bytes).toString("base64") });
    expect((await post(line(65_535))).status).toBe(201);
    expect(await post(line(65_536))).toMatchObject({
      status: 422,
      json: { errors: [{ line: 1, path: "correlationData" }] },
    });
    const limits = { userPropertyBytesMax: 1_000_000 };
    await door.listening.close();
    door = await openDoor({ limits });
    for (const field of [{ headers: { a: "x".repeat(65_536) } }, { contentType: "x".repeat(65_536) }]) {
      expect((await post(JSON.stringify({ topic: "a", ...field }))).status).toBe(422);
    }
  });

  it("takes deep JSON as a payload", async () => {
    const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    expect((await post(`{"topic":"a","json":${deep}}`)).status).toBe(201);
    expect(payloadOf(lastPublished())).toBe(deep);
  });
});

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
    [{ signing: "required" }, "signing"],
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
