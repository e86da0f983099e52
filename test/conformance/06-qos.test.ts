// QoS flows in both directions: MQTT 5.0 sections 3.4 to 3.7 and 4.3; MQTT 3.1.1 sections 3.4 to 3.7 and 4.3.
import { expect } from "vitest";
import { u8, u16 } from "../support/bytes.ts";
import * as build from "../support/packets.ts";
import { bothVersions, lasting, sleep, statement, topic, unique, useServer } from "../support/suite.ts";
import { target } from "../support/target.ts";

const shared = useServer();
const flowNames = ["PUBACK", "PUBREC", "PUBREL", "PUBCOMP"] as const;

bothVersions(
  "[MQTT-4.3.2-4] [MQTT-4.3.2-5] [MQTT311-4.3.2-2] a PUBLISH with an id that was acknowledged is a new message",
  async (version) => {
    const name = topic();
    const reader = await shared.connect({ version });
    await reader.subscribe({ filter: name, qos: 0 });
    const client = await shared.connect({ version });
    for (const payload of ["one", "two"]) {
      for (const dup of [false, true]) await client.publish({ topic: name, payload, qos: 1, id: 5, dup });
    }
    const payloads = (await reader.messages(4)).map((message) => message.payload.toString());
    expect(payloads).toEqual(["one", "one", "two", "two"]);
  },
);

bothVersions(
  "[MQTT-4.3.3-8] [MQTT-4.3.3-10] [MQTT-4.3.3-12] [MQTT311-4.3.3-2] a repeated QoS 2 PUBLISH before PUBREL is answered and delivered once",
  async (version) => {
    const name = topic();
    const reader = await shared.connect({ version });
    await reader.subscribe({ filter: name, qos: 0 });
    const client = await shared.connect({ version });
    for (const dup of [false, true]) {
      client.send(build.publish({ version, topic: name, payload: "once", qos: 2, id: 5, dup }));
      const pubrec = await client.next({ name: "PUBREC", id: 5 });
      expect(pubrec.code).toBeLessThan(0x80);
    }
    client.send(build.ack("PUBREL", 5));
    await client.next({ name: "PUBCOMP", id: 5, code: 0 });
    expect((await reader.message()).payload.toString()).toBe("once");
    client.send(build.publish({ version, topic: name, payload: "new", qos: 2, id: 5 }));
    await client.next({ name: "PUBREC", id: 5 });
    client.send(build.ack("PUBREL", 5));
    await client.next({ name: "PUBCOMP", id: 5 });
    expect((await reader.message()).payload.toString()).toBe("new");
    await reader.expectNothing(100);
  },
);

statement(
  "[MQTT-3.6.2-1] [MQTT-3.7.2-1] [MQTT-4.3.3-11] PUBREL for an unknown id gets PUBCOMP 0x92, and 0 in 3.1.1",
  async () => {
    const client = await shared.connect();
    client.send(build.ack("PUBREL", 77));
    expect((await client.next({ name: "PUBCOMP", id: 77 })).code).toBe(0x92);
    const old = await shared.connect({ version: 4 });
    old.send(build.ack("PUBREL", 77));
    await old.next({ name: "PUBCOMP", id: 77 });
  },
  { mosquitto: "answers 0" },
);

bothVersions("[MQTT-4.3.3-11] a repeated PUBREL gets a PUBCOMP again", async (version) => {
  const client = await shared.connect({ version });
  const name = topic();
  await client.publish({ topic: name, qos: 2, id: 9 });
  client.send(build.ack("PUBREL", 9));
  const pubcomp = await client.next({ name: "PUBCOMP", id: 9 });
  expect([0, 0x92]).toContain(pubcomp.code);
});

statement(
  "[MQTT-3.5.2-1] [MQTT-3.6.2-1] PUBREC for an unknown id gets PUBREL 0x92, or ends the connection",
  async () => {
    const client = await shared.connect();
    client.send(build.ack("PUBREC", 4321));
    const pubrel = await client.take({ name: "PUBREL", id: 4321 }).catch(() => undefined);
    if (pubrel === undefined) await client.refused([0x82]);
    else expect(pubrel.code).toBe(0x92);
  },
  { mosquitto: "answers PUBREL 0" },
);

