// Flow control and packet size: MQTT 5.0 sections 3.1.2.11.3, 3.1.2.11.4, 3.3.4 and 4.9.
import { expect } from "vitest";
import * as build from "../support/packets.ts";
import { bothVersions, lasting, sleep, statement, topic, unique, useServer } from "../support/suite.ts";

const shared = useServer();

for (const qos of [1, 2]) {
  statement(
    `[MQTT-3.3.4-9] [MQTT-4.9.0-1] [MQTT-4.9.0-2] with Receive Maximum 3 at most 3 QoS ${qos} deliveries are open, and each acknowledgement lets the next one out`,
    async () => {
      const name = topic();
      const reader = await shared.connect({ properties: { receiveMaximum: 3 } });
      await reader.subscribe({ filter: name, qos });
      const publisher = await shared.connect();
      for (let index = 0; index < 10; index += 1) await publisher.publish({ topic: name, payload: `${index}`, qos });
      const open = await reader.messages(3);
      await reader.expectNothing(150);
      const seen = open.map((message) => message.payload.toString());
      while (open.length > 0) {
        const message = open.shift();
        if (message === undefined) break;
        if (qos === 2) {
          reader.send(build.ack("PUBREC", message.id));
          await reader.take({ name: "PUBREL", id: message.id });
          await reader.expectNothing(30);
          reader.send(build.ack("PUBCOMP", message.id));
        } else {
          reader.send(build.ack("PUBACK", message.id));
        }
        if (seen.length === 10) continue;
        const next = await reader.message();
        open.push(next);
        seen.push(next.payload.toString());
        await reader.expectNothing(20);
      }
      expect(seen).toEqual(Array.from({ length: 10 }, (_, index) => `${index}`));
    },
    { mosquitto: "sends three more after one acknowledgement" },
  );
}

statement("[MQTT-4.9.0-2] PUBACK and PUBREC with an error give the quota back too", async () => {
  const name = topic();
  const reader = await shared.connect({ properties: { receiveMaximum: 1 } });
  await reader.subscribe({ filter: name, qos: 2 });
  const publisher = await shared.connect();
  for (const qos of [1, 2, 1]) await publisher.publish({ topic: name, payload: `${qos}`, qos });
  const one = await reader.message();
  await reader.expectNothing(50);
  reader.send(build.ack("PUBACK", one.id, 0x80));
  const two = await reader.message();
  expect(two.qos).toBe(2);
  reader.send(build.ack("PUBREC", two.id, 0x80));
  const three = await reader.message();
  expect(three.qos).toBe(1);
});

statement("[MQTT-4.9.0-3] [MQTT-3.3.4-10] other packets and QoS 0 go on while the quota is used up", async () => {
  const name = topic();
  const reader = await shared.connect({ properties: { receiveMaximum: 1 } });
  await reader.subscribe({ filter: name, qos: 2 });
  const publisher = await shared.connect();
  await publisher.publish({ topic: name, payload: "1", qos: 1 });
  await publisher.publish({ topic: name, payload: "2", qos: 1 });
  const first = await reader.message();
  await reader.ping();
  await reader.subscribe({ filter: `${name}/other`, qos: 0 });
  await publisher.publish({ topic: `${name}/other`, payload: "zero", qos: 0 });
  expect((await reader.message()).payload.toString()).toBe("zero");
  const puback = await reader.publish({ topic: topic(), qos: 1 });
  expect(puback?.name).toBe("PUBACK");
  const pubcomp = await reader.publish({ topic: topic(), qos: 2 });
  expect(pubcomp?.name).toBe("PUBCOMP");
  await reader.unsubscribe(`${name}/other`);
  reader.send(build.ack("PUBACK", first.id));
  expect((await reader.message()).payload.toString()).toBe("2");
});

statement(
  "[MQTT-3.3.4-9] the Receive Maximum of the new connection holds for what is sent again",
  async () => {
    const name = topic();
    const clientId = unique("c");
    const reader = await shared.connect({ ...lasting(5), clientId });
    await reader.subscribe({ filter: name, qos: 1 });
    const publisher = await shared.connect();
    for (let index = 0; index < 6; index += 1) await publisher.publish({ topic: name, payload: `${index}`, qos: 1 });
    await reader.messages(6);
    await reader.drop();
    const back = await shared.connect({
      clientId,
      cleanStart: false,
      properties: { sessionExpiryInterval: 60, receiveMaximum: 2 },
    });
    const seen: string[] = [];
    for (let index = 0; index < 6; index += 1) {
      if (index === 0) {
        await sleep(150);
        expect(back.waiting("PUBLISH").length).toBe(2);
      }
      const message = await back.message();
      seen.push(message.payload.toString());
      back.send(build.ack("PUBACK", message.id));
    }
    expect(seen).toEqual(["0", "1", "2", "3", "4", "5"]);
  },
  { mosquitto: "sends all of them again" },
);

