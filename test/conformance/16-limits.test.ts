// The limits of mess (packages/broker/src/config/limits.ts, THREATS D5): up to each taken, one more refused with its code.
import { expect } from "vitest";
import * as build from "../support/packets.ts";
import { bothVersions, statement, topic, unique, useServer } from "../support/suite.ts";

const shared = useServer();

const properties = (count: number, bytes = 2): { userProperty: [string, string][] } => ({
  userProperty: Array.from({ length: count }, () => ["k", "v".repeat(bytes - 1)] as [string, string]),
});

statement(
  "[MQTT-3.3.2-17] 32 user properties are taken, 33 refused",
  async () => {
    const name = topic();
    const client = await shared.connect({ properties: properties(32) });
    await client.subscribe(name);
    expect((await client.publish({ topic: name, qos: 1, properties: properties(32) }))?.code).toBe(0);
    expect((await client.message()).properties.userProperty?.length).toBe(32);
    client.send(build.publish({ topic: name, qos: 1, id: 77, properties: properties(33) }));
    const puback = await client.take("PUBACK").catch(() => undefined);
    if (puback === undefined) await client.refused([0x95, 0x97]);
    else expect([0x83, 0x97]).toContain(puback.code);
  },
  { onlyMess: true },
);

statement(
  "[MQTT-3.3.2-17] 4 KiB of user properties are taken, more refused",
  async () => {
    const name = topic();
    const client = await shared.connect();
    await client.subscribe(name);
    expect((await client.publish({ topic: name, qos: 1, properties: properties(4, 1_000) }))?.code).toBe(0);
    await client.message();
    client.send(build.publish({ topic: name, qos: 1, id: 77, properties: properties(5, 1_000) }));
    const puback = await client.take("PUBACK").catch(() => undefined);
    if (puback === undefined) await client.refused([0x95, 0x97]);
    else expect([0x83, 0x97]).toContain(puback.code);
  },
  { onlyMess: true },
);

statement(
  "[MQTT-3.1.4-1] too many user properties in CONNECT, in a will, and thousands of them anywhere, are refused quickly",
  async () => {
    // built once, for building them is the slowest part
    const section = build.properties(properties(60_000));
    const many = section.subarray(section.length - 60_000 * (1 + 3 + 3));
    const began = performance.now();
    for (const fields of [{ properties: properties(33) }, { will: { topic: topic(), properties: properties(33) } }]) {
      const client = await shared.open();
      client.send(build.connect({ clientId: unique("c"), ...fields }));
      await client.refused([0x95, 0x97, 0x83, 0x82]);
    }
    const connecting = await shared.open();
    connecting.send(build.connect({ clientId: unique("c"), properties: many }));
    await connecting.refused([0x95, 0x97]);
    for (const bytes of [
      build.publish({ topic: topic(), properties: many }),
      build.subscribe({ filters: [topic()], properties: many }),
      build.unsubscribe({ filters: [topic()], properties: many }),
      build.ack("PUBACK", 1, 0, many),
    ]) {
      const client = await shared.connect();
      client.send(bytes);
      await client.refused([0x95, 0x97, 0x83, 0x82]);
    }
    expect(performance.now() - began).toBeLessThan(3_000);
  },
  { onlyMess: true, sequential: true },
);

bothVersions(
  "[MQTT-3.8.4-6] 2,000 subscriptions a session are granted, the next is refused with 0x97",
  async (version) => {
    const base = topic();
    const client = await shared.connect({ version });
    for (const part of [0, 1, 2, 3]) {
      const suback = await client.subscribe(Array.from({ length: 500 }, (_, index) => `${base}/${part}/${index}`));
      expect(suback.codes.every((code) => code === 0)).toBe(true);
    }
    const over = await client.subscribe(`${base}/over`, { refusable: true });
    expect(over.codes).toEqual([version === 5 ? 0x97 : 0x80]);
    const again = await client.subscribe({ filter: `${base}/0/0`, qos: 1 }, { refusable: true });
    expect(again.codes).toEqual([1]);
    await client.unsubscribe(`${base}/0/1`);
    expect((await client.subscribe(`${base}/now`, { refusable: true })).codes).toEqual([0]);
  },
  { onlyMess: true },
);

bothVersions(
  "[MQTT-3.8.4-6] tens of thousands of filters in one SUBSCRIBE are refused whole, or one by one, without harm",
  async (version) => {
    const client = await shared.connect({ version });
    client.send(
      build.subscribe({ version, id: 9, filters: Array.from({ length: 65_535 }, (_, index) => `m/${index}`) }),
    );
    const suback = await client.take("SUBACK").catch(() => undefined);
    if (suback === undefined) await client.refused([0x97, 0x95]);
    else expect(suback.codes.filter((code) => code < 0x80).length).toBeLessThanOrEqual(2_000);
    const other = await shared.connect({ version });
    await other.ping();
  },
  { onlyMess: true },
);

statement(
  "[MQTT-3.1.2-23] a Session Expiry above the cap is lowered in CONNECT, and in DISCONNECT",
  async () => {
    const clientId = unique("c");
    const client = await shared.connect({ clientId, properties: { sessionExpiryInterval: 999_999_999 } });
    expect(client.connack?.properties.sessionExpiryInterval).toBe(30 * 86_400);
    await client.disconnect(0, { sessionExpiryInterval: 999_999_999 });
    const back = await shared.connect({ clientId, cleanStart: false, properties: { sessionExpiryInterval: 60 } });
    expect(back.connack?.sessionPresent).toBe(true);
    expect(back.connack?.properties.sessionExpiryInterval).toBeUndefined();
  },
  { onlyMess: true },
);

statement(
  "[MQTT-3.3.4-7] 65,535 QoS 2 messages never released: the limit holds, and memory does not grow with them",
  async () => {
    const client = await shared.connect({ version: 4 });
    const name = topic();
    for (let id = 1; id <= 65_535 && !client.isClosed; id += 1) {
      client.stream.write(build.publish({ version: 4, topic: name, payload: "x", qos: 2, id }));
      if (id % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await client.closed(10_000);
    const other = await shared.connect();
    await other.ping();
  },
  { onlyMess: true },
);

statement(
  "[MQTT-3.3.2-12] an alias set anew a thousand times costs nothing",
  async () => {
    const client = await shared.connect();
    for (let round = 0; round < 1_000; round += 1)
      client.send(build.publish({ topic: `al/${round}`, properties: { topicAlias: 1 + (round % 64) } }));
    await client.ping();
  },
  { onlyMess: true },
);

bothVersions(
  "[MQTT-3.1.3-2] names that mean something to a file system, a shell, a log or JavaScript are only names",
  async (version) => {
    const odd = [
      "#",
      "+",
      "a/#",
      "/",
      "../../x",
      ".*",
      "a|b",
      "(a+)+$",
      "__proto__",
      "constructor",
      "toString",
      "<img src=x onerror=1>",
      "${jndi:x}",
      "a'b\"c",
      "%s%n",
      "\u0001",
      "😀",
    ];
    for (const name of odd) {
      const clientId = `${name}${version}`;
      const client = await shared.open(version);
      client.send(build.connect({ version, clientId, cleanStart: true }));
      const connack = await client.next("CONNACK");
      if (connack.code !== 0) {
        expect(connack.code).toBe(version === 5 ? 0x85 : 2);
        continue;
      }
      const used = topic();
      await client.subscribe(used);
      await client.publish({ topic: used, payload: "x", qos: 1 });
      expect((await client.message()).payload.toString()).toBe("x");
      await client.disconnect();
    }
  },
  { onlyMess: true },
);
