// MQTT 5.0 sections 3.8 to 3.11; MQTT 3.1.1 the same.
import { expect } from "vitest";
import { text, u8, u16 } from "../support/bytes.ts";
import * as build from "../support/packets.ts";
import { bothVersions, lasting, sleep, statement, topic, unique, useServer } from "../support/suite.ts";

const shared = useServer();

bothVersions(
  "[MQTT-3.8.3-1] [MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT-3.8.4-7] [MQTT-3.9.3-1] [MQTT-3.9.3-2] [MQTT311-3.8.4-1] [MQTT311-3.8.4-2] [MQTT311-3.8.4-4] [MQTT311-3.8.4-5] [MQTT311-3.9.3-1] one SUBACK with a code for each filter, in their order",
  async (version) => {
    const base = topic();
    const client = await shared.connect({ version });
    const qos = [2, 0, 1, 1, 2, 0];
    client.send(
      build.subscribe({
        version,
        id: 700,
        filters: qos.map((each, index) => ({ filter: `${base}/${index}`, qos: each })),
      }),
    );
    const suback = await client.next({ name: "SUBACK", id: 700 });
    expect(suback.codes).toEqual(qos);
    for (const index of qos.keys()) await client.publish({ topic: `${base}/${index}`, payload: `${index}`, qos: 0 });
    expect((await client.messages(qos.length)).map((message) => message.payload.toString())).toEqual([
      "0",
      "1",
      "2",
      "3",
      "4",
      "5",
    ]);
  },
);

bothVersions(
  "[MQTT-3.8.3-2] [MQTT311-3.8.3-3] a SUBSCRIBE without a filter is a protocol error",
  async (version) => {
    const client = await shared.connect({ version });
    client.send(build.subscribe({ version, filters: [] }));
    await client.refused([0x82]);
  },
  { mosquitto: "answers 0x81", mosquittoVersion: 5 },
);

bothVersions(
  "[MQTT-3.10.3-2] [MQTT311-3.10.3-2] an UNSUBSCRIBE without a filter is a protocol error",
  async (version) => {
    const client = await shared.connect({ version });
    client.send(build.unsubscribe({ version, filters: [] }));
    await client.refused([0x82]);
  },
  { mosquitto: "answers 0x81", mosquittoVersion: 5 },
);

statement("[MQTT-3.8.3-3] No Local: not to the client that published, but to others", async () => {
  const name = topic();
  const clientId = unique("c");
  const client = await shared.connect({ ...lasting(5), clientId });
  const other = await shared.connect();
  await client.subscribe({ filter: name, qos: 1, noLocal: true });
  await other.subscribe({ filter: name, qos: 1, noLocal: true });
  await client.publish({ topic: name, payload: "mine", qos: 1 });
  expect((await other.message()).payload.toString()).toBe("mine");
  await other.publish({ topic: name, payload: "theirs", qos: 1 });
  expect((await client.message()).payload.toString()).toBe("theirs");
  await client.expectNothing(100);
});

statement("[MQTT-3.8.3-3] No Local goes by the client id, also over a reconnect", async () => {
  const name = topic();
  const clientId = unique("c");
  const client = await shared.connect({ ...lasting(5), clientId });
  await client.subscribe({ filter: name, qos: 1, noLocal: true });
  await client.drop();
  const back = await shared.connect({ ...lasting(5), clientId });
  await back.publish({ topic: name, payload: "mine", qos: 1 });
  await back.ping();
  await back.expectNothing(100);
});

statement(
  "[MQTT-3.8.3-4] No Local on a shared subscription is a protocol error",
  async () => {
    const client = await shared.connect();
    client.send(build.subscribe({ filters: [{ filter: `$share/g/${topic()}`, noLocal: true }] }));
    await client.refused([0x82]);
  },
  { mosquitto: "grants it" },
);

statement(
  "[MQTT-3.8.3-5] reserved option bits are malformed; QoS 3 and Retain Handling 3 are protocol errors",
  async () => {
    const cases: [number, number[]][] = [
      [0x40, [0x81]],
      [0x80, [0x81]],
      [0xc1, [0x81]],
      [0x03, [0x81, 0x82]],
      [0x30, [0x81, 0x82]],
      [0xff, [0x81, 0x82]],
    ];
    await Promise.all(
      cases.map(async ([options, codes]) => {
        const client = await shared.connect();
        client.send(build.subscribe({ filters: [{ filter: topic(), options }] }));
        await client.refused(codes);
      }),
    );
  },
);