statement(
  "[MQTT-3.3.4-9] the maximum of 65,535 is the default: 200 deliveries may be open",
  async () => {
    const name = topic();
    const reader = await shared.connect();
    await reader.subscribe({ filter: name, qos: 1 });
    const publisher = await shared.connect();
    for (let index = 0; index < 200; index += 1) await publisher.publish({ topic: name, payload: `${index}`, qos: 1 });
    expect((await reader.messages(200)).length).toBe(200);
  },
  { mosquitto: "keeps max_inflight_messages open at most" },
);

statement(
  "[MQTT-3.3.4-7] [MQTT-3.3.4-8] the server takes Receive Maximum QoS 2 flows at once and answers one more with 0x93",
  async () => {
    const client = await shared.connect();
    const limit = client.connack?.properties.receiveMaximum ?? 65_535;
    const name = topic();
    for (let id = 1; id <= limit; id += 1) client.send(build.publish({ topic: name, payload: "x", qos: 2, id }));
    for (let id = 1; id <= limit; id += 1) await client.next("PUBREC");
    // a repeat does not count as one more
    client.send(build.publish({ topic: name, payload: "x", qos: 2, id: 1, dup: true }));
    await client.next({ name: "PUBREC", id: 1 });
    client.send(build.ack("PUBREL", 1));
    await client.next({ name: "PUBCOMP", id: 1 });
    client.send(build.publish({ topic: name, payload: "x", qos: 2, id: limit + 1 }));
    await client.next({ name: "PUBREC", id: limit + 1 });
    client.send(build.publish({ topic: name, payload: "x", qos: 2, id: limit + 2 }));
    await client.refused([0x93]);
  },
  { onlyMess: true },
);

statement(
  "[MQTT-3.3.4-7] Receive Maximum + 1 unacknowledged publishes in one segment are answered with a DISCONNECT 0x93 that can be read",
  async () => {
    const client = await shared.connect();
    const limit = client.connack?.properties.receiveMaximum ?? 65_535;
    const name = topic();
    client.send(
      ...Array.from({ length: limit + 1 }, (_, index) =>
        build.publish({ topic: name, payload: "x", qos: 2, id: index + 1 }),
      ),
    );
    // goes on writing after the server has closed, as a client does that has not read yet
    for (let id = 1; id <= 20 && !client.isClosed; id += 1) {
      client.send(build.ack("PUBREL", id));
      await sleep(2);
    }
    await client.refused([0x93], { mustTell: true });
  },
  { onlyMess: true },
);

statement(
  "[MQTT-3.3.4-7] a 3.1.1 client with more than the server's maximum in flight is closed on, and loses nothing acknowledged",
  async () => {
    const name = topic();
    const reader = await shared.connect({ version: 4 });
    reader.autoAck = true;
    await reader.subscribe({ filter: name, qos: 2 });
    const client = await shared.connect({ version: 4 });
    const bytes = Array.from({ length: 5_000 }, (_, index) =>
      build.publish({ version: 4, topic: name, payload: `${index}`, qos: 2, id: index + 1 }),
    );
    client.send(...bytes);
    await client.closed(10_000);
  },
  { onlyMess: true },
);

bothVersions(
  "[MQTT-3.3.4-8] 3,000 QoS 1 publishes without reading an answer are all answered in the end",
  async (version) => {
    const client = await shared.connect({ version });
    const limit = client.connack?.properties.receiveMaximum ?? 65_535;
    const count = version === 5 ? Math.min(limit, 3_000) : 3_000;
    const name = topic();
    client.send(
      ...Array.from({ length: count }, (_, index) => build.publish({ version, topic: name, qos: 1, id: index + 1 })),
    );
    for (let id = 1; id <= count; id += 1) await client.next({ name: "PUBACK", id }, 10_000);
  },
);

