// Shared subscriptions: MQTT 5.0 section 4.8.2.
import { expect } from "vitest";
import * as build from "../support/packets.ts";
import type { RawClient } from "../support/raw-client.ts";
import { bothVersions, lasting, sleep, statement, topic, unique, useServer } from "../support/suite.ts";

const shared = useServer();

const malformed = [
  "$share",
  "$share/",
  "$share/g",
  "$share/g/",
  "$share//t",
  "$share/+/t",
  "$share/#/t",
  "$share/g+/t",
  "$share/g#/t",
  "$share/g/a/#/b",
  "$share/g/a+",
];

bothVersions(
  "[MQTT-4.8.2-1] [MQTT-4.8.2-2] malformed $share filters are refused",
  async (version) => {
    await Promise.all(
      malformed.map(async (filter) => {
        const client = await shared.connect({ version });
        client.send(build.subscribe({ version, id: 3, filters: [filter] }));
        const suback = await client.take("SUBACK").catch(() => undefined);
        if (suback === undefined) await client.refused([0x81, 0x82, 0x8f]);
        else expect(version === 5 ? [0x8f, 0x87] : [0x80], filter).toContain(suback.codes[0]);
      }),
    );
  },
  { mosquitto: "takes some of them" },
);

async function group(count: number, filter: string, qos = 1, version: 4 | 5 = 5): Promise<RawClient[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const client = await shared.connect({ version });
      await client.subscribe({ filter, qos });
      return client;
    }),
  );
}

const payloadsOf = (client: RawClient): string[] =>
  client.waiting("PUBLISH").map((message) => message.payload.toString());

bothVersions("[MQTT-4.8.2-3] each message goes to exactly one of the share, and all of them work", async (version) => {
  const name = topic();
  const members = await group(3, `$share/g/${name}`, 1, version);
  for (const member of members) member.autoAck = true;
  const publisher = await shared.connect({ version });
  for (let index = 0; index < 60; index += 1) await publisher.publish({ topic: name, payload: `${index}`, qos: 1 });
  await sleep(150);
  const all = members.flatMap(payloadsOf);
  expect(all.map(Number).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, index) => index));
  for (const member of members) expect(payloadsOf(member).length).toBeGreaterThan(0);
});

bothVersions("[MQTT-4.8.2-3] two shares and a plain subscription each get every message", async (version) => {
  const name = topic();
  const one = await shared.connect({ version });
  const two = await shared.connect({ version });
  const plain = await shared.connect({ version });
  await one.subscribe(`$share/one/${name}`);
  await two.subscribe(`$share/two/${name}`);
  await plain.subscribe(name);
  const publisher = await shared.connect({ version });
  for (const payload of ["a", "b", "c"]) await publisher.publish({ topic: name, payload });
  for (const client of [one, two, plain]) {
    expect((await client.messages(3)).map((message) => message.payload.toString())).toEqual(["a", "b", "c"]);
  }
});

bothVersions("[MQTT-4.8.2-3] the same share name with different filters are different shares", async (version) => {
  const name = topic();
  const one = await shared.connect({ version });
  const two = await shared.connect({ version });
  await one.subscribe(`$share/g/${name}/a`);
  await two.subscribe(`$share/g/${name}/+`);
  const publisher = await shared.connect({ version });
  await publisher.publish({ topic: `${name}/a`, payload: "x" });
  expect((await one.message()).payload.toString()).toBe("x");
  expect((await two.message()).payload.toString()).toBe("x");
});

bothVersions("[MQTT-4.8.2-3] the QoS is that of the member's own subscription", async (version) => {
  const name = topic();
  const member = await shared.connect({ version });
  await member.subscribe({ filter: `$share/g/${name}`, qos: 1 });
  const publisher = await shared.connect({ version });
  for (const qos of [0, 1, 2]) await publisher.publish({ topic: name, payload: "x", qos });
  expect((await member.messages(3)).map((message) => message.qos)).toEqual([0, 1, 1]);
});