bothVersions("[MQTT-4.13.1-1] PUBACK and PUBCOMP for unknown ids do no harm to others", async (version) => {
  for (const name of ["PUBACK", "PUBCOMP"] as const) {
    const client = await shared.connect({ version });
    client.send(build.ack(name, 4321), build.pingreq());
    const answer = await client.take("PINGRESP").catch(() => undefined);
    if (answer === undefined) await client.refused([0x82]);
  }
  const other = await shared.connect({ version });
  await other.ping();
});

bothVersions(
  "[MQTT-4.3.2-1] [MQTT-4.3.2-2] [MQTT-4.3.2-3] [MQTT311-4.3.2-1] a QoS 1 delivery is DUP 0, and unacknowledged until PUBACK",
  async (version) => {
    const name = topic();
    const clientId = unique("c");
    const reader = await shared.connect({ ...lasting(version), clientId });
    await reader.subscribe({ filter: name, qos: 1 });
    const publisher = await shared.connect({ version });
    await publisher.publish({ topic: name, payload: "acked", qos: 1 });
    await publisher.publish({ topic: name, payload: "open", qos: 1 });
    const [acked, open] = await reader.messages(2);
    expect([acked?.dup, open?.dup]).toEqual([false, false]);
    reader.send(build.ack("PUBACK", acked?.id ?? 0));
    await reader.ping();
    await sleep(150);
    await reader.drop();
    const back = await shared.connect({ ...lasting(version), clientId });
    const again = await back.message();
    expect([again.payload.toString(), again.dup, again.id]).toEqual(["open", true, open?.id]);
    await back.expectNothing(150);
  },
);

bothVersions("[MQTT-4.4.0-1] nothing is sent again while the connection lives", async (version) => {
  const name = topic();
  const reader = await shared.connect({ version });
  await reader.subscribe([{ filter: name, qos: 2 }]);
  const publisher = await shared.connect({ version });
  await publisher.publish({ topic: name, payload: "1", qos: 1 });
  await publisher.publish({ topic: name, payload: "2", qos: 2 });
  await reader.messages(2);
  await reader.expectNothing(1_500);
});

bothVersions(
  "[MQTT-4.3.3-1] [MQTT-4.3.3-2] [MQTT-4.3.3-3] [MQTT-4.3.3-4] [MQTT-4.3.3-5] [MQTT-4.3.3-6] [MQTT311-4.3.3-1] a QoS 2 delivery: PUBLISH, PUBREC, PUBREL, PUBCOMP; no PUBLISH after PUBREC",
  async (version) => {
    const name = topic();
    const clientId = unique("c");
    const reader = await shared.connect({ ...lasting(version), clientId });
    await reader.subscribe({ filter: name, qos: 2 });
    const publisher = await shared.connect({ version });
    await publisher.publish({ topic: name, payload: "x", qos: 2 });
    const message = await reader.message();
    expect([message.qos, message.dup]).toEqual([2, false]);
    // step 1: before PUBREC the PUBLISH comes again
    await reader.drop();
    const second = await shared.connect({ ...lasting(version), clientId });
    const again = await second.next("PUBLISH");
    expect([again.id, again.dup]).toEqual([message.id, true]);
    second.send(build.ack("PUBREC", message.id));
    await second.next({ name: "PUBREL", id: message.id });
    // step 2: after PUBREC only the PUBREL comes again
    await second.drop();
    const third = await shared.connect({ ...lasting(version), clientId });
    await third.next({ name: "PUBREL", id: message.id });
    await third.expectNothing(100);
    // a PUBREC may be repeated: PUBREL again
    third.send(build.ack("PUBREC", message.id));
    await third.next({ name: "PUBREL", id: message.id });
    third.send(build.ack("PUBCOMP", message.id));
    await third.ping();
    await sleep(150);
    await third.drop();
    // step 3: after PUBCOMP nothing comes
    const fourth = await shared.connect({ ...lasting(version), clientId });
    await fourth.ping();
    await fourth.expectNothing(150);
  },
);

