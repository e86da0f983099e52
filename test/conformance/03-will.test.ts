// Wills: MQTT 5.0 sections 3.1.2.5, 3.1.3.2 and 3.14.4; MQTT 3.1.1 sections 3.1.2.5 and 3.14.4.
import { expect } from "vitest";
import * as build from "../support/packets.ts";
import type { RawClient } from "../support/raw-client.ts";
import { bothVersions, lasting, sleep, statement, topic, unique, useServer, will } from "../support/suite.ts";

const shared = useServer();

async function witness(name: string, version: 4 | 5 = 5): Promise<RawClient> {
  const client = await shared.connect({ version });
  await client.subscribe({ filter: name, qos: 2, retainAsPublished: version === 5 });
  return client;
}

bothVersions(
  "[MQTT-3.1.2-7] [MQTT-3.1.2-8] [MQTT311-3.1.2-8] the will is published when the connection breaks",
  async (version) => {
    const name = topic();
    const seen = await witness(name, version);
    const client = await shared.connect({ version, will: will(name, "broken", { qos: 1 }) });
    await client.drop();
    const message = await seen.message();
    expect([message.payload.toString(), message.qos, message.retain]).toEqual(["broken", 1, false]);
  },
);

bothVersions("[MQTT-3.1.2-8] [MQTT311-3.1.2-8] the will is published when the keep alive runs out", async (version) => {
  const name = topic();
  const seen = await witness(name, version);
  await shared.connect({ version, keepAlive: 1, will: will(name, "silent") });
  expect((await seen.message(8_000)).payload.toString()).toBe("silent");
});

bothVersions(
  "[MQTT-3.1.2-8] [MQTT311-3.1.2-8] the will is published when the server closes because of a protocol error",
  async (version) => {
    const name = topic();
    const seen = await witness(name, version);
    const client = await shared.connect({ version, will: will(name, "wrong") });
    client.send(build.subscribe({ version, filters: ["t/x"], headerFlags: 0 }));
    await client.closed();
    expect((await seen.message()).payload.toString()).toBe("wrong");
  },
);

bothVersions(
  "[MQTT-3.1.2-8] [MQTT311-3.1.2-8] the will is published when the session is taken over with a clean start",
  async (version) => {
    const name = topic();
    const clientId = unique("c");
    const seen = await witness(name, version);
    const client = await shared.connect({ version, clientId, will: will(name, "taken over") });
    const next = await shared.connect({ version, clientId });
    await client.closed();
    expect((await seen.message()).payload.toString()).toBe("taken over");
    await next.ping();
  },
);

bothVersions(
  "[MQTT-3.1.2-10] [MQTT-3.14.4-3] [MQTT311-3.1.2-10] [MQTT311-3.14.4-3] an ordinary DISCONNECT drops the will",
  async (version) => {
    const name = topic();
    const seen = await witness(name, version);
    const client = await shared.connect({ version, will: will(name) });
    await client.disconnect();
    const again = await shared.connect({ version });
    await again.ping();
    await seen.expectNothing(400);
  },
);

statement("[MQTT-3.14.4-3] [MQTT-3.1.2-8] DISCONNECT 0x04 publishes the will", async () => {
  const name = topic();
  const seen = await witness(name);
  const client = await shared.connect({ will: will(name, "on purpose") });
  await client.disconnect(0x04);
  expect((await seen.message()).payload.toString()).toBe("on purpose");
});

bothVersions("[MQTT-3.1.2-10] a will is published once", async (version) => {
  const name = topic();
  const clientId = unique("c");
  const seen = await witness(name, version);
  const client = await shared.connect({ ...lasting(version), clientId, will: will(name, "once") });
  await client.drop();
  expect((await seen.message()).payload.toString()).toBe("once");
  const again = await shared.connect({ ...lasting(version), clientId });
  await again.drop();
  await seen.expectNothing(400);
});

bothVersions("[MQTT311-3.1.2-12] [MQTT-3.1.2-8] without a will nothing is published", async (version) => {
  const name = topic();
  const seen = await witness(name, version);
  const client = await shared.connect({ version });
  await client.drop();
  await seen.expectNothing(300);
});