bothVersions(
  "[MQTT-4.8.2-3] a member that holds the filter alone too gets the message for each subscription",
  async (version) => {
    const name = topic();
    const client = await shared.connect({ version });
    await client.subscribe([`$share/g/${name}`, name]);
    const publisher = await shared.connect({ version });
    await publisher.publish({ topic: name, payload: "x" });
    await client.messages(2);
    await client.unsubscribe(name);
    await publisher.publish({ topic: name, payload: "y" });
    expect((await client.message()).payload.toString()).toBe("y");
    await client.expectNothing(80);
    await client.unsubscribe(`$share/g/${name}`);
    await publisher.publish({ topic: name, payload: "z" });
    await client.ping();
    await client.expectNothing(80);
  },
  { mosquitto: "sometimes delivers once" },
);

statement("[MQTT-4.8.2-3] UNSUBSCRIBE of one form leaves the other alone, in every pairing", async () => {
  const name = topic();
  const forms = [name, `$share/g/${name}`, `$share/h/${name}`];
  for (const kept of forms) {
    const client = await shared.connect();
    await client.subscribe(forms);
    const gone = forms.filter((form) => form !== kept);
    expect((await client.unsubscribe(...gone)).codes).toEqual([0, 0]);
    expect((await client.unsubscribe(...gone)).codes).toEqual([0x11, 0x11]);
    const publisher = await shared.connect();
    await publisher.publish({ topic: name, payload: kept });
    expect((await client.message()).payload.toString()).toBe(kept);
    await client.expectNothing(60);
    await client.disconnect();
  }
});

statement("[MQTT-4.8.2-3] a member that leaves or unsubscribes gets nothing more, the rest get all", async () => {
  const name = topic();
  const [a, b, c] = await group(3, `$share/g/${name}`);
  if (a === undefined || b === undefined || c === undefined) throw new Error("three members");
  await a.unsubscribe(`$share/g/${name}`);
  await b.disconnect();
  c.autoAck = true;
  const publisher = await shared.connect();
  for (let index = 0; index < 10; index += 1) await publisher.publish({ topic: name, payload: `${index}`, qos: 1 });
  expect((await c.messages(10)).length).toBe(10);
  await a.expectNothing(60);
});

statement(
  "[MQTT-4.8.2-5] an unacknowledged QoS 1 message of a session that ends goes to another member",
  async () => {
    const name = topic();
    const [first, second] = await group(2, `$share/g/${name}`);
    if (first === undefined || second === undefined) throw new Error("two members");
    const publisher = await shared.connect();
    for (let index = 0; index < 6; index += 1) await publisher.publish({ topic: name, payload: `${index}`, qos: 1 });
    await sleep(150);
    expect(payloadsOf(first).length + payloadsOf(second).length).toBe(6);
    second.autoAck = true;
    const lost = payloadsOf(first);
    expect(lost.length).toBeGreaterThan(0);
    const already = payloadsOf(second);
    await first.drop();
    await second.take((packet) => packet.name === "PUBLISH" && packet.payload.toString() === lost.at(-1));
    const after = [...payloadsOf(second), lost.at(-1) ?? ""];
    expect(new Set([...already, ...after])).toEqual(new Set(["0", "1", "2", "3", "4", "5"]));
  },
  { mosquitto: "sometimes drops them" },
);

statement(
  "[MQTT-4.8.2-4] [MQTT-4.8.2-5] while the session of the chosen member lives, its QoS 2 delivery is finished with it",
  async () => {
    const name = topic();
    const clientId = unique("c");
    const chosen = await shared.connect({ ...lasting(5), clientId });
    await chosen.subscribe({ filter: `$share/g/${name}`, qos: 2 });
    const publisher = await shared.connect();
    await publisher.publish({ topic: name, payload: "x", qos: 2 });
    const message = await chosen.message();
    const other = await shared.connect();
    await other.subscribe({ filter: `$share/g/${name}`, qos: 2 });
    await chosen.drop();
    await other.expectNothing(300);
    const back = await shared.connect({ ...lasting(5), clientId });
    const again = await back.message();
    expect([again.id, again.dup]).toEqual([message.id, true]);
    await back.acknowledge(again);
    await other.expectNothing(80);
  },
);

