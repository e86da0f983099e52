// MQTT 5.0 section 3.3; MQTT 3.1.1 section 3.3. Flow control and packet size have a file of their own.
import { expect } from "vitest";
import { text } from "../support/bytes.ts";
import * as build from "../support/packets.ts";
import { bothVersions, lasting, sleep, statement, topic, unique, useServer } from "../support/suite.ts";

const shared = useServer();

bothVersions(
  "[MQTT-3.3.1-1] [MQTT-3.3.1-3] [MQTT311-3.3.1-1] [MQTT311-3.3.1-3] DUP is set on redelivery, and only by the server's own doing",
  async (version) => {
    const name = topic();
    const clientId = unique("c");
    const reader = await shared.connect({ ...lasting(version), clientId });
    await reader.subscribe({ filter: name, qos: 2 });
    const publisher = await shared.connect({ version });
    publisher.send(
      build.publish({ version, topic: name, payload: "1", qos: 1, id: 1, dup: true }),
      build.publish({ version, topic: name, payload: "2", qos: 2, id: 2, dup: true }),
      build.ack("PUBREL", 2),
    );
    const first = await reader.messages(2);
    expect(first.map((message) => message.dup)).toEqual([false, false]);
    await reader.drop();
    const back = await shared.connect({ ...lasting(version), clientId });
    const second = await back.messages(2);
    expect(second.map((message) => [message.payload.toString(), message.dup, message.id])).toEqual(
      first.map((message) => [message.payload.toString(), true, message.id]),
    );
  },
);

bothVersions(
  "[MQTT-3.3.1-2] [MQTT-4.3.1-1] [MQTT311-3.3.1-2] [MQTT311-4.3.1-1] QoS 0 goes out with QoS 0 and DUP 0",
  async (version) => {
    const name = topic();
    const client = await shared.connect({ version });
    await client.subscribe({ filter: name, qos: 2 });
    await client.publish({ topic: name, payload: "x" });
    const message = await client.message();
    expect([message.qos, message.dup]).toEqual([0, false]);
  },
);

bothVersions(
  "[MQTT-3.3.1-2] [MQTT-3.3.1-4] [MQTT311-3.3.1-2] [MQTT311-3.3.1-4] DUP with QoS 0, and QoS 3, end the connection",
  async (version) => {
    const three = await shared.connect({ version });
    three.send(build.publish({ version, topic: topic(), qos: 3, id: 1 }));
    await three.refused([0x81]);
    const dup = await shared.connect({ version });
    dup.send(build.publish({ version, topic: topic(), qos: 0, dup: true }));
    await dup.refused([0x81, 0x82]);
  },
  { mosquitto: "takes DUP with QoS 0" },
);

bothVersions(
  "[MQTT-3.3.1-5] [MQTT-3.3.1-8] [MQTT311-3.3.1-5] [MQTT311-3.3.1-6] [MQTT311-3.3.1-8] [MQTT311-3.3.1-12] the last retained message of a topic is kept; others leave it alone",
  async (version) => {
    const name = topic();
    const publisher = await shared.connect({ version });
    await publisher.publish({ topic: name, payload: "old", qos: 1, retain: true });
    await publisher.publish({ topic: name, payload: "kept", qos: 1, retain: true });
    await publisher.publish({ topic: name, payload: "passing", qos: 1 });
    const reader = await shared.connect({ version });
    await reader.subscribe({ filter: name, qos: 1 });
    const message = await reader.message();
    expect([message.payload.toString(), message.retain, message.qos]).toEqual(["kept", true, 1]);
    await reader.expectNothing();
  },
);

bothVersions(
  "[MQTT-3.3.1-6] [MQTT-3.3.1-7] [MQTT311-3.3.1-10] [MQTT311-3.3.1-11] an empty retained payload clears the topic, is delivered as an ordinary message and not kept",
  async (version) => {
    const name = topic();
    const publisher = await shared.connect({ version });
    await publisher.publish({ topic: name, payload: "kept", qos: 1, retain: true });
    const current = await shared.connect({ version });
    await current.subscribe(name);
    await current.message();
    await publisher.publish({ topic: name, qos: 1, retain: true });
    const live = await current.message();
    expect([live.payload.length, live.retain]).toEqual([0, false]);
    const later = await shared.connect({ version });
    await later.subscribe(name);
    await later.expectNothing();
  },
);