statement(
  "[MQTT-4.3.3-4] [MQTT-4.4.0-2] a PUBREC with an error ends the delivery, and it is not sent again",
  async () => {
    const name = topic();
    const clientId = unique("c");
    const reader = await shared.connect({ ...lasting(5), clientId });
    await reader.subscribe({ filter: name, qos: 2 });
    const publisher = await shared.connect();
    await publisher.publish({ topic: name, payload: "x", qos: 2 });
    const message = await reader.message();
    reader.send(build.ack("PUBREC", message.id, 0x80));
    await reader.expectNothing(150);
    await reader.drop();
    const back = await shared.connect({ ...lasting(5), clientId });
    await back.ping();
    await back.expectNothing(150);
  },
);

statement("[MQTT-4.4.0-2] a PUBACK with an error ends the delivery, and it is not sent again", async () => {
  const name = topic();
  const clientId = unique("c");
  const reader = await shared.connect({ ...lasting(5), clientId });
  await reader.subscribe({ filter: name, qos: 1 });
  const publisher = await shared.connect();
  await publisher.publish({ topic: name, payload: "x", qos: 1 });
  const message = await reader.message();
  reader.send(build.ack("PUBACK", message.id, 0x97));
  await reader.ping();
  await sleep(150);
  await reader.drop();
  const back = await shared.connect({ ...lasting(5), clientId });
  await back.ping();
  await back.expectNothing(150);
});

statement(
  "[MQTT-4.3.3-7] [MQTT-4.3.3-13] expiry does not stop a QoS 2 delivery that has begun",
  async () => {
    const name = topic();
    const clientId = unique("c");
    const reader = await shared.connect({ ...lasting(5), clientId });
    await reader.subscribe({ filter: name, qos: 2 });
    const publisher = await shared.connect();
    await publisher.publish({ topic: name, payload: "x", qos: 2, properties: { messageExpiryInterval: 1 } });
    const message = await reader.message();
    reader.send(build.ack("PUBREC", message.id));
    await reader.next({ name: "PUBREL", id: message.id });
    await reader.drop();
    await sleep(1_300);
    const back = await shared.connect({ ...lasting(5), clientId });
    await back.next({ name: "PUBREL", id: message.id });
    back.send(build.ack("PUBCOMP", message.id));
    await back.ping();
  },
  { mosquitto: "sometimes forgets the delivery" },
);

statement(
  "[MQTT-4.3.3-13] a QoS 2 PUBLISH whose message has expired meanwhile is still acknowledged to its end",
  async () => {
    const client = await shared.connect();
    client.send(
      build.publish({ topic: topic(), payload: "x", qos: 2, id: 3, properties: { messageExpiryInterval: 1 } }),
    );
    await client.next({ name: "PUBREC", id: 3 });
    await sleep(1_300);
    client.send(build.ack("PUBREL", 3));
    await client.next({ name: "PUBCOMP", id: 3, code: 0 });
  },
);

bothVersions(
  "[MQTT-4.3.3-9] [MQTT-4.4.0-1] [MQTT311-4.4.0-1] a QoS 2 PUBLISH goes on after the publisher's reconnect, at each step",
  async (version) => {
    const name = topic();
    const clientId = unique("c");
    const reader = await shared.connect({ version });
    await reader.subscribe({ filter: name, qos: 0 });
    const first = await shared.connect({ ...lasting(version), clientId });
    first.send(build.publish({ version, topic: name, payload: "once", qos: 2, id: 11 }));
    await first.next({ name: "PUBREC", id: 11 });
    await first.drop();
    // the PUBREC was lost: the client sends PUBLISH again under the same id
    const second = await shared.connect({ ...lasting(version), clientId });
    expect(second.connack?.sessionPresent).toBe(true);
    second.send(build.publish({ version, topic: name, payload: "once", qos: 2, id: 11, dup: true }));
    expect((await second.next({ name: "PUBREC", id: 11 })).code).toBeLessThan(0x80);
    await second.drop();
    // PUBREL on another connection
    const third = await shared.connect({ ...lasting(version), clientId });
    third.send(build.ack("PUBREL", 11));
    await third.next({ name: "PUBCOMP", id: 11, code: 0 });
    expect((await reader.message()).payload.toString()).toBe("once");
    await third.drop();
    // the PUBCOMP was lost: PUBREL again
    const fourth = await shared.connect({ ...lasting(version), clientId });
    fourth.send(build.ack("PUBREL", 11));
    await fourth.next({ name: "PUBCOMP", id: 11 });
    await fourth.ping();
    await reader.expectNothing(150);
  },
);

