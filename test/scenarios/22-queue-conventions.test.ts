// Declared subscriptions over MQTT, as docs/mqtt.md describes them: leases, negative acknowledgements, tokens, what
// publishers and subscribers may say to the broker, and what they hear when it is wrong.
import { expect, it } from "vitest";
import { consume, puback, publishWith, settle, text, userProperty, withMeta, withPolicy } from "../support/declared.ts";
import type { Packet } from "../support/decoder.ts";
import * as build from "../support/packets.ts";
import type { RawClient } from "../support/raw-client.ts";
import { sleep, useServer } from "../support/suite.ts";

const names = [
  "plain",
  "away",
  "nacked",
  "rejected",
  "explicit",
  "foreign",
  "credit",
  "share",
  "large",
  "wrong",
  "qos",
];
const declared = (name: string): string => `
[subscriptions.${name}]
filters = ["${name}/#"]
ackWait = "5s"
maxDeliveries = 3
backoff = ["20ms", "50ms"]
`;

const shared = useServer({
  args: withPolicy(`${names.map(declared).join("")}\n[topics."kept/#"]\nretention = "1h"\n`),
});

const send = (client: RawClient, topic: string, payload: string): Promise<unknown> =>
  client.publish({ topic, payload, qos: 1 });
const reason = (packet: { properties: { reasonString?: Buffer | string } }): string =>
  packet.properties.reasonString?.toString() ?? "";

for (const version of [4, 5] as const) {
  it(`reading: what was published before comes below the name, at QoS 1 at most (${version})`, async () => {
    const publisher = await shared.connect();
    for (const payload of ["1", "2"]) await send(publisher, `plain/a/${version}`, payload);
    const reader = await shared.connect({ version });
    const suback = await reader.subscribe({ filter: "$mess/queue/plain/#", qos: 2 });
    expect([...suback.codes]).toEqual([1]);
    for (const payload of ["1", "2"]) {
      const message = await reader.message();
      expect([message.topic, text(message), message.qos]).toEqual([`$mess/queue/plain/plain/a/${version}`, payload, 1]);
      reader.send(puback(message.id));
    }
    await reader.ping();
    await reader.disconnect();
    const next = await shared.connect({ version });
    await consume(next, "plain");
    await next.expectNothing();
    await next.disconnect();
  });
}

it("a lost connection gives back what it held, in order, and counts no attempt", async () => {
  const publisher = await shared.connect();
  const first = await shared.connect();
  await consume(first, "away");
  for (const payload of ["1", "2", "3"]) await send(publisher, "away/a", payload);
  const held = await first.messages(3);
  first.send(puback(held[1]?.id ?? 0));
  await first.ping();
  await first.drop();
  const second = await shared.connect(withMeta);
  await consume(second, "away");
  const back = await second.messages(2);
  expect(back.map((message) => [text(message), userProperty(message, "mess-attempt")])).toEqual([
    ["1", "1"],
    ["3", "1"],
  ]);
  for (const { id } of back) second.send(puback(id));
});

it("a negative PUBACK is tried again, and after the last attempt a dead letter that says why", async () => {
  const client = await shared.connect(withMeta);
  await client.subscribe({ filter: "$mess/dead/nacked", qos: 1 });
  const worker = await shared.connect(withMeta);
  await consume(worker, "nacked");
  const { properties } = await publishWith(client, "nacked/a", "x", [["mess-key", "k"]]);
  const offset = properties.userProperty?.[0]?.[1]?.toString();
  for (const attempt of ["1", "2", "3"]) {
    const message = await worker.message();
    expect([text(message), userProperty(message, "mess-attempt")]).toEqual(["x", attempt]);
    expect([userProperty(message, "mess-key"), userProperty(message, "mess-subscription")]).toEqual(["k", "nacked"]);
    worker.send(build.ack("PUBACK", message.id, 0x80, { reasonString: `no ${attempt}` }));
  }
  const dead = await client.message();
  expect([dead.topic, text(dead)]).toEqual(["$mess/dead/nacked", "x"]);
  expect(userProperty(dead, "mess-dead-reason")).toContain("no 3");
  expect(userProperty(dead, "mess-attempts")).toBe("3");
  expect(userProperty(dead, "mess-origin-topic")).toBe("nacked/a");
  expect(userProperty(dead, "mess-origin-offset")).toBe(offset);
  await worker.expectNothing();
});