bothVersions("[MQTT-3.3.1-5] [MQTT311-3.3.1-7] a retained QoS 0 message replaces what was kept", async (version) => {
  const name = topic();
  const publisher = await shared.connect({ version });
  await publisher.publish({ topic: name, payload: "one", qos: 2, retain: true });
  await publisher.publish({ topic: name, payload: "zero", qos: 0, retain: true });
  await publisher.ping();
  const reader = await shared.connect({ version });
  await reader.subscribe({ filter: name, qos: 2 });
  const message = await reader.message();
  expect([message.payload.toString(), message.qos]).toEqual(["zero", 0]);
});

bothVersions(
  "[MQTT-3.3.1-9] [MQTT311-3.8.4-3] an identical subscription gets retained messages again",
  async (version) => {
    const name = topic();
    const client = await shared.connect({ version });
    await client.publish({ topic: name, payload: "kept", qos: 1, retain: true });
    for (let round = 0; round < 2; round += 1) {
      await client.subscribe(name);
      const message = await client.message();
      expect([message.payload.toString(), message.retain]).toEqual(["kept", true]);
    }
  },
);

statement(
  "[MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11] Retain Handling 0 always, 1 for a new subscription, 2 never",
  async () => {
    const name = topic();
    const client = await shared.connect();
    await client.publish({ topic: name, payload: "kept", qos: 1, retain: true });
    const received = async (retainHandling: number): Promise<number> => {
      await client.subscribe({ filter: name, retainHandling });
      await client.ping();
      await sleep(60);
      return client.waiting("PUBLISH").length;
    };
    const drain = async (count: number): Promise<void> => void (await client.messages(count));
    expect(await received(2)).toBe(0);
    expect(await received(1)).toBe(0);
    expect(await received(0)).toBe(1);
    await drain(1);
    expect(await received(0)).toBe(1);
    await drain(1);
    await client.unsubscribe(name);
    expect(await received(1)).toBe(1);
    await drain(1);
    expect(await received(1)).toBe(0);
  },
);

statement("[MQTT-3.3.1-10] Retain Handling 1 on a resumed session is not a new subscription", async () => {
  const name = topic();
  const clientId = unique("c");
  const client = await shared.connect({ ...lasting(5), clientId });
  await client.subscribe({ filter: name, retainHandling: 1 });
  await client.disconnect();
  const publisher = await shared.connect();
  await publisher.publish({ topic: name, payload: "kept", retain: true, qos: 1 });
  const back = await shared.connect({ ...lasting(5), clientId });
  await back.subscribe({ filter: name, retainHandling: 1 });
  await back.ping();
  const retained = back.waiting("PUBLISH").filter((message) => message.retain);
  expect(retained).toEqual([]);
});

bothVersions("[MQTT-3.3.1-12] [MQTT311-3.3.1-9] a live message goes out with RETAIN 0", async (version) => {
  const name = topic();
  const client = await shared.connect({ version });
  await client.subscribe(name);
  await client.publish({ topic: name, payload: "x", retain: true, qos: 1 });
  expect((await client.message()).retain).toBe(false);
  await client.publish({ topic: name, qos: 1, retain: true });
});

statement("[MQTT-3.3.1-12] [MQTT-3.3.1-13] Retain As Published keeps the flag as it came", async () => {
  const name = topic();
  const asPublished = await shared.connect();
  await asPublished.subscribe({ filter: name, retainAsPublished: true });
  const publisher = await shared.connect();
  await publisher.publish({ topic: name, payload: "r", retain: true, qos: 1 });
  await publisher.publish({ topic: name, payload: "n", retain: false, qos: 1 });
  const flags = (await asPublished.messages(2)).map((message) => [message.payload.toString(), message.retain]);
  expect(flags).toEqual([
    ["r", true],
    ["n", false],
  ]);
  const later = await shared.connect();
  await later.subscribe({ filter: name, retainAsPublished: false });
  expect((await later.message()).retain).toBe(true);
});

