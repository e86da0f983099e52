// MQTT 5.0 section 3.2; MQTT 3.1.1 section 3.2. The form of a CONNACK is judged by the decoder in every test.
import { expect } from "vitest";
import * as build from "../support/packets.ts";
import { bothVersions, lasting, statement, topic, unique, useServer } from "../support/suite.ts";

const shared = useServer();

bothVersions(
  "[MQTT-3.2.2-1] [MQTT-3.2.2-2] [MQTT311-3.2.2-1] a clean start gets Session Present 0, and the reserved bits are 0",
  async (version) => {
    const clientId = unique("c");
    const first = await shared.connect({ ...lasting(version), clientId });
    await first.disconnect();
    const client = await shared.connect({ version, clientId, cleanStart: true });
    expect(client.connack?.sessionPresent).toBe(false);
  },
);

bothVersions(
  "[MQTT-3.2.2-3] [MQTT311-3.2.2-2] [MQTT311-3.2.2-3] Session Present tells whether there was a session",
  async (version) => {
    const clientId = unique("c");
    const first = await shared.connect({ ...lasting(version), clientId });
    expect(first.connack?.sessionPresent).toBe(false);
    await first.drop();
    const second = await shared.connect({ ...lasting(version), clientId });
    expect(second.connack?.sessionPresent).toBe(true);
  },
);

bothVersions(
  "[MQTT-3.2.2-6] [MQTT-3.2.2-7] [MQTT-3.2.2-8] [MQTT-4.13.2-1] [MQTT311-3.2.2-4] [MQTT311-3.2.2-5] [MQTT311-3.2.2-6] an error CONNACK has a code of the list, Session Present 0, and ends the connection",
  async (version) => {
    const clientId = unique("c");
    const first = await shared.connect({ ...lasting(version), clientId });
    await first.disconnect();
    const client = await shared.open(version);
    const refused =
      version === 5
        ? build.connect({ ...lasting(5), clientId, properties: { authenticationMethod: "NO-SUCH-METHOD" } })
        : build.connect({ version: 4, clientId: "", cleanStart: false });
    client.send(refused);
    const connack = await client.refused([0x8c], { mustTell: true });
    expect(connack?.sessionPresent).toBe(false);
    if (version === 4) expect(connack?.code).toBe(2);
  },
);

statement(
  "[MQTT-3.2.2-9] [MQTT-3.2.2-10] [MQTT-3.2.2-11] [MQTT-3.2.2-12] [MQTT-3.2.2-13] all three QoS are supported, hence no Maximum QoS, and all are granted and taken",
  async () => {
    const name = topic();
    const client = await shared.connect({ will: { topic: name, qos: 2 } });
    expect(client.connack?.properties.maximumQos).toBeUndefined();
    const suback = await client.subscribe([0, 1, 2].map((qos) => ({ filter: `${name}/${qos}`, qos })));
    expect(suback.codes).toEqual([0, 1, 2]);
    for (const qos of [0, 1, 2]) {
      await client.publish({ topic: `${name}/${qos}`, qos });
      expect((await client.message()).qos).toBe(qos);
    }
  },
);

statement("[MQTT-3.2.2-14] retain is available, and CONNACK does not deny it", async () => {
  const client = await shared.connect();
  const {
    retainAvailable,
    wildcardSubscriptionAvailable,
    subscriptionIdentifierAvailable,
    sharedSubscriptionAvailable,
  } = client.connack?.properties ?? {};
  for (const each of [
    retainAvailable,
    wildcardSubscriptionAvailable,
    subscriptionIdentifierAvailable,
    sharedSubscriptionAvailable,
  ]) {
    expect([undefined, 1]).toContain(each);
  }
});

statement(
  "[MQTT-3.2.2-15] Maximum Packet Size is told as the real limit: up to it taken, above it 0x95",
  async () => {
    const name = topic();
    const reader = await shared.connect();
    await reader.subscribe({ filter: name, qos: 1 });
    const client = await shared.connect();
    const limit = client.connack?.properties.maximumPacketSize ?? 0;
    expect(limit).toBe(1_048_576);
    const overhead = 1 + 3 + 2 + name.length + 2 + 1;
    const puback = await client.publish({ topic: name, qos: 1, payload: Buffer.alloc(limit - overhead, 1) });
    expect([0, 0x10]).toContain(puback?.code);
    expect((await reader.message()).payload.length).toBe(limit - overhead);
    client.send(build.publish({ topic: name, qos: 1, id: 7, payload: Buffer.alloc(limit - overhead + 1) }));
    await client.refused([0x95]);
    await reader.expectNothing();
  },
  { mosquitto: "announces no limit of its own for 5.0" },
);

