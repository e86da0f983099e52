// Sessions: MQTT 5.0 sections 3.1.2.11.2, 4.1, 4.4, 4.5; MQTT 3.1.1 sections 3.1.2.4, 4.1, 4.4, 4.5.
import { expect } from "vitest";
import * as build from "../support/packets.ts";
import { bothVersions, lasting, sleep, statement, topic, unique, useServer } from "../support/suite.ts";

const shared = useServer();

bothVersions(
  "[MQTT-4.1.0-1] [MQTT-4.1.0-2] [MQTT311-4.1.0-1] [MQTT311-4.1.0-2] a session keeps subscriptions and messages while its client is away",
  async (version) => {
    const base = topic();
    const clientId = unique("c");
    const client = await shared.connect({ ...lasting(version), clientId });
    await client.subscribe([
      { filter: `${base}/+`, qos: 1 },
      { filter: `${base}/x/#`, qos: 2 },
    ]);
    await client.drop();
    const publisher = await shared.connect({ version });
    await publisher.publish({ topic: `${base}/1`, payload: "1", qos: 2 });
    await publisher.publish({ topic: `${base}/x/y`, payload: "2", qos: 2 });
    const back = await shared.connect({ ...lasting(version), clientId });
    const messages = await back.messages(2);
    expect(messages.map((message) => [message.payload.toString(), message.qos])).toEqual([
      ["1", 1],
      ["2", 2],
    ]);
    await publisher.publish({ topic: `${base}/3`, payload: "3", qos: 1 });
    expect((await back.message()).payload.toString()).toBe("3");
  },
);

statement(
  "[MQTT-4.1.0-2] [MQTT-3.1.2-23] a session ends when its expiry has passed, and not earlier",
  async () => {
    const clientId = unique("c");
    const options = { ...lasting(5, 2), clientId };
    const client = await shared.connect(options);
    await client.drop();
    await sleep(1_300);
    const back = await shared.connect(options);
    expect(back.connack?.sessionPresent).toBe(true);
    // the time begins anew at each disconnect
    await sleep(1_300);
    await back.drop();
    await sleep(1_500);
    const third = await shared.connect(options);
    expect(third.connack?.sessionPresent).toBe(true);
    await third.drop();
    await sleep(2_700);
    const late = await shared.connect(options);
    expect(late.connack?.sessionPresent).toBe(false);
  },
  { mosquitto: "sometimes late: looks at expiry now and then" },
);

statement("[MQTT-4.1.0-2] Session Expiry 0, or none, ends the session with the connection", async () => {
  for (const properties of [{}, { sessionExpiryInterval: 0 }]) {
    const clientId = unique("c");
    const client = await shared.connect({ clientId, cleanStart: false, properties });
    await client.drop();
    const back = await shared.connect({ clientId, cleanStart: false, properties });
    expect(back.connack?.sessionPresent).toBe(false);
  }
});

statement("[MQTT-3.1.2-23] each CONNECT sets the Session Expiry anew", async () => {
  const clientId = unique("c");
  const client = await shared.connect({ ...lasting(5), clientId });
  await client.drop();
  const back = await shared.connect({ clientId, cleanStart: false });
  expect(back.connack?.sessionPresent).toBe(true);
  await back.drop();
  const third = await shared.connect({ ...lasting(5), clientId });
  expect(third.connack?.sessionPresent).toBe(false);
});

statement("[MQTT311-3.1.2-6] a clean session of 3.1.1 leaves nothing behind", async () => {
  const clientId = unique("c");
  const name = topic();
  const client = await shared.connect({ version: 4, clientId, cleanStart: true });
  await client.subscribe({ filter: name, qos: 1 });
  await client.drop();
  const back = await shared.connect({ ...lasting(4), clientId });
  expect(back.connack?.sessionPresent).toBe(false);
  const publisher = await shared.connect({ version: 4 });
  await publisher.publish({ topic: name, payload: "x", qos: 1 });
  await back.ping();
  await back.expectNothing(100);
});

bothVersions(
  "[MQTT-4.5.0-1] [MQTT311-4.5.0-1] every session that matches gets the message, present or away",
  async (version) => {
    const base = topic();
    const filters = [`${base}/a`, `${base}/+`, `${base}/#`];
    const ids = filters.map(() => unique("c"));
    for (const [index, filter] of filters.entries()) {
      const client = await shared.connect({ ...lasting(version), clientId: ids[index] ?? "" });
      await client.subscribe({ filter, qos: 1 });
      if (index < 2) await client.disconnect();
    }
    const other = await shared.connect({ version });
    await other.subscribe(`${base}/b`);
    const publisher = await shared.connect({ version });
    await publisher.publish({ topic: `${base}/a`, payload: "all", qos: 1 });
    for (const clientId of ids) {
      const back = await shared.connect({ ...lasting(version), clientId });
      expect((await back.message()).payload.toString()).toBe("all");
      await back.expectNothing(60);
    }
    await other.expectNothing(60);
  },
);