bothVersions("[MQTT-3.3.1-5] wildcards find retained messages, each under its own topic", async (version) => {
  const base = topic();
  const client = await shared.connect({ version });
  const names = [`${base}/a`, `${base}/b`, `${base}/b/c`];
  for (const name of names) await client.publish({ topic: name, payload: name, qos: 1, retain: true });
  await client.subscribe(`${base}/+`);
  expect(new Set((await client.messages(2)).map((message) => message.topic))).toEqual(new Set(names.slice(0, 2)));
  const all = await shared.connect({ version });
  await all.subscribe(`${base}/#`);
  expect(new Set((await all.messages(3)).map((message) => message.topic))).toEqual(new Set(names));
  await all.expectNothing(100);
});

bothVersions(
  "[MQTT-3.3.2-1] [MQTT-3.3.2-2] [MQTT-4.7.0-1] [MQTT311-3.3.2-1] [MQTT311-3.3.2-2] [MQTT311-4.7.1-1] a topic name with wildcards is refused",
  async (version) => {
    await Promise.all(
      ["a/+", "#", "a/#", "+", "a+b", "a#"].map(async (name) => {
        const client = await shared.connect({ version });
        const id = 9;
        client.send(build.publish({ version, topic: name, qos: 1, id }));
        const answer = await Promise.race([
          client.take("PUBACK").catch(() => undefined),
          client.closed().then(() => undefined),
        ]);
        if (answer !== undefined) expect([0x90, 0x81, 0x82]).toContain(answer.code);
        else expect(client.isClosed).toBe(true);
      }),
    );
  },
);

bothVersions("[MQTT-4.7.3-1] [MQTT311-4.7.3-1] an empty topic name ends the connection", async (version) => {
  await Promise.all(
    [0, 1, 2].map(async (qos) => {
      const client = await shared.connect({ version });
      client.send(build.publish({ version, topic: "", payload: "x", qos, id: 3 }));
      await client.refused([0x81, 0x82, 0x90]);
    }),
  );
});

bothVersions(
  "[MQTT-3.3.2-3] [MQTT311-3.3.2-3] a message is delivered under the topic it was published to",
  async (version) => {
    const base = topic();
    const client = await shared.connect({ version });
    await client.subscribe([`${base}/+/c`, `${base}/#`]);
    await client.publish({ topic: `${base}/b/c`, payload: "x" });
    expect((await client.message()).topic).toBe(`${base}/b/c`);
  },
);

statement(
  "[MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-19] [MQTT-3.3.2-20] the properties of a message pass unchanged, live, queued and retained",
  async () => {
    const name = topic();
    const properties = {
      payloadFormatIndicator: 1,
      contentType: "text/plain; charset=ü",
      responseTopic: "t/answer/ö",
      correlationData: Buffer.from([0, 255, 1, 254]),
      userProperty: [
        ["z", "1"],
        ["a", "2"],
        ["z", "1"],
        ["", ""],
        ["ключ", "值"],
      ] as [string, string][],
    };
    const clientId = unique("c");
    const queued = await shared.connect({ ...lasting(5), clientId });
    await queued.subscribe({ filter: name, qos: 1 });
    await queued.disconnect();
    const live = await shared.connect();
    await live.subscribe({ filter: name, qos: 2 });
    const publisher = await shared.connect();
    await publisher.publish({ topic: name, payload: "é", qos: 2, retain: true, properties });
    const back = await shared.connect({ ...lasting(5), clientId });
    const later = await shared.connect();
    await later.subscribe({ filter: name, qos: 0 });
    for (const [label, client] of [
      ["live", live],
      ["queued", back],
      ["retained", later],
    ] as const) {
      const message = await client.message();
      expect(message.properties, label).toEqual(properties);
      expect(message.payload.toString(), label).toBe("é");
    }
    await publisher.publish({ topic: name, qos: 1, retain: true });
  },
);

statement(
  "[MQTT-3.3.2-4] Payload Format Indicator 0 passes or is left out, and an absent one is not invented",
  async () => {
    const name = topic();
    const client = await shared.connect();
    await client.subscribe(name);
    await client.publish({ topic: name, payload: Buffer.from([0xff]), properties: { payloadFormatIndicator: 0 } });
    expect([undefined, 0]).toContain((await client.message()).properties.payloadFormatIndicator);
    await client.publish({ topic: name, payload: "x" });
    expect((await client.message()).properties).toEqual({});
  },
);