statement("[MQTT-3.2.2-15] a packet too large is refused by its declared length, before it has arrived", async () => {
  const client = await shared.connect();
  client.send(Buffer.from("30ffffff7f0003742f78", "hex"));
  await client.refused([0x95], { within: 1_000 });
});

bothVersions("[MQTT-3.2.2-15] [MQTT311-4.8.0-1] a packet above the limit ends the connection", async (version) => {
  const client = await shared.connect({ version });
  client.send(build.publish({ version, topic: topic(), payload: Buffer.alloc(1_048_577) }));
  await client.refused([0x95]);
});

statement("[MQTT-3.2.2-16] no Assigned Client Identifier for a client that brought one", async () => {
  const client = await shared.connect();
  expect(client.connack?.properties.assignedClientIdentifier).toBeUndefined();
});

statement(
  "[MQTT-3.2.2-17] [MQTT-3.2.2-18] [MQTT-3.3.2-12] Topic Alias Maximum: all up to it are taken, the next is 0x94",
  async () => {
    const client = await shared.connect();
    const limit = client.connack?.properties.topicAliasMaximum ?? 0;
    const name = topic();
    if (limit > 0) {
      await client.subscribe(name);
      await client.publish({ topic: name, payload: "set", properties: { topicAlias: limit } });
      await client.publish({ topic: "", payload: "used", properties: { topicAlias: limit } });
      expect((await client.messages(2)).map((message) => message.payload.toString())).toEqual(["set", "used"]);
    }
    client.send(build.publish({ topic: name, properties: { topicAlias: limit + 1 } }));
    await client.refused([0x94]);
  },
);

statement(
  "[MQTT-3.2.2-17] Topic Alias Maximum is 64, Receive Maximum 100",
  async () => {
    const client = await shared.connect();
    expect(client.connack?.properties.topicAliasMaximum).toBe(64);
    expect(client.connack?.properties.receiveMaximum).toBe(100);
  },
  { onlyMess: true },
);

statement("[MQTT-3.2.2-19] [MQTT-3.2.2-20] a CONNACK never exceeds the client's Maximum Packet Size", async () => {
  // too small for every useful CONNACK: the reason string must go, or the connection
  for (const maximumPacketSize of [5, 10, 20, 40]) {
    const client = await shared.open();
    client.send(
      build.connect({ clientId: unique(), properties: { maximumPacketSize, authenticationMethod: "NO-SUCH-METHOD" } }),
    );
    const { packets } = await client.closed();
    for (const packet of packets) expect(packet.size).toBeLessThanOrEqual(maximumPacketSize);
  }
});

statement(
  "[MQTT-3.2.2-21] [MQTT-3.2.2-22] a Server Keep Alive that is told is acted on; without one the client's holds",
  async () => {
    const long = await shared.connect({ keepAlive: 65_535 });
    const told = long.connack?.properties.serverKeepAlive;
    if (told !== undefined) expect(told).toBeLessThan(65_535);
    const short = await shared.connect({ keepAlive: 1 });
    const own = short.connack?.properties.serverKeepAlive;
    expect([undefined, 1]).toContain(own);
    await short.refused([0x8d], { within: 6_000 });
  },
);

statement(
  "[MQTT-3.2.2-21] a keep alive above the server's limit is lowered by Server Keep Alive",
  async () => {
    const client = await shared.connect({ keepAlive: 65_535 });
    expect(client.connack?.properties.serverKeepAlive).toBeGreaterThan(0);
  },
  { onlyMess: true },
);

statement(
  "[MQTT-4.12.0-6] without an authentication method the server sends neither AUTH nor a method in CONNACK",
  async () => {
    const client = await shared.connect();
    expect(client.connack?.properties.authenticationMethod).toBeUndefined();
    expect(client.connack?.properties.authenticationData).toBeUndefined();
    await client.expectNothing(100);
  },
);