statement(
  "[MQTT-4.8.2-6] an error acknowledgement of a member is final: no other member gets the message",
  async () => {
    const name = topic();
    const [first, second] = await group(2, `$share/g/${name}`, 2);
    if (first === undefined || second === undefined) throw new Error("two members");
    const publisher = await shared.connect();
    await publisher.publish({ topic: name, payload: "one", qos: 1 });
    await publisher.publish({ topic: name, payload: "two", qos: 2 });
    await sleep(150);
    for (const client of [first, second]) {
      for (const message of client.waiting("PUBLISH")) {
        client.send(build.ack(message.qos === 1 ? "PUBACK" : "PUBREC", message.id, 0x80));
        await client.take({ name: "PUBLISH", id: message.id });
      }
    }
    await first.expectNothing(300);
    await second.expectNothing(20);
  },
);

statement(
  "[MQTT-4.8.2-3] shared subscriptions get no retained messages when made",
  async () => {
    const name = topic();
    const client = await shared.connect();
    await client.publish({ topic: name, payload: "kept", retain: true, qos: 1 });
    await client.subscribe(`$share/g/${name}`);
    await client.ping();
    await client.expectNothing(100);
  },
  { mosquitto: "sends them" },
);

statement("[MQTT-4.8.2-3] a subscription identifier of a shared subscription comes with its messages", async () => {
  const name = topic();
  const client = await shared.connect();
  await client.subscribe({ filter: `$share/g/${name}`, qos: 1 }, { properties: { subscriptionIdentifier: 44 } });
  await client.publish({ topic: name, payload: "x", qos: 1 });
  expect((await client.message()).properties.subscriptionIdentifier).toEqual([44]);
});

statement(
  "[MQTT-4.8.2-3] members whose quota is full, or who are away, are passed over while others are there",
  async () => {
    const name = topic();
    const awayId = unique("c");
    const away = await shared.connect({ ...lasting(5), clientId: awayId });
    await away.subscribe({ filter: `$share/g/${name}`, qos: 1 });
    await away.disconnect();
    const full = await shared.connect({ properties: { receiveMaximum: 1 } });
    await full.subscribe({ filter: `$share/g/${name}`, qos: 1 });
    const free = await shared.connect();
    free.autoAck = true;
    await free.subscribe({ filter: `$share/g/${name}`, qos: 1 });
    const publisher = await shared.connect();
    for (let index = 0; index < 20; index += 1) await publisher.publish({ topic: name, payload: `${index}`, qos: 1 });
    await sleep(150);
    expect(full.waiting("PUBLISH").length).toBeLessThanOrEqual(1);
    expect(free.waiting("PUBLISH").length + full.waiting("PUBLISH").length).toBe(20);
  },
  { onlyMess: true },
);

statement(
  "[MQTT-4.8.2-3] when all members are away the message waits for the share, and one of them gets it",
  async () => {
    const name = topic();
    const ids = [unique("c"), unique("c")];
    for (const clientId of ids) {
      const client = await shared.connect({ ...lasting(5), clientId });
      await client.subscribe({ filter: `$share/g/${name}`, qos: 1 });
      await client.disconnect();
    }
    const publisher = await shared.connect();
    for (let index = 0; index < 4; index += 1) await publisher.publish({ topic: name, payload: `${index}`, qos: 1 });
    const seen: string[] = [];
    for (const clientId of ids) {
      const back = await shared.connect({ ...lasting(5), clientId });
      back.autoAck = true;
      await back.ping();
      await sleep(150);
      seen.push(...payloadsOf(back));
    }
    expect(seen.toSorted()).toEqual(["0", "1", "2", "3"]);
  },
);