bothVersions("[MQTT-3.3.2-17] a 3.1.1 subscriber gets the message without its properties", async (version) => {
  const name = topic();
  const reader = await shared.connect({ version });
  await reader.subscribe({ filter: name, qos: 1 });
  const publisher = await shared.connect();
  await publisher.publish({
    topic: name,
    payload: "x",
    qos: 1,
    properties: { contentType: "a", userProperty: [["k", "v"]] },
  });
  const message = await reader.message();
  expect(message.payload.toString()).toBe("x");
  expect(message.properties.contentType).toBe(version === 5 ? "a" : undefined);
});

statement(
  "[MQTT-3.3.2-5] [MQTT-3.3.2-6] an expired message is not delivered; another carries what is left of its time",
  async () => {
    const name = topic();
    const clientId = unique("c");
    const reader = await shared.connect({ ...lasting(5), clientId });
    await reader.subscribe({ filter: name, qos: 2 });
    await reader.disconnect();
    const publisher = await shared.connect();
    await publisher.publish({ topic: name, payload: "gone 1", qos: 1, properties: { messageExpiryInterval: 1 } });
    await publisher.publish({ topic: name, payload: "left", qos: 1, properties: { messageExpiryInterval: 100 } });
    await publisher.publish({ topic: name, payload: "gone 2", qos: 2, properties: { messageExpiryInterval: 1 } });
    await publisher.publish({ topic: name, payload: "for ever", qos: 2 });
    await sleep(2_100);
    const back = await shared.connect({ ...lasting(5), clientId });
    const messages = await back.messages(2);
    expect(messages.map((message) => message.payload.toString())).toEqual(["left", "for ever"]);
    expect(messages[0]?.properties.messageExpiryInterval).toBeGreaterThanOrEqual(95);
    expect(messages[0]?.properties.messageExpiryInterval).toBeLessThanOrEqual(98);
    expect(messages[1]?.properties.messageExpiryInterval).toBeUndefined();
    await back.expectNothing();
  },
);

statement("[MQTT-3.3.2-5] [MQTT-3.3.2-6] a retained message expires too, and carries what is left", async () => {
  const short = topic();
  const long = topic();
  const publisher = await shared.connect();
  await publisher.publish({
    topic: short,
    payload: "s",
    qos: 1,
    retain: true,
    properties: { messageExpiryInterval: 1 },
  });
  await publisher.publish({
    topic: long,
    payload: "l",
    qos: 1,
    retain: true,
    properties: { messageExpiryInterval: 100 },
  });
  await sleep(2_100);
  const reader = await shared.connect();
  await reader.subscribe([short, long]);
  const message = await reader.message();
  expect(message.payload.toString()).toBe("l");
  expect(message.properties.messageExpiryInterval).toBeLessThanOrEqual(98);
  await reader.expectNothing();
});

statement("[MQTT-3.3.2-6] a message delivered at once carries its whole expiry", async () => {
  const name = topic();
  const client = await shared.connect();
  await client.subscribe(name);
  await client.publish({ topic: name, payload: "x", properties: { messageExpiryInterval: 50 } });
  expect((await client.message()).properties.messageExpiryInterval).toBe(50);
});

statement("[MQTT-3.3.2-7] alias mappings end with the connection, and are not shared with others", async () => {
  const name = topic();
  const clientId = unique("c");
  const client = await shared.connect({ ...lasting(5), clientId });
  await client.publish({ topic: name, qos: 1, properties: { topicAlias: 1 } });
  const other = await shared.connect();
  other.send(build.publish({ topic: "", qos: 0, properties: { topicAlias: 1 } }));
  await other.refused([0x82, 0x94]);
  await client.drop();
  const back = await shared.connect({ ...lasting(5), clientId });
  back.send(build.publish({ topic: "", qos: 0, properties: { topicAlias: 1 } }));
  await back.refused([0x82, 0x94]);
});

statement(
  "[MQTT-3.3.2-8] [MQTT-3.3.2-12] alias 0 is refused with 0x94",
  async () => {
    const client = await shared.connect();
    client.send(build.publish({ topic: topic(), properties: { topicAlias: 0 } }));
    await client.refused([0x94]);
  },
  { mosquitto: "answers 0x81" },
);