bothVersions("[MQTT-4.5.0-2] [MQTT311-4.5.0-2] an acknowledged delivery is never sent again", async (version) => {
  const name = topic();
  const clientId = unique("c");
  const client = await shared.connect({ ...lasting(version), clientId });
  client.autoAck = true;
  await client.subscribe({ filter: name, qos: 2 });
  const publisher = await shared.connect({ version });
  for (const qos of [1, 2, 1, 2]) await publisher.publish({ topic: name, payload: "x", qos });
  await client.messages(4);
  await client.ping();
  await sleep(200);
  await client.drop();
  const back = await shared.connect({ ...lasting(version), clientId });
  await back.ping();
  await back.expectNothing(150);
});

bothVersions("[MQTT-3.1.4-3] [MQTT-4.4.0-1] a takeover hands over what is in flight", async (version) => {
  const name = topic();
  const clientId = unique("c");
  const first = await shared.connect({ ...lasting(version), clientId });
  await first.subscribe({ filter: name, qos: 2 });
  const publisher = await shared.connect({ version });
  await publisher.publish({ topic: name, payload: "1", qos: 1 });
  await publisher.publish({ topic: name, payload: "2", qos: 2 });
  const before = await first.messages(2);
  const second = await shared.connect({ ...lasting(version), clientId });
  const after = await second.messages(2);
  expect(after.map((message) => [message.payload.toString(), message.id, message.dup])).toEqual(
    before.map((message) => [message.payload.toString(), message.id, true]),
  );
  await first.closed();
});

bothVersions(
  "[MQTT-4.4.0-1] [MQTT311-4.4.0-1] many reconnects deliver everything, first deliveries in order",
  async (version) => {
    const name = topic();
    const clientId = unique("c");
    const first = await shared.connect({ ...lasting(version), clientId });
    await first.subscribe({ filter: name, qos: 1 });
    await first.disconnect();
    const publisher = await shared.connect({ version });
    const count = 50;
    for (let index = 0; index < count; index += 1)
      await publisher.publish({ topic: name, payload: `${index}`, qos: 1 });
    const seen: number[] = [];
    const isNew = (value: number): boolean => !seen.includes(value);
    for (let round = 0; seen.length < count && round < 40; round += 1) {
      const client = await shared.connect({ ...lasting(version), clientId });
      for (let taken = 0; taken < 3 && seen.length < count; taken += 1) {
        const message = await client.message();
        const value = Number(message.payload.toString());
        if (isNew(value)) seen.push(value);
        client.send(build.ack("PUBACK", message.id));
      }
      await client.ping();
      await client.drop();
    }
    expect(seen).toEqual(Array.from({ length: count }, (_, index) => index));
  },
);

statement(
  "[MQTT-4.1.0-1] QoS 0 messages for a client that is away are not required; they never come out of order with themselves",
  async () => {
    const name = topic();
    const clientId = unique("c");
    const first = await shared.connect({ ...lasting(5), clientId });
    await first.subscribe({ filter: name, qos: 1 });
    await first.disconnect();
    const publisher = await shared.connect();
    for (const payload of ["0a", "1a", "0b", "1b"])
      await publisher.publish({ topic: name, payload, qos: Number(payload[0]) });
    const back = await shared.connect({ ...lasting(5), clientId });
    back.autoAck = true;
    await back.take((packet) => packet.name === "PUBLISH" && packet.payload.toString() === "1b");
  },
);

statement("[MQTT-3.1.2-4] Clean Start with a Session Expiry makes a session that lasts", async () => {
  const name = topic();
  const clientId = unique("c");
  const properties = { sessionExpiryInterval: 60 };
  const client = await shared.connect({ clientId, cleanStart: true, properties });
  await client.subscribe({ filter: name, qos: 1 });
  await client.drop();
  const publisher = await shared.connect();
  await publisher.publish({ topic: name, payload: "kept", qos: 1 });
  const back = await shared.connect({ clientId, cleanStart: false, properties });
  expect(back.connack?.sessionPresent).toBe(true);
  expect((await back.message()).payload.toString()).toBe("kept");
});

bothVersions("[MQTT-3.1.4-3] thirty takeovers in a row leave one connection and one session", async (version) => {
  const clientId = unique("c");
  const name = topic();
  const clients = await Promise.all(
    Array.from({ length: 30 }, () => shared.connect({ ...lasting(version), clientId }).catch(() => undefined)),
  );
  const last = await shared.connect({ ...lasting(version), clientId });
  await last.subscribe({ filter: name, qos: 1 });
  for (const client of clients) if (client !== undefined) await client.closed();
  const publisher = await shared.connect({ version });
  await publisher.publish({ topic: name, payload: "one", qos: 1 });
  expect((await last.message()).payload.toString()).toBe("one");
  await last.expectNothing(100);
});
