// Order: MQTT 5.0 section 4.6; MQTT 3.1.1 section 4.6. Packet id wrap-around: section 2.2.1.
import { expect } from "vitest";
import * as build from "../support/packets.ts";
import type { RawClient } from "../support/raw-client.ts";
import { bothVersions, lasting, statement, topic, unique, useServer } from "../support/suite.ts";

const shared = useServer();

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** Publishes `count` numbered messages with `window` of them unacknowledged. */
async function pour(
  client: RawClient,
  name: string,
  options: { count: number; qos: number; window?: number; from?: number },
): Promise<void> {
  const window = options.window ?? 20;
  const open = new Set<number>();
  const acknowledged = async (): Promise<void> => {
    const answer = await client.take((packet) => ["PUBACK", "PUBREC", "PUBCOMP"].includes(packet.name), 10_000);
    if (answer.name === "PUBREC") client.send(build.ack("PUBREL", answer.id));
    else open.delete(answer.id);
  };
  for (let index = 0; index < options.count; index += 1) {
    const id = client.freshId();
    const payload = `${(options.from ?? 0) + index}`;
    client.send(build.publish({ version: client.version, topic: name, payload, qos: options.qos, id }));
    if (options.qos > 0) open.add(id);
    while (open.size >= window) await acknowledged();
  }
  while (open.size > 0) await acknowledged();
}

for (const qos of [0, 1, 2]) {
  bothVersions(
    `[MQTT-4.6.0-5] [MQTT-4.6.0-6] [MQTT311-4.6.0-5] [MQTT311-4.6.0-6] 500 QoS ${qos} messages of one topic arrive in order`,
    async (version) => {
      const name = topic();
      const reader = await shared.connect({ version });
      reader.autoAck = true;
      await reader.subscribe({ filter: name, qos });
      const publisher = await shared.connect({ version });
      await pour(publisher, name, { count: 500, qos });
      const received = await reader.messages(500, 10_000);
      expect(received.map((message) => Number(message.payload.toString()))).toEqual(numbers(500));
    },
  );
}

bothVersions(
  "[MQTT-4.6.0-6] several publishers at once: each one's order is kept for every reader",
  async (version) => {
    const name = topic();
    const readers = await Promise.all(numbers(2).map(() => shared.connect({ version })));
    for (const reader of readers) {
      reader.autoAck = true;
      await reader.subscribe({ filter: `${name}/#`, qos: 1 });
    }
    const publishers = await Promise.all(numbers(3).map(() => shared.connect({ version })));
    await Promise.all(
      publishers.map((publisher, index) => pour(publisher, `${name}/${index}`, { count: 150, qos: 1 })),
    );
    for (const reader of readers) {
      const all = await reader.messages(450, 10_000);
      for (const index of publishers.keys()) {
        const own = all.filter((message) => message.topic === `${name}/${index}`);
        expect(own.map((message) => Number(message.payload.toString()))).toEqual(numbers(150));
      }
    }
  },
);

bothVersions(
  "[MQTT-4.6.0-1] [MQTT311-4.6.0-1] [MQTT311-4.6.0-5] what is sent again after a reconnect comes in the old order",
  async (version) => {
    const name = topic();
    const clientId = unique("c");
    const reader = await shared.connect({ ...lasting(version), clientId });
    await reader.subscribe({ filter: name, qos: 2 });
    const publisher = await shared.connect({ version });
    for (const index of numbers(10))
      await publisher.publish({ topic: name, payload: `${index}`, qos: 1 + (index % 2) });
    await reader.messages(10);
    await reader.drop();
    const back = await shared.connect({ ...lasting(version), clientId });
    const again = await back.messages(10);
    expect(again.map((message) => Number(message.payload.toString()))).toEqual(numbers(10));
    expect(again.every((message) => message.dup)).toBe(true);
    await publisher.publish({ topic: name, payload: "10", qos: 1 });
    const fresh = await back.message();
    expect([fresh.payload.toString(), fresh.dup]).toEqual(["10", false]);
  },
);