statement("[MQTT-3.3.2-12] an alias can be set, used with every QoS, and set anew", async () => {
  const one = topic();
  const two = topic();
  const reader = await shared.connect();
  await reader.subscribe([
    { filter: one, qos: 2 },
    { filter: two, qos: 2 },
  ]);
  const client = await shared.connect();
  await client.publish({ topic: one, payload: "1", qos: 1, properties: { topicAlias: 2 } });
  await client.publish({ topic: "", payload: "2", qos: 0, properties: { topicAlias: 2 } });
  await client.publish({ topic: "", payload: "3", qos: 1, properties: { topicAlias: 2 } });
  await client.publish({ topic: two, payload: "4", qos: 2, properties: { topicAlias: 2 } });
  await client.publish({ topic: "", payload: "5", qos: 2, properties: { topicAlias: 2 } });
  const messages = await reader.messages(5);
  expect(messages.map((message) => message.topic)).toEqual([one, one, one, two, two]);
  expect(messages.every((message) => message.properties.topicAlias === undefined)).toBe(true);
});

statement(
  "[MQTT-3.1.2-26] [MQTT-3.1.2-27] [MQTT-3.3.2-10] the server's aliases stay within the client's maximum and mean what they say",
  async () => {
    const names = Array.from({ length: 5 }, topic);
    const reader = await shared.connect({ properties: { topicAliasMaximum: 2 } });
    await reader.subscribe(names.map((filter) => ({ filter, qos: 2 })));
    const publisher = await shared.connect();
    for (let round = 0; round < 3; round += 1) {
      for (const [index, name] of names.entries())
        await publisher.publish({ topic: name, payload: name, qos: index % 3 });
    }
    const known = new Map<number, string>();
    for (const message of await reader.messages(15)) {
      const alias = message.properties.topicAlias;
      if (alias !== undefined) {
        expect(alias).toBeGreaterThan(0);
        expect(alias).toBeLessThanOrEqual(2);
        if (message.topic !== "") known.set(alias, message.topic);
      }
      const meant = message.topic === "" ? known.get(alias ?? 0) : message.topic;
      expect(meant).toBe(message.payload.toString());
    }
    const none = await shared.connect();
    await none.subscribe(names.map((filter) => ({ filter, qos: 0 })));
    for (let round = 0; round < 2; round += 1) await publisher.publish({ topic: names[0] ?? "", payload: "x" });
    for (const message of await none.messages(2)) expect(message.properties.topicAlias).toBeUndefined();
  },
);

statement(
  "[MQTT-3.1.2-26] the server uses aliases when the client allows them",
  async () => {
    const name = topic();
    const reader = await shared.connect({ properties: { topicAliasMaximum: 1 } });
    await reader.subscribe({ filter: name, qos: 2 });
    const publisher = await shared.connect();
    for (const qos of [0, 1, 2]) await publisher.publish({ topic: name, payload: "x", qos });
    const [first, ...others] = await reader.messages(3);
    expect([first?.topic, first?.properties.topicAlias]).toEqual([name, 1]);
    for (const message of others) expect([message.topic, message.properties.topicAlias]).toEqual(["", 1]);
  },
  { onlyMess: true },
);

statement(
  "[MQTT-3.3.2-13] [MQTT-3.3.2-14] a response topic with wildcards is refused",
  async () => {
    await Promise.all(
      ["a/#", "+", "a/+/b"].map(async (responseTopic) => {
        const client = await shared.connect();
        client.send(build.publish({ topic: topic(), properties: { responseTopic } }));
        await client.refused([0x81, 0x82, 0x90]);
      }),
    );
  },
  { mosquitto: "takes it" },
);

bothVersions(
  "[MQTT-3.3.4-1] [MQTT-4.3.2-4] [MQTT-4.3.3-8] [MQTT311-3.3.4-1] [MQTT311-4.3.2-2] PUBLISH is answered by its QoS: nothing, PUBACK, PUBREC",
  async (version) => {
    const client = await shared.connect({ version });
    const name = topic();
    client.send(build.publish({ version, topic: name, qos: 0 }), build.pingreq());
    await client.next("PINGRESP");
    client.send(build.publish({ version, topic: name, qos: 1, id: 1 }));
    await client.next({ name: "PUBACK", id: 1 });
    client.send(build.publish({ version, topic: name, qos: 2, id: 2 }));
    await client.next({ name: "PUBREC", id: 2 });
    client.send(build.ack("PUBREL", 2));
    await client.next({ name: "PUBCOMP", id: 2, code: 0 });
  },
);