statement(
  "[MQTT311-3.8.3-4] [MQTT311-3.9.3-2] reserved bits of the requested QoS, and QoS 3, end a 3.1.1 connection",
  async () => {
    await Promise.all(
      [3, 4, 8, 0x10, 0x80, 0xff].map(async (options) => {
        const client = await shared.connect({ version: 4 });
        client.send(build.subscribe({ version: 4, filters: [{ filter: topic(), options }] }));
        await client.refused();
      }),
    );
  },
);

bothVersions(
  "[MQTT-3.8.4-3] [MQTT-3.8.4-4] [MQTT311-3.8.4-3] an identical filter replaces the subscription: new QoS, one delivery",
  async (version) => {
    const name = topic();
    const client = await shared.connect({ version });
    await client.subscribe({ filter: name, qos: 0 });
    await client.subscribe({ filter: name, qos: 2 });
    await client.publish({ topic: name, payload: "x", qos: 1 });
    expect((await client.message()).qos).toBe(1);
    await client.expectNothing(100);
    await client.subscribe({ filter: name, qos: 0 });
    await client.publish({ topic: name, payload: "y", qos: 1 });
    expect((await client.message()).qos).toBe(0);
  },
);

bothVersions("[MQTT-3.8.4-4] replacing a subscription loses no message", async (version) => {
  const name = topic();
  const reader = await shared.connect({ version });
  reader.autoAck = true;
  await reader.subscribe({ filter: name, qos: 1 });
  const publisher = await shared.connect({ version });
  const count = 60;
  const publishing = (async () => {
    for (let index = 0; index < count; index += 1)
      await publisher.publish({ topic: name, payload: `${index}`, qos: 1 });
  })();
  for (let round = 0; round < 10; round += 1) {
    await reader.subscribe({ filter: name, qos: 1 });
    await sleep(5);
  }
  await publishing;
  const payloads = (await reader.messages(count)).map((message) => Number(message.payload.toString()));
  expect(payloads).toEqual(Array.from({ length: count }, (_, index) => index));
});

bothVersions(
  "[MQTT-3.8.4-5] [MQTT311-3.8.4-4] the same filter twice in one SUBSCRIBE: the last counts, each has its code",
  async (version) => {
    const name = topic();
    const client = await shared.connect({ version });
    const suback = await client.subscribe([
      { filter: name, qos: 2 },
      { filter: name, qos: 0 },
    ]);
    expect(suback.codes).toEqual([2, 0]);
    await client.publish({ topic: name, payload: "x", qos: 1 });
    expect((await client.message()).qos).toBe(0);
    await client.expectNothing(100);
  },
);

bothVersions(
  "[MQTT-3.8.4-8] [MQTT311-3.8.4-6] a message goes out with the lower of its own and the granted QoS",
  async (version) => {
    for (const granted of [0, 1, 2]) {
      const name = topic();
      const client = await shared.connect({ version });
      client.autoAck = true;
      await client.subscribe({ filter: name, qos: granted });
      for (const qos of [0, 1, 2]) await client.publish({ topic: name, payload: `${qos}`, qos });
      const received = (await client.messages(3)).map((message) => message.qos);
      expect(received).toEqual([0, 1, 2].map((qos) => Math.min(qos, granted)));
    }
  },
);

bothVersions("[MQTT-3.8.4-8] [MQTT-3.3.1-9] retained messages too go out with the lower QoS", async (version) => {
  const name = topic();
  const client = await shared.connect({ version });
  await client.publish({ topic: name, payload: "kept", qos: 2, retain: true });
  await client.subscribe({ filter: name, qos: 1 });
  expect((await client.message()).qos).toBe(1);
});

const badFilters = ["a/#/b", "#/a", "a#", "a/b#", "+a", "a+", "a/b+/c", "##", "a/##", "#/", "a/++"];