statement(
  "[MQTT-3.1.2-24] [MQTT-3.1.2-25] a message above the client's Maximum Packet Size is not sent, and counts as sent",
  async () => {
    const name = topic();
    const clientId = unique("c");
    const properties = { sessionExpiryInterval: 60, maximumPacketSize: 100, receiveMaximum: 2 };
    const reader = await shared.connect({ clientId, cleanStart: false, properties });
    await reader.subscribe({ filter: name, qos: 2 });
    const publisher = await shared.connect();
    for (const qos of [0, 1, 2]) {
      await publisher.publish({ topic: name, payload: Buffer.alloc(200), qos });
      await publisher.publish({ topic: name, payload: Buffer.alloc(200), qos });
    }
    await publisher.publish({ topic: name, payload: "small", qos: 1 });
    const message = await reader.message();
    expect(message.payload.toString()).toBe("small");
    reader.send(build.ack("PUBACK", message.id));
    await reader.ping();
    await sleep(100);
    await reader.drop();
    const back = await shared.connect({ clientId, cleanStart: false, properties: { sessionExpiryInterval: 60 } });
    await back.ping();
    await back.expectNothing(100);
  },
  { mosquitto: "sometimes stops delivering" },
);

statement(
  "[MQTT-3.1.2-24] a packet of exactly the maximum is sent, one byte more is not; queued and retained too",
  async () => {
    const name = topic();
    const clientId = unique("c");
    const size = (payload: number): number => 2 + 2 + name.length + 2 + 1 + payload;
    const limit = 100;
    const fits = limit - size(0);
    const properties = { sessionExpiryInterval: 60, maximumPacketSize: limit };
    const reader = await shared.connect({ clientId, cleanStart: false, properties });
    await reader.subscribe({ filter: name, qos: 1 });
    await reader.disconnect();
    const publisher = await shared.connect();
    for (const length of [fits + 1, fits])
      await publisher.publish({ topic: name, payload: Buffer.alloc(length), qos: 1 });
    const back = await shared.connect({ clientId, cleanStart: false, properties });
    const message = await back.message();
    expect(message.size).toBe(limit);
    await back.expectNothing(80);
    await publisher.publish({ topic: name, payload: Buffer.alloc(fits + 1), qos: 1, retain: true });
    await back.subscribe({ filter: name, qos: 1 });
    await back.ping();
    await back.expectNothing(80);
  },
  { mosquitto: "sometimes counts another size" },
);

statement("[MQTT-3.1.2-24] properties of the publisher count for the size as well", async () => {
  const name = topic();
  const reader = await shared.connect({ properties: { maximumPacketSize: 120 } });
  await reader.subscribe({ filter: name, qos: 0 });
  const publisher = await shared.connect();
  await publisher.publish({ topic: name, payload: "x", properties: { userProperty: [["k", "v".repeat(150)]] } });
  await publisher.publish({ topic: name, payload: "small" });
  expect((await reader.message()).payload.toString()).toBe("small");
});

bothVersions(
  "[MQTT-4.9.0-3] a reader that does not read holds up neither its publisher nor other readers",
  async (version) => {
    const name = topic();
    const slow = await shared.connect({ version });
    await slow.subscribe({ filter: name, qos: 0 });
    slow.stream.socket.pause();
    const quick = await shared.connect({ version });
    await quick.subscribe({ filter: name, qos: 0 });
    const publisher = await shared.connect({ version });
    const payload = Buffer.alloc(64_000, 1);
    for (let index = 0; index < 200; index += 1) {
      await publisher.publish({ topic: name, payload });
      await quick.message();
    }
    await publisher.ping();
    await slow.drop();
  },
);

statement(
  "[MQTT-4.9.0-1] QoS 1 and 2 for a reader that does not read wait, and come whole and in order when it does",
  async () => {
    const name = topic();
    const slow = await shared.connect();
    await slow.subscribe({ filter: name, qos: 1 });
    slow.stream.socket.pause();
    const publisher = await shared.connect();
    const payload = Buffer.alloc(60_000, 1);
    const count = 150;
    for (let index = 0; index < count; index += 1) {
      payload.writeUInt32BE(index);
      await publisher.publish({ topic: name, payload, qos: 1 });
    }
    slow.autoAck = true;
    slow.stream.socket.resume();
    const received = await slow.messages(count, 10_000);
    expect(received.map((message) => message.payload.readUInt32BE())).toEqual(
      Array.from({ length: count }, (_, index) => index),
    );
  },
);