bothVersions(
  "[MQTT-3.3.4-2] [MQTT311-3.3.5-1] overlapping subscriptions: the highest QoS that matches, or one delivery each",
  async (version) => {
    const base = topic();
    const client = await shared.connect({ version });
    client.autoAck = true;
    await client.subscribe([
      { filter: `${base}/#`, qos: 2 },
      { filter: `${base}/+`, qos: 1 },
      { filter: `${base}/x`, qos: 0 },
    ]);
    await client.publish({ topic: `${base}/x`, payload: "x", qos: 2 });
    await client.ping();
    await sleep(100);
    const qos = client.waiting("PUBLISH").map((message) => message.qos);
    expect(qos.length === 1 ? qos : qos.toSorted()).toEqual(qos.length === 1 ? [2] : [0, 1, 2]);
  },
  { mosquitto: "delivers once, with the QoS of the first filter it finds", mosquittoVersion: 4 },
);

statement(
  "[MQTT-3.3.4-2] [MQTT-3.3.4-5] overlapping subscriptions of a client get one delivery with all their ids",
  async () => {
    const base = topic();
    const client = await shared.connect();
    for (const [index, filter] of [`${base}/#`, `${base}/+`, `${base}/x`].entries()) {
      await client.subscribe({ filter, qos: index }, { properties: { subscriptionIdentifier: index + 1 } });
    }
    await client.publish({ topic: `${base}/x`, payload: "x", qos: 2 });
    const message = await client.message();
    expect([message.qos, (message.properties.subscriptionIdentifier as number[]).toSorted()]).toEqual([2, [1, 2, 3]]);
    await client.expectNothing(150);
  },
  { onlyMess: true },
);

statement(
  "[MQTT-3.3.4-3] [MQTT-3.3.4-4] [MQTT-3.3.4-5] subscription identifiers of all subscriptions that match come with the message",
  async () => {
    const base = topic();
    const client = await shared.connect();
    await client.subscribe(`${base}/a`, { properties: { subscriptionIdentifier: 1 } });
    await client.subscribe(`${base}/+`, { properties: { subscriptionIdentifier: 268_435_455 } });
    await client.subscribe(`${base}/#`);
    await client.publish({ topic: `${base}/a`, payload: "a" });
    await client.publish({ topic: `${base}/b`, payload: "b" });
    await client.ping();
    await sleep(100);
    const ids = (payload: string): number[] =>
      client
        .waiting((packet) => packet.name === "PUBLISH" && packet.payload.toString() === payload)
        .flatMap((message) => (message.properties.subscriptionIdentifier as number[] | undefined) ?? [])
        .toSorted();
    expect(ids("a")).toEqual([1, 268_435_455]);
    expect(ids("b")).toEqual([268_435_455]);
  },
);

statement(
  "[MQTT-3.3.4-3] a subscription identifier comes with retained and queued messages, and the newest counts",
  async () => {
    const name = topic();
    const clientId = unique("c");
    const client = await shared.connect({ ...lasting(5), clientId });
    await client.subscribe({ filter: name, qos: 1 }, { properties: { subscriptionIdentifier: 5 } });
    await client.subscribe({ filter: name, qos: 1 }, { properties: { subscriptionIdentifier: 7 } });
    await client.disconnect();
    const publisher = await shared.connect();
    await publisher.publish({ topic: name, payload: "queued", qos: 1, retain: true });
    const back = await shared.connect({ ...lasting(5), clientId });
    expect((await back.message()).properties.subscriptionIdentifier).toEqual([7]);
    await back.subscribe(name, { properties: { subscriptionIdentifier: 9 } });
    const retained = await back.message();
    expect([retained.retain, retained.properties.subscriptionIdentifier]).toEqual([true, [9]]);
    await back.subscribe({ filter: name, retainHandling: 2 });
    await publisher.publish({ topic: name, qos: 0, payload: "without" });
    expect((await back.take({ name: "PUBLISH", qos: 0 })).properties.subscriptionIdentifier).toBeUndefined();
  },
);

statement(
  "[MQTT-3.3.4-6] a subscription identifier in a client's PUBLISH is a protocol error",
  async () => {
    const client = await shared.connect();
    client.send(build.publish({ topic: topic(), properties: { subscriptionIdentifier: 1 } }));
    await client.refused([0x82, 0x81]);
  },
  { mosquitto: "takes it" },
);