bothVersions(
  "[MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-3.8.4-6] [MQTT311-4.7.1-2] [MQTT311-4.7.1-3] misplaced wildcards are refused, filter by filter or with the connection",
  async (version) => {
    await Promise.all(
      badFilters.map(async (filter) => {
        const client = await shared.connect({ version });
        client.send(build.subscribe({ version, id: 5, filters: [filter] }));
        const answer = await client.take("SUBACK").catch(() => undefined);
        if (answer === undefined) await client.refused([0x81, 0x82, 0x8f]);
        else expect(answer.codes, filter).toEqual([version === 5 ? 0x8f : 0x80]);
      }),
    );
  },
);

bothVersions(
  "[MQTT-3.8.4-6] [MQTT311-3.8.4-5] a bad filter gets its own code and does not hurt the others",
  async (version) => {
    const name = topic();
    const client = await shared.connect({ version });
    const suback = await client.subscribe([name, "a/#/b", `${name}/x`], { refusable: true });
    expect(suback.codes).toEqual([0, version === 5 ? 0x8f : 0x80, 0]);
    await client.publish({ topic: `${name}/x`, payload: "x" });
    expect((await client.message()).payload.toString()).toBe("x");
  },
  { onlyMess: true },
);

bothVersions(
  "[MQTT-3.10.3-1] [MQTT-4.7.3-1] [MQTT311-3.8.3-1] [MQTT311-3.10.3-1] [MQTT311-4.7.3-1] an empty filter is refused",
  async (version) => {
    const one = await shared.connect({ version });
    one.send(build.subscribe({ version, id: 5, filters: [""] }));
    const suback = await one.take("SUBACK").catch(() => undefined);
    if (suback === undefined) await one.refused([0x81, 0x82, 0x8f]);
    else expect(suback.codes[0]).toBeGreaterThanOrEqual(0x80);
    const two = await shared.connect({ version });
    two.send(build.unsubscribe({ version, id: 5, filters: [""] }));
    const unsuback = await two.take("UNSUBACK").catch(() => undefined);
    if (unsuback === undefined) await two.refused([0x81, 0x82, 0x8f]);
    else if (version === 5) expect([0x11, 0x8f]).toContain(unsuback.codes[0]);
  },
);

bothVersions(
  "[MQTT-3.8.4-6] [MQTT-4.7.2-1] subscribing to unknown $ trees is refused",
  async (version) => {
    const client = await shared.connect({ version });
    const filters = ["$", "$x", "$x/#", "$SYSx/y", "$CONTROL/#", "$queue/t", "$shared/g/t"];
    const suback = await client.subscribe(filters, { refusable: true });
    for (const [index, code] of suback.codes.entries()) {
      expect(version === 5 ? [0x87, 0x8f] : [0x80], filters[index]).toContain(code);
    }
  },
  { onlyMess: true },
);

const badSubscribeProperties: [string, build.PropertiesInput, number[]][] = [
  ["Subscription Identifier 0", { subscriptionIdentifier: 0 }, [0x82]],
  ["two Subscription Identifiers", { subscriptionIdentifier: [1, 2] }, [0x82]],
  ["a Subscription Identifier of 5 bytes", [[0x0b, Buffer.from("ffffffff01", "hex")]], [0x81]],
  ["a property of PUBLISH", { topicAlias: 1 }, [0x81, 0x82]],
  ["a reason string", { reasonString: "x" }, [0x81, 0x82]],
];

for (const [name, properties, codes] of badSubscribeProperties) {
  statement(
    `[MQTT-4.13.1-1] [MQTT-3.8.3-5] SUBSCRIBE with ${name} ends the connection`,
    async () => {
      const client = await shared.connect();
      client.send(build.subscribe({ filters: [topic()], properties }));
      await client.refused(codes);
    },
    name.includes("Identifier") ? { mosquitto: "sometimes answers another code" } : {},
  );
}

bothVersions("[MQTT-4.13.1-1] a SUBSCRIBE cut inside a filter ends the connection", async (version) => {
  const properties = version === 5 ? [u8(0)] : [];
  const bodies = [
    Buffer.concat([u16(1), ...properties, text("t/x")]),
    Buffer.concat([u16(1), ...properties, u16(9), Buffer.from("t/x")]),
    Buffer.concat([u16(1), ...properties, text("t/x"), u8(0), u8(0)]),
    Buffer.from([0]),
    Buffer.alloc(0),
  ];
  await Promise.all(
    bodies.map(async (body) => {
      const client = await shared.connect({ version });
      client.send(build.packet("SUBSCRIBE", 2, body));
      await client.refused([0x81, 0x82]);
    }),
  );
});