for (const qos of [0, 1, 2]) {
  for (const retain of [false, true]) {
    bothVersions(
      `[MQTT-3.1.2-14] [MQTT-3.1.2-15] [MQTT311-3.1.2-16] [MQTT311-3.1.2-17] a will with QoS ${qos}${retain ? ", retained" : ""}`,
      async (version) => {
        const name = topic();
        const seen = await witness(name, version);
        const client = await shared.connect({ version, will: will(name, "w", { qos, retain }) });
        await client.drop();
        const live = await seen.message();
        expect([live.payload.toString(), live.qos, live.retain]).toEqual(["w", qos, retain && version === 5]);
        const later = await shared.connect({ version });
        await later.subscribe({ filter: name, qos: 2 });
        if (retain) {
          const kept = await later.message();
          expect([kept.payload.toString(), kept.qos, kept.retain]).toEqual(["w", qos, true]);
          await later.publish({ topic: name, qos: 1, retain: true });
        } else {
          await later.expectNothing();
        }
      },
    );
  }
}

bothVersions(
  "[MQTT-3.1.2-15] [MQTT311-3.1.2-17] a retained will with an empty payload clears the retained message",
  async (version) => {
    const name = topic();
    const client = await shared.connect({ version, will: will(name, "", { retain: true }) });
    await client.publish({ topic: name, payload: "kept", qos: 1, retain: true });
    const seen = await witness(name, version);
    expect((await seen.message()).payload.toString()).toBe("kept");
    await client.drop();
    expect((await seen.message()).payload.length).toBe(0);
    const later = await witness(name, version);
    await later.expectNothing();
  },
);

statement("[MQTT-3.1.2-9] [MQTT-3.1.3-10] will properties arrive, user properties in their order", async () => {
  const name = topic();
  const seen = await witness(name);
  const client = await shared.connect({
    will: will(name, "w", {
      properties: {
        payloadFormatIndicator: 1,
        messageExpiryInterval: 100,
        contentType: "text/plain",
        responseTopic: "t/answer",
        correlationData: Buffer.from([0, 1, 255]),
        userProperty: [
          ["b", "1"],
          ["a", "2"],
          ["b", "3"],
        ],
      },
    }),
  });
  await client.drop();
  const { properties } = await seen.message();
  expect(properties).toMatchObject({
    payloadFormatIndicator: 1,
    contentType: "text/plain",
    responseTopic: "t/answer",
    correlationData: Buffer.from([0, 1, 255]),
    userProperty: [
      ["b", "1"],
      ["a", "2"],
      ["b", "3"],
    ],
  });
  expect(properties.messageExpiryInterval).toBeGreaterThan(95);
});

statement(
  "[MQTT-3.1.3-9] a will waits for its delay",
  async () => {
    const name = topic();
    const seen = await witness(name);
    const client = await shared.connect({
      properties: { sessionExpiryInterval: 60 },
      will: will(name, "delayed", { properties: { willDelayInterval: 2 } }),
    });
    await client.drop();
    const began = performance.now();
    await seen.expectNothing(1_700);
    expect((await seen.message(3_000)).payload.toString()).toBe("delayed");
    expect(performance.now() - began).toBeLessThan(2_600);
  },
  { mosquitto: "sometimes late: looks at delays once a second" },
);

statement(
  "[MQTT-3.1.3-9] a will does not wait longer than its session lives",
  async () => {
    const name = topic();
    const other = topic();
    const seen = await witness(name);
    await seen.subscribe(other);
    const now = await shared.connect({ will: will(name, "at once", { properties: { willDelayInterval: 60 } }) });
    const soon = await shared.connect({
      properties: { sessionExpiryInterval: 1 },
      will: will(other, "with the session", { properties: { willDelayInterval: 60 } }),
    });
    await Promise.all([now.drop(), soon.drop()]);
    const began = performance.now();
    expect((await seen.message()).payload.toString()).toBe("at once");
    expect(performance.now() - began).toBeLessThan(700);
    expect((await seen.message()).payload.toString()).toBe("with the session");
    expect(performance.now() - began).toBeGreaterThan(950);
    expect(performance.now() - began).toBeLessThan(2_000);
  },
  { mosquitto: "waits for the delay although the session has ended" },
);

statement("[MQTT-3.1.3-9] a connection that resumes the session in time cancels the will", async () => {
  const name = topic();
  const clientId = unique("c");
  const seen = await witness(name);
  const options = { clientId, cleanStart: false, properties: { sessionExpiryInterval: 60 } };
  const client = await shared.connect({
    ...options,
    will: will(name, "cancelled", { properties: { willDelayInterval: 1 } }),
  });
  await client.drop();
  const back = await shared.connect(options);
  expect(back.connack?.sessionPresent).toBe(true);
  await seen.expectNothing(1_800);
  await back.ping();
});