it("0x99 rejects at once; by $share every negative PUBACK is final", async () => {
  const client = await shared.connect();
  await client.subscribe(["$mess/dead/rejected", "$mess/dead/share"].map((filter) => ({ filter, qos: 1 })));
  const worker = await shared.connect();
  await consume(worker, "rejected");
  await send(client, "rejected/a", "x");
  worker.send(puback((await worker.message()).id, 0x99));
  expect((await client.message()).topic).toBe("$mess/dead/rejected");

  const member = await shared.connect();
  await member.subscribe({ filter: "$share/share/share/#", qos: 2 });
  await send(client, "share/a", "y");
  const message = await member.message();
  expect([message.topic, message.qos]).toEqual(["share/a", 1]);
  member.send(puback(message.id, 0x80));
  const dead = await client.message();
  expect([dead.topic, userProperty(dead, "mess-attempts")]).toEqual(["$mess/dead/share", expect.any(String)]);
  const wrong = await member.subscribe({ filter: "$share/share/shore/#", qos: 1 }, { refusable: true });
  expect(wrong.codes[0]).toBeGreaterThanOrEqual(0x80);
  expect(reason(wrong)).toContain("share/#");
});

it("explicit: out of order, a nack with a delay, an extension, a release; a token is good once", async () => {
  const publisher = await shared.connect();
  const worker = await shared.connect();
  await consume(worker, "explicit", [["mess-ack", "explicit"]]);
  for (const payload of ["1", "2", "3"]) await send(publisher, "explicit/a", payload);
  const [one, two, three] = (await worker.messages(3)) as [Packet, Packet, Packet];
  // Received, which settles nothing.
  for (const { id } of [one, two, three]) worker.send(puback(id));
  expect([one.properties.responseTopic?.toString(), userProperty(one, "mess-attempt")]).toEqual([
    "$mess/lease/explicit",
    "1",
  ]);
  expect((await settle(worker, three, "ack")).code).toBe(0);
  const twice = await settle(worker, three, "ack");
  expect([twice.code, reason(twice)]).toEqual([0x83, "the lease is gone: it expired, was settled, or never was"]);
  expect((await settle(worker, two, "extend", [["mess-delay", "PT1H"]])).code).toBe(0);
  expect((await settle(worker, one, "nack", [["mess-delay", "100"]])).code).toBe(0);
  const again = await worker.message();
  expect([text(again), userProperty(again, "mess-attempt")]).toEqual(["1", "2"]);
  expect((await settle(worker, again, "release")).code).toBe(0);
  const released = await worker.message();
  expect([text(released), userProperty(released, "mess-attempt")]).toEqual(["1", "2"]);
  for (const each of [released, two]) expect((await settle(worker, each, "")).code).toBe(0);
  await worker.disconnect();
  const next = await shared.connect();
  await consume(next, "explicit");
  await next.expectNothing();
});

it("explicit: the publisher's own response topic and correlation data are told apart", async () => {
  const worker = await shared.connect();
  await consume(worker, "foreign", [["mess-ack", "explicit"]]);
  const publisher = await shared.connect();
  const properties = { responseTopic: "reply/here", correlationData: Buffer.from([1, 255]) };
  await publisher.publish({ topic: "foreign/a", payload: "x", qos: 1, properties });
  const message = await worker.message();
  expect(message.properties.responseTopic?.toString()).toBe("$mess/lease/foreign");
  expect(userProperty(message, "mess-response-topic")).toBe("reply/here");
  expect(userProperty(message, "mess-correlation-data")).toBe("Af8");
  expect((await settle(worker, message, "ack")).code).toBe(0);
});

it("what is published at QoS 0 is kept too, with and without something said to the broker", async () => {
  const publisher = await shared.connect({ version: 4 });
  await publisher.publish({ topic: "qos/a", payload: "1" });
  await publisher.ping();
  const five = await shared.connect();
  await five.publish({ topic: "qos/a", payload: "2", properties: { userProperty: [["mess-key", "k"]] } });
  await five.ping();
  const reader = await shared.connect({ version: 4 });
  await consume(reader, "qos");
  expect((await reader.messages(2)).map(text)).toEqual(["1", "2"]);
});

it("credit: no more leases than asked for", async () => {
  const publisher = await shared.connect();
  for (let index = 0; index < 10; index++) await send(publisher, "credit/a", String(index));
  const worker = await shared.connect();
  await consume(worker, "credit", [
    ["mess-ack", "explicit"],
    ["mess-credit", "3"],
  ]);
  const held = await worker.messages(3);
  for (const { id } of held) worker.send(puback(id));
  await worker.expectNothing();
  expect((await settle(worker, held[2] as Packet, "ack")).code).toBe(0);
  expect(text(await worker.message())).toBe("3");
  await worker.expectNothing(100);
});

