import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { MessageView } from "../../../model/message.ts";
import { readAttributes } from "../../../model/message.ts";
import { until } from "../../input.test-data.ts";
import { pathOf, payloadOf, propertiesOf } from "./api.test-data.ts";
import { type Ask, ask, type Door, openDoor, type Reply, readerKey } from "./http.test-data.ts";

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

function lastPublished(): MessageView {
  const message = door.queues.published.at(-1)?.messages[0];
  if (message === undefined) throw new Error("nothing was published");
  return message;
}

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