bothVersions(
  "[MQTT-4.6.0-2] [MQTT-4.6.0-3] [MQTT-4.6.0-4] [MQTT311-4.6.0-2] [MQTT311-4.6.0-3] [MQTT311-4.6.0-4] acknowledgements go out in the order of what they answer",
  async (version) => {
    const name = topic();
    const client = await shared.connect({ version });
    client.send(...numbers(10).map((index) => build.publish({ version, topic: name, qos: 1, id: 100 + index })));
    const pubacks = [];
    for (const _ of numbers(10)) pubacks.push((await client.next("PUBACK")).id);
    expect(pubacks).toEqual(numbers(10).map((index) => 100 + index));
    client.send(...numbers(10).map((index) => build.publish({ version, topic: name, qos: 2, id: 200 + index })));
    const pubrecs = [];
    for (const _ of numbers(10)) pubrecs.push((await client.next("PUBREC")).id);
    expect(pubrecs).toEqual(numbers(10).map((index) => 200 + index));
    client.send(...numbers(10).map((index) => build.ack("PUBREL", 209 - index)));
    const pubcomps = [];
    for (const _ of numbers(10)) pubcomps.push((await client.next("PUBCOMP")).id);
    expect(pubcomps.toSorted()).toEqual(numbers(10).map((index) => 200 + index));
  },
);

bothVersions(
  "[MQTT-4.6.0-4] PUBREL packets go out in the order of the PUBRECs, also after a reconnect",
  async (version) => {
    const name = topic();
    const clientId = unique("c");
    const reader = await shared.connect({ ...lasting(version), clientId });
    await reader.subscribe({ filter: name, qos: 2 });
    const publisher = await shared.connect({ version });
    for (const index of numbers(5)) await publisher.publish({ topic: name, payload: `${index}`, qos: 2 });
    const ids = (await reader.messages(5)).map((message) => message.id);
    reader.send(...ids.map((id) => build.ack("PUBREC", id)));
    const released = [];
    for (const _ of ids) released.push((await reader.next("PUBREL")).id);
    expect(released).toEqual(ids);
    await reader.drop();
    const back = await shared.connect({ ...lasting(version), clientId });
    const again = [];
    for (const _ of ids) again.push((await back.next("PUBREL")).id);
    expect(again).toEqual(ids);
  },
);

bothVersions("[MQTT-4.6.0-6] a backlog and what comes meanwhile keep one order", async (version) => {
  const name = topic();
  const clientId = unique("c");
  const reader = await shared.connect({ ...lasting(version), clientId });
  await reader.subscribe({ filter: name, qos: 1 });
  await reader.disconnect();
  const publisher = await shared.connect({ version });
  await pour(publisher, name, { count: 300, qos: 1 });
  const pouring = pour(publisher, name, { count: 300, qos: 1, from: 300 });
  const back = await shared.open(version);
  back.autoAck = true;
  back.send(build.connect({ ...lasting(version), clientId }));
  await back.take({ name: "CONNACK", code: 0 });
  const received = await back.messages(600, 10_000);
  await pouring;
  expect(received.map((message) => Number(message.payload.toString()))).toEqual(numbers(600));
});

bothVersions(
  "[MQTT-2.2.1-4] [MQTT311-2.3.1-4] the server's packet ids go round at 65535, never 0 and never one in use",
  async (version) => {
    const name = topic();
    const reader = await shared.connect({ version });
    await reader.subscribe([
      { filter: name, qos: 1 },
      { filter: `${name}/held`, qos: 1 },
    ]);
    const publisher = await shared.connect({ version });
    await publisher.publish({ topic: `${name}/held`, payload: "never acked", qos: 1 });
    const held = await reader.message();
    reader.autoAck = true;
    const count = 65_600;
    const pouring = pour(publisher, name, { count, qos: 1, window: 80 });
    let highest = 0;
    let last = -1;
    for (let received = 0; received < count; received += 1) {
      const message = await reader.message(10_000);
      if (message.id === held.id) throw new Error("an id in use was given again");
      highest = Math.max(highest, message.id);
      const value = Number(message.payload.toString());
      if (value !== last + 1) throw new Error(`${value} came after ${last}`);
      last = value;
    }
    await pouring;
    // a server may also reuse low ids at once; then there is nothing to go round
    expect(highest).toBeGreaterThan(0);
  },
  { timeout: 60_000, mosquitto: "gives an id that is in use again" },
);

statement("[MQTT-2.2.1-3] the client's packet ids may go round at 65535", async () => {
  const client = await shared.connect();
  for (const id of [65_534, 65_535, 1, 2]) {
    const puback = await client.publish({ topic: topic(), qos: 1, id });
    expect(puback?.id).toBe(id);
    const pubcomp = await client.publish({ topic: topic(), qos: 2, id });
    expect(pubcomp?.id).toBe(id);
  }
});