it("a message larger than the client takes goes to another, and the others come", async () => {
  const publisher = await shared.connect();
  for (const payload of ["small", "x".repeat(1_000), "last"]) await send(publisher, "large/a", payload);
  const narrow = await shared.connect({ properties: { maximumPacketSize: 200 } });
  narrow.autoAck = true;
  const wide = await shared.connect();
  wide.autoAck = true;
  await consume(wide, "large");
  await consume(narrow, "large");
  const seen = (): string[] => [...narrow.waiting("PUBLISH"), ...wide.waiting("PUBLISH")].map(text);
  const deadline = Date.now() + 4_000;
  while (seen().length < 3 && Date.now() < deadline) await sleep(20);
  expect(seen().sort()).toEqual(["last", "small", "x".repeat(1_000)]);
  expect(wide.waiting("PUBLISH").map(text)).toContain("x".repeat(1_000));
});

it("receipts: an id is stored once and answered with the first offset", async () => {
  const publisher = await shared.connect(withMeta);
  const other = await shared.connect();
  await other.subscribe({ filter: "kept/once", qos: 1 });
  const receipts = [];
  for (let index = 0; index < 3; index++) {
    const answer = await publishWith(publisher, "kept/once", "x", [["mess-id", "once"]]);
    receipts.push([userProperty(answer, "mess-offset"), userProperty(answer, "mess-duplicate")]);
  }
  const [first] = receipts[0] as [string];
  expect(first).toMatch(/^\d+$/);
  expect(receipts).toEqual([
    [first, undefined],
    [first, "1"],
    [first, "1"],
  ]);
  await other.message();
  await other.expectNothing();
});

it("replay: from the earliest, from an offset, from a time; not for subscriptions that are shared", async () => {
  const publisher = await shared.connect(withMeta);
  const offsets: string[] = [];
  for (const payload of ["1", "2", "3"]) {
    const answer = await publishWith(publisher, "kept/replay", payload, []);
    offsets.push(userProperty(answer, "mess-offset") ?? "");
  }
  const from = async (position: string): Promise<string[]> => {
    const reader = await shared.connect();
    reader.autoAck = true;
    await reader.subscribe(
      { filter: "kept/replay", qos: 1 },
      { properties: { userProperty: [["mess-from", position]] } },
    );
    await reader.ping();
    await sleep(200);
    const seen = reader.waiting("PUBLISH").map(text);
    await reader.disconnect();
    return seen;
  };
  expect(await from("earliest")).toEqual(["1", "2", "3"]);
  expect(await from(offsets[1] ?? "")).toEqual(["2", "3"]);
  expect(await from(new Date(Date.now() - 60_000).toISOString())).toEqual(["1", "2", "3"]);
  expect(await from("latest")).toEqual([]);
  const client = await shared.connect();
  const userProperty1: [string, string][] = [["mess-from", "earliest"]];
  const refused = await client.subscribe(["$mess/queue/wrong/#", "$share/g/kept/#"], {
    properties: { userProperty: userProperty1 },
    refusable: true,
  });
  expect([...refused.codes]).toEqual([0x83, 0x83]);
});

it("what is wrong is refused with a reason, and nothing of it counts", async () => {
  const client = await shared.connect();
  const wrong = async (topic: string, ...properties: [string, string][]): Promise<[number, string]> => {
    const answer = await publishWith(client, topic, "ack", properties);
    return [answer.code, reason(answer)];
  };
  expect(await wrong("wrong/a", ["mess-delay", "soon"])).toEqual([0x83, expect.stringContaining("ISO 8601")]);
  expect(await wrong("wrong/a", ["mess-attempt", "1"])).toEqual([0x83, expect.stringContaining("only the broker")]);
  expect(await wrong("wrong/a", ["mess-delya", "1"])).toEqual([0x83, expect.stringContaining('"mess-delay"?')]);
  expect((await wrong("$mess/queue/wrong/wrong/a"))[0]).toBe(0x87);
  expect((await wrong("$mess/dead/wrong"))[0]).toBe(0x87);
  expect(await wrong("$mess/lease/wrong")).toEqual([0x83, expect.stringContaining("Correlation Data")]);
  const suback = await client.subscribe(["$mess/queue/wrong", "$mess/queue/nobody/#", "$mess/other/#", "$SYS/#"], {
    refusable: true,
  });
  expect([...suback.codes].every((code) => code >= 0x80)).toBe(true);
  await consume(client, "wrong");
  await client.expectNothing();
});