bothVersions(
  "[MQTT-3.3.2-1] an empty payload, and one of 300 KiB with every byte value, arrive as they are",
  async (version) => {
    const name = topic();
    const client = await shared.connect({ version });
    await client.subscribe({ filter: name, qos: 1 });
    const big = Buffer.alloc(300_000, Buffer.from(Array.from({ length: 256 }, (_, index) => index)));
    for (const payload of [Buffer.alloc(0), big]) {
      await client.publish({ topic: name, payload, qos: 1 });
      expect((await client.message()).payload.equals(payload)).toBe(true);
    }
  },
);

const badPublishProperties: [string, build.PropertiesInput, readonly number[]][] = [
  ["Payload Format Indicator 2", { payloadFormatIndicator: 2 }, [0x82]],
  [
    "Payload Format Indicator twice",
    [
      ["payloadFormatIndicator", 1],
      ["payloadFormatIndicator", 1],
    ],
    [0x82],
  ],
  [
    "Message Expiry Interval twice",
    [
      ["messageExpiryInterval", 1],
      ["messageExpiryInterval", 1],
    ],
    [0x82],
  ],
  [
    "Topic Alias twice",
    [
      ["topicAlias", 1],
      ["topicAlias", 1],
    ],
    [0x82],
  ],
  [
    "Response Topic twice",
    [
      ["responseTopic", "a"],
      ["responseTopic", "a"],
    ],
    [0x82],
  ],
  [
    "Correlation Data twice",
    [
      ["correlationData", Buffer.from("a")],
      ["correlationData", Buffer.from("a")],
    ],
    [0x82],
  ],
  [
    "Content Type twice",
    [
      ["contentType", "a"],
      ["contentType", "a"],
    ],
    [0x82],
  ],
  ["a property of CONNECT", { receiveMaximum: 1 }, [0x81, 0x82]],
  ["a property of PUBACK", { reasonString: "a" }, [0x81, 0x82]],
  ["an unknown property", [[0x7f, Buffer.from([0])]], [0x81, 0x82]],
  ["a cut property", Buffer.from([0x02, 0, 0]), [0x81, 0x82]],
];

for (const [name, properties, codes] of badPublishProperties) {
  statement(
    `[MQTT-4.13.1-1] PUBLISH with ${name} ends the connection`,
    async () => {
      const client = await shared.connect();
      client.send(build.publish({ topic: topic(), properties }));
      await client.refused(codes);
    },
    name === "Payload Format Indicator 2" ? { mosquitto: "takes it" } : {},
  );
}

statement("[MQTT-4.13.1-1] a property length past the end of PUBLISH ends the connection", async () => {
  const client = await shared.connect();
  client.send(build.packet("PUBLISH", 0, text("t/x"), Buffer.from([40, 1, 1])));
  await client.refused([0x81]);
});

statement(
  "[MQTT-3.3.1-4] inbound user properties that begin with mess- are refused with 0x83 and not forwarded",
  async () => {
    const name = topic();
    const reader = await shared.connect();
    await reader.subscribe({ filter: name, qos: 1 });
    const client = await shared.connect();
    const puback = await client.publish({
      topic: name,
      qos: 1,
      properties: { userProperty: [["mess-principal", "admin"]] },
    });
    expect(puback?.code).toBe(0x83);
    const pubrec = await client.publish({ topic: name, qos: 2, properties: { userProperty: [["mess-offset", "1"]] } });
    expect([pubrec?.name, pubrec?.code]).toEqual(["PUBREC", 0x83]);
    await client.ping();
    await reader.expectNothing();
  },
  { onlyMess: true },
);

statement(
  "[MQTT-3.4.2-1] an acked publish that nobody reads says 0x10, one that is read says 0",
  async () => {
    const name = topic();
    const client = await shared.connect();
    expect((await client.publish({ topic: name, qos: 1 }))?.code).toBe(0x10);
    // a QoS 2 message is matched when it is released, so its PUBREC cannot know
    await client.subscribe(name);
    expect((await client.publish({ topic: name, qos: 1 }))?.code).toBe(0);
  },
  { onlyMess: true },
);