statement(
  "[MQTT-3.1.3-9] a clean start ends the session, so its delayed will is published at once",
  async () => {
    const name = topic();
    const clientId = unique("c");
    const seen = await witness(name);
    const client = await shared.connect({
      clientId,
      properties: { sessionExpiryInterval: 60 },
      will: will(name, "ended", { properties: { willDelayInterval: 60 } }),
    });
    await client.drop();
    await shared.connect({ clientId, cleanStart: true });
    expect((await seen.message()).payload.toString()).toBe("ended");
  },
  { mosquitto: "keeps waiting" },
);

statement(
  "[MQTT-3.1.3-9] a takeover that resumes the session cancels a delayed will and publishes an undelayed one",
  async () => {
    const delayed = topic();
    const plain = topic();
    const seen = await witness(delayed);
    await seen.subscribe(plain);
    const one = { clientId: unique("c"), cleanStart: false, properties: { sessionExpiryInterval: 60 } };
    const two = { clientId: unique("c"), cleanStart: false, properties: { sessionExpiryInterval: 60 } };
    await shared.connect({ ...one, will: will(delayed, "no", { properties: { willDelayInterval: 1 } }) });
    await shared.connect({ ...two, will: will(plain, "yes") });
    await shared.connect(one);
    await shared.connect(two);
    expect((await seen.message()).payload.toString()).toBe("yes");
    await seen.expectNothing(1_500);
  },
  { mosquitto: "does not publish the will of a session that is taken over" },
);

statement("[MQTT-3.1.3-9] the message expiry of a delayed will begins when it is published", async () => {
  const name = topic();
  const seen = await witness(name);
  const client = await shared.connect({
    properties: { sessionExpiryInterval: 60 },
    will: will(name, "fresh", { properties: { willDelayInterval: 2, messageExpiryInterval: 1 } }),
  });
  await client.drop();
  expect((await seen.message(4_000)).payload.toString()).toBe("fresh");
});

bothVersions("[MQTT-3.1.2-7] the will goes to subscribers that are away too", async (version) => {
  const name = topic();
  const clientId = unique("c");
  const reader = await shared.connect({ ...lasting(version), clientId });
  await reader.subscribe({ filter: name, qos: 1 });
  await reader.disconnect();
  const client = await shared.connect({ version, will: will(name, "later", { qos: 1 }) });
  await client.drop();
  await sleep(200);
  const back = await shared.connect({ ...lasting(version), clientId });
  expect((await back.message()).payload.toString()).toBe("later");
});

const badWills: [string, build.WillFields, readonly number[]][] = [
  ["a wildcard in its topic", { topic: "a/#" }, [0x81, 0x82, 0x90]],
  ["a + in its topic", { topic: "a/+/b" }, [0x81, 0x82, 0x90]],
  ["an empty topic", { topic: "" }, [0x81, 0x82, 0x90]],
  ["U+0000 in its topic", { topic: "a\u0000b" }, [0x81, 0x82, 0x90]],
];

for (const [name, fields, codes] of badWills) {
  bothVersions(`[MQTT-4.7.0-1] [MQTT-3.1.4-1] [MQTT311-4.7.1-1] a will with ${name} is refused`, async (version) => {
    const client = await shared.open(version);
    client.send(build.connect({ version, clientId: unique(), will: fields }));
    await client.refused(codes);
  });
}

const badWillProperties: [string, build.PropertiesInput][] = [
  [
    "Will Delay Interval twice",
    [
      ["willDelayInterval", 1],
      ["willDelayInterval", 1],
    ],
  ],
  ["a topic alias", { topicAlias: 1 }],
  ["a session expiry", { sessionExpiryInterval: 1 }],
  ["Payload Format Indicator 2", { payloadFormatIndicator: 2 }],
  ["a wildcard in its response topic", { responseTopic: "a/#" }],
];

for (const [name, properties] of badWillProperties) {
  statement(
    `[MQTT-3.1.4-1] [MQTT-3.3.2-14] a will with ${name} is refused`,
    async () => {
      const client = await shared.open();
      client.send(build.connect({ clientId: unique(), will: { topic: topic(), properties } }));
      await client.refused([0x81, 0x82, 0x90]);
    },
    name.startsWith("Payload") || name.startsWith("a wildcard") ? { mosquitto: "takes it" } : {},
  );
}

for (const name of ["$SYS/x", "$mess/x", "$CONTROL/x", "$share/g/t", "$x", "$"]) {
  bothVersions(
    `[MQTT-3.1.4-2] a will to ${name} is refused at CONNECT`,
    async (version) => {
      const client = await shared.open(version);
      client.send(build.connect({ version, clientId: unique(), will: { topic: name, payload: "x" } }));
      const connack = await client.refused([0x87, 0x90]);
      if (connack !== undefined && version === 4) expect(connack.code).toBe(5);
    },
    { onlyMess: true },
  );
}