bothVersions(
  "[MQTT-4.3.3-10] a clean start forgets the ids of QoS 2 messages that were not released",
  async (version) => {
    const name = topic();
    const clientId = unique("c");
    const reader = await shared.connect({ version });
    await reader.subscribe({ filter: name, qos: 0 });
    const first = await shared.connect({ ...lasting(version), clientId });
    first.send(build.publish({ version, topic: name, payload: "old", qos: 2, id: 11 }));
    await first.next({ name: "PUBREC", id: 11 });
    await first.drop();
    const clean = await shared.connect({ version, clientId });
    await clean.publish({ topic: name, payload: "new", qos: 2, id: 11 });
    const payloads = [(await reader.message()).payload.toString()];
    if (payloads[0] === "old") payloads.push((await reader.message()).payload.toString());
    expect(payloads.at(-1)).toBe("new");
    await reader.expectNothing(100);
  },
);

bothVersions("[MQTT-4.3.3-8] two QoS 2 flows under different ids may be interleaved", async (version) => {
  const name = topic();
  const reader = await shared.connect({ version });
  await reader.subscribe({ filter: name, qos: 0 });
  const client = await shared.connect({ version });
  client.send(
    build.publish({ version, topic: name, payload: "a", qos: 2, id: 1 }),
    build.publish({ version, topic: name, payload: "b", qos: 2, id: 2 }),
  );
  await client.take({ name: "PUBREC", id: 1 });
  await client.take({ name: "PUBREC", id: 2 });
  client.send(build.ack("PUBREL", 2), build.ack("PUBREL", 1));
  await client.take({ name: "PUBCOMP", id: 1 });
  await client.take({ name: "PUBCOMP", id: 2 });
  const payloads = (await reader.messages(2)).map((message) => message.payload.toString());
  expect(payloads.toSorted()).toEqual(["a", "b"]);
});

bothVersions(
  "[MQTT-2.2.1-3] [MQTT311-2.3.1-2] the same id may be in use in both directions at once",
  async (version) => {
    const name = topic();
    const client = await shared.connect({ version });
    await client.subscribe({ filter: name, qos: 2 });
    const other = await shared.connect({ version });
    await other.publish({ topic: name, payload: "down", qos: 2 });
    const down = await client.message();
    client.send(build.publish({ version, topic: topic(), payload: "up", qos: 2, id: down.id }));
    await client.take({ name: "PUBREC", id: down.id });
    client.send(build.ack("PUBREC", down.id));
    await client.take({ name: "PUBREL", id: down.id });
    client.send(build.ack("PUBREL", down.id), build.ack("PUBCOMP", down.id));
    await client.take({ name: "PUBCOMP", id: down.id, code: 0 });
    await client.ping();
  },
);

for (const name of flowNames) {
  const allowed: readonly number[] =
    name === "PUBACK" || name === "PUBREC" ? [0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99] : [0, 0x92];
  statement(
    `[MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1] ${name} with a reason code of no table ends the connection`,
    async () => {
      const wrong = [0x01, 0x11, 0x81, 0x8e, 0xff].filter((code) => !allowed.includes(code));
      await Promise.all(
        wrong.map(async (code) => {
          const client = await shared.connect();
          client.send(build.ack(name, 1, code));
          await client.refused([0x81, 0x82]);
        }),
      );
    },
    { mosquitto: "does not look at all of them" },
  );

  statement(
    `[MQTT-4.13.1-1] ${name} that is too short, or has bytes too many, ends the connection`,
    async () => {
      const flags = name === "PUBREL" ? 2 : 0;
      const bodies = [
        Buffer.alloc(0),
        Buffer.from([1]),
        u16(0),
        Buffer.concat([u16(1), u8(0), u8(5)]),
        Buffer.concat([u16(1), u8(0), u8(0), u8(0)]),
        Buffer.concat([u16(1), u8(0), u8(5), Buffer.from([0x02, 0, 0, 0, 1])]),
      ];
      await Promise.all(
        bodies.map(async (body) => {
          const client = await shared.connect();
          client.send(build.packet(name, flags, body));
          await client.refused([0x81, 0x82]);
        }),
      );
    },
    { mosquitto: "does not look so closely" },
  );

  statement(
    `[MQTT-4.13.1-1] ${name} in 3.1.1 has 2 bytes, else the connection ends`,
    async () => {
      const flags = name === "PUBREL" ? 2 : 0;
      for (const body of [Buffer.from([1]), Buffer.concat([u16(1), u8(0)])]) {
        const client = await shared.connect({ version: 4 });
        client.send(build.packet(name, flags, body));
        await client.refused();
      }
    },
    { mosquitto: "takes bytes too many" },
  );
}