bothVersions(
  "[MQTT-3.10.4-1] [MQTT-3.10.4-2] [MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT311-3.10.4-1] [MQTT311-3.10.4-2] [MQTT311-3.10.4-4] UNSUBSCRIBE removes exactly the filter that is named",
  async (version) => {
    const base = topic();
    const client = await shared.connect({ version });
    await client.subscribe([`${base}/+`, `${base}/a`, `${base}/A`]);
    await client.unsubscribe(`${base}/a`);
    await client.publish({ topic: `${base}/a`, payload: "still by +" });
    expect((await client.message()).payload.toString()).toBe("still by +");
    await client.unsubscribe(`${base}/+`);
    await client.publish({ topic: `${base}/a`, payload: "none" });
    await client.publish({ topic: `${base}/A`, payload: "other case" });
    expect((await client.message()).payload.toString()).toBe("other case");
    await client.expectNothing(100);
  },
);

bothVersions(
  "[MQTT-3.10.4-5] [MQTT-3.10.4-6] [MQTT-3.11.3-1] [MQTT-3.11.3-2] [MQTT311-3.10.4-5] [MQTT311-3.10.4-6] UNSUBACK comes also for what was not subscribed, a code for each filter in order",
  async (version) => {
    const name = topic();
    const client = await shared.connect({ version });
    await client.subscribe([name, `${name}/y`]);
    const unsuback = await client.unsubscribe(name, "never/subscribed", `${name}/y`, name);
    expect(unsuback.codes).toEqual(version === 5 ? [0, 0x11, 0, 0x11] : []);
    expect(unsuback.size).toBe(version === 5 ? 2 + 2 + 1 + 4 : 4);
    await client.publish({ topic: name, payload: "x" });
    await client.ping();
    await client.expectNothing(100);
  },
);

bothVersions(
  "[MQTT-3.10.4-3] [MQTT311-3.10.4-3] a delivery that has begun is finished after UNSUBSCRIBE",
  async (version) => {
    const name = topic();
    const clientId = unique("c");
    const client = await shared.connect({ ...lasting(version), clientId });
    await client.subscribe({ filter: name, qos: 2 });
    const publisher = await shared.connect({ version });
    await publisher.publish({ topic: name, payload: "1", qos: 1 });
    await publisher.publish({ topic: name, payload: "2", qos: 2 });
    const messages = await client.messages(2);
    await client.unsubscribe(name);
    for (const message of messages) await client.acknowledge(message);
    await client.ping();
    await client.drop();
    const back = await shared.connect({ ...lasting(version), clientId });
    await back.ping();
    await back.expectNothing(100);
  },
);

bothVersions(
  "[MQTT-3.10.4-3] [MQTT311-3.10.4-3] a delivery that has begun comes again after a reconnect, although unsubscribed",
  async (version) => {
    const name = topic();
    const clientId = unique("c");
    const client = await shared.connect({ ...lasting(version), clientId });
    await client.subscribe({ filter: name, qos: 2 });
    const publisher = await shared.connect({ version });
    await publisher.publish({ topic: name, payload: "1", qos: 2 });
    const message = await client.message();
    await client.unsubscribe(name);
    await client.drop();
    const back = await shared.connect({ ...lasting(version), clientId });
    const again = await back.message();
    expect([again.id, again.dup, again.payload.toString()]).toEqual([message.id, true, "1"]);
  },
);

bothVersions(
  "[MQTT-3.8.4-1] SUBACK comes before the retained messages, or at least with them; many filters at once are taken",
  async (version) => {
    const base = topic();
    const client = await shared.connect({ version });
    const filters = Array.from({ length: 500 }, (_, index) => `${base}/${index}`);
    const suback = await client.subscribe(filters);
    expect(suback.codes.every((code) => code === 0)).toBe(true);
    await client.publish({ topic: `${base}/499`, payload: "last" });
    expect((await client.message()).payload.toString()).toBe("last");
  },
);