statement(
  "[MQTT-3.4.2-2] [MQTT-3.4.2-3] [MQTT-3.5.2-2] [MQTT-3.5.2-3] [MQTT-3.6.2-2] [MQTT-3.6.2-3] [MQTT-3.7.2-2] [MQTT-3.7.2-3] [MQTT-3.9.2-1] [MQTT-3.9.2-2] [MQTT-3.11.2-1] [MQTT-3.11.2-2] no acknowledgement exceeds the client's Maximum Packet Size",
  async () => {
    // 12 bytes hold every acknowledgement without properties, and none with a reason string worth reading
    const client = await shared.connect({ properties: { maximumPacketSize: 200 } });
    const limit = 200;
    const small = await shared.open();
    small.send(build.connect({ clientId: unique(), properties: { maximumPacketSize: 40 } }));
    const connack = await small.take("CONNACK").catch(() => undefined);
    const clients =
      connack === undefined || connack.code !== 0
        ? [{ client, limit }]
        : [
            { client, limit },
            { client: small, limit: 40 },
          ];
    for (const each of clients) {
      const sizes: number[] = [];
      const suback = await each.client.subscribe(["$nowhere/at/all", "t/x"], { refusable: true });
      sizes.push(suback.size);
      const puback = await each.client.publish({ topic: "$nowhere/at/all", qos: 1 });
      sizes.push(puback?.size ?? 0);
      const pubrec = await each.client.publish({ topic: "$nowhere/at/all", qos: 2 });
      sizes.push(pubrec?.size ?? 0);
      sizes.push((await each.client.unsubscribe("no/such")).size);
      each.client.send(build.ack("PUBREL", 999));
      sizes.push((await each.client.take({ name: "PUBCOMP", id: 999 })).size);
      for (const size of sizes) expect(size).toBeLessThanOrEqual(each.limit);
    }
  },
);

bothVersions(
  "[MQTT311-3.3.5-2] [MQTT-3.4.2-1] [MQTT-3.5.2-1] a publish to $ is refused: 0x90 or 0x87 in 5.0, a closed connection in 3.1.1",
  async (version) => {
    for (const qos of [0, 1, 2]) {
      for (const name of ["$SYS/x", "$mess/x", "$mess/queue/x", "$share/g/t", "$x/y", "$", "$CONTROL/a"]) {
        const client = await shared.connect({ version });
        if (version === 5 && qos > 0) {
          const answer = await client.publish({ topic: name, payload: "x", qos });
          expect([0x87, 0x90], `${name} QoS ${qos}`).toContain(answer?.code);
          expect(answer?.name).toBe(qos === 1 ? "PUBACK" : "PUBREC");
          await client.ping();
        } else {
          client.send(build.publish({ version, topic: name, payload: "x", qos, id: 1 }), build.pingreq());
          const { packets } = await client.closed();
          expect(packets.filter((packet) => packet.name === "PUBACK" || packet.name === "PUBREC")).toEqual([]);
          if (version === 5)
            expect([0x87, 0x90]).toContain(packets.find((packet) => packet.name === "DISCONNECT")?.code);
        }
      }
    }
  },
  { onlyMess: true },
);

statement("[MQTT-4.3.2-4] a refused publish is not delivered and not kept", async () => {
  const client = await shared.connect();
  const suback = await client.subscribe("$nowhere/#", { refusable: true });
  if (target === "mess") expect(suback.codes[0]).toBeGreaterThanOrEqual(0x80);
  await client.publish({ topic: "$nowhere/x", payload: "x", qos: 1, retain: true });
  await client.ping();
  if (target === "mess") await client.expectNothing(100);
});
