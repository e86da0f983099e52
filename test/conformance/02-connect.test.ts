// MQTT 5.0 section 3.1; MQTT 3.1.1 section 3.1. Wills have a file of their own.
import { expect } from "vitest";
import { text, u8, u16 } from "../support/bytes.ts";
import { exchange } from "../support/exchange.ts";
import * as build from "../support/packets.ts";
import { bothVersions, lasting, sleep, statement, topic, unique, useServer } from "../support/suite.ts";

const shared = useServer();

const beforeConnect: [string, (version: 4 | 5) => Buffer][] = [
  ["PUBLISH", (version) => build.publish({ version, topic: "t/x", payload: "x" })],
  ["PUBACK", () => build.ack("PUBACK", 1)],
  ["PUBREC", () => build.ack("PUBREC", 1)],
  ["PUBREL", () => build.ack("PUBREL", 1)],
  ["PUBCOMP", () => build.ack("PUBCOMP", 1)],
  ["SUBSCRIBE", (version) => build.subscribe({ version, filters: ["t/x"] })],
  ["UNSUBSCRIBE", (version) => build.unsubscribe({ version, filters: ["t/x"] })],
  ["PINGREQ", () => build.pingreq()],
  ["DISCONNECT", () => build.disconnect()],
  ["AUTH", () => build.auth(0x18, { authenticationMethod: "X" })],
  ["CONNACK", () => Buffer.from("2003000000", "hex")],
  ["SUBACK", () => Buffer.from("900400010000", "hex")],
  ["PINGRESP", () => Buffer.from("d000", "hex")],
  ["packet type 0", () => Buffer.from("0000", "hex")],
];

bothVersions(
  "[MQTT-3.1.0-1] [MQTT-3.14.0-1] [MQTT311-3.1.0-1] a first packet other than CONNECT is closed on, without a DISCONNECT",
  async (version) => {
    await Promise.all(
      beforeConnect.map(async ([name, make]) => {
        const { answer, closed } = await exchange(shared.endpoint, make(version));
        expect(closed, name).toBe(true);
        expect([0, 2], name).toContain((answer[0] ?? 0) >> 4);
      }),
    );
  },
);

bothVersions(
  "[MQTT-3.1.0-1] [MQTT-3.1.4-6] [MQTT311-3.1.0-1] [MQTT311-3.1.4-5] what follows a refused CONNECT has no effect",
  async (version) => {
    const name = topic();
    const witness = await shared.connect({ version });
    await witness.subscribe(name);
    const after = build.publish({ version, topic: name, payload: "smuggled", qos: 1, id: 5, retain: true });
    const refusals = [
      build.publish({ version, topic: name, payload: "smuggled" }),
      build.connect({ version, clientId: unique(), flipFlags: 1 }),
      build.connect({ version, clientId: unique(), protocolLevel: 9 }),
      build.connect({ version, clientId: unique(), protocolName: "MQTx" }),
      build.connect({ version, clientId: unique(), will: { topic: name, payload: "will", qos: 3 } }),
    ];
    await Promise.all(
      refusals.map(async (bytes) => {
        const { closed } = await exchange(shared.endpoint, Buffer.concat([bytes, after]));
        expect(closed).toBe(true);
      }),
    );
    await witness.ping();
    await witness.expectNothing();
    await witness.subscribe(name);
    await witness.expectNothing();
  },
);

bothVersions("[MQTT-3.1.0-2] [MQTT311-3.1.0-2] a second CONNECT ends the connection", async (version) => {
  const client = await shared.connect({ version });
  client.send(build.connect({ version, clientId: unique() }));
  await client.refused([0x82]);
});

bothVersions("[MQTT-3.1.2-1] [MQTT311-3.1.2-1] another protocol name is refused", async (version) => {
  await Promise.all(
    ["MQTX", "mqtt", "", "MQTT ", "M", "HTTP"].map(async (protocolName) => {
      const { answer, closed } = await exchange(
        shared.endpoint,
        build.connect({ version, protocolName, clientId: unique() }),
      );
      expect(closed, protocolName).toBe(true);
      if (answer.length > 0) expect(["20020001", "2003008400"]).toContain(answer.subarray(0, 5).toString("hex"));
    }),
  );
});

statement(
  "[MQTT-3.1.2-2] [MQTT311-3.1.2-2] an unsupported protocol level gets CONNACK 0x01 or 0x84, and the connection ends",
  async () => {
    await Promise.all(
      [0, 1, 2, 6, 127, 255].map(async (protocolLevel) => {
        const { answer, closed } = await exchange(
          shared.endpoint,
          build.connect({ version: 4, protocolLevel, clientId: unique() }),
        );
        expect(closed, `level ${protocolLevel}`).toBe(true);
        if (protocolLevel < 6) expect(answer.toString("hex"), `level ${protocolLevel}`).toBe("20020001");
        else expect(answer.toString("hex"), `level ${protocolLevel}`).toMatch(/^(20020001|20..0084.*)$/);
      }),
    );
  },
);

statement(
  "[MQTT311-3.1.2-2] MQTT 3.1 (MQIsdp, level 3) is not spoken: CONNACK 0x01 or a closed connection",
  async () => {
    const { answer, closed } = await exchange(
      shared.endpoint,
      build.connect({ version: 4, protocolName: "MQIsdp", protocolLevel: 3, clientId: "a" }),
    );
    expect(closed).toBe(true);
    expect(["", "20020001"]).toContain(answer.toString("hex"));
  },
  { onlyMess: true },
);

bothVersions("[MQTT-3.1.2-3] [MQTT311-3.1.2-3] the reserved connect flag must be 0", async (version) => {
  const client = await shared.open(version);
  client.send(build.connect({ version, clientId: unique(), flipFlags: 1 }));
  await client.refused([0x81, 0x82]);
});

bothVersions(
  "[MQTT-3.1.2-4] [MQTT-3.1.4-4] [MQTT311-3.1.2-6] [MQTT311-3.1.4-3] a clean start drops the old session",
  async (version) => {
    const clientId = unique("c");
    const name = topic();
    const first = await shared.connect({ ...lasting(version), clientId });
    await first.subscribe({ filter: name, qos: 1 });
    await first.disconnect();
    const publisher = await shared.connect({ version });
    await publisher.publish({ topic: name, payload: "queued", qos: 1 });
    const clean = await shared.connect({ version, clientId, cleanStart: true });
    expect(clean.connack?.sessionPresent).toBe(false);
    await publisher.publish({ topic: name, payload: "later", qos: 1 });
    await clean.ping();
    await clean.expectNothing();
    await clean.disconnect();
    const again = await shared.connect({ ...lasting(version), clientId });
    // the clean session of 5.0 had expiry 0, that of 3.1.1 ended with its connection
    expect(again.connack?.sessionPresent).toBe(false);
  },
);

bothVersions(
  "[MQTT-3.1.2-5] [MQTT-3.1.2-6] [MQTT-3.1.2-23] [MQTT311-3.1.2-4] [MQTT311-3.1.2-5] without a clean start the session goes on, with what was queued",
  async (version) => {
    const clientId = unique("c");
    const name = topic();
    const first = await shared.connect({ ...lasting(version), clientId });
    expect(first.connack?.sessionPresent).toBe(false);
    await first.subscribe({ filter: name, qos: 2 });
    await first.disconnect();
    const publisher = await shared.connect({ version });
    await publisher.publish({ topic: name, payload: "one", qos: 1 });
    await publisher.publish({ topic: name, payload: "two", qos: 2 });
    const second = await shared.connect({ ...lasting(version), clientId });
    expect(second.connack?.sessionPresent).toBe(true);
    const messages = await second.messages(2);
    expect(messages.map((message) => [message.payload.toString(), message.qos, message.dup])).toEqual([
      ["one", 1, false],
      ["two", 2, false],
    ]);
  },
);

bothVersions(
  "[MQTT-3.2.2-3] [MQTT311-3.2.2-2] Session Present is told also for a session without subscriptions",
  async (version) => {
    const clientId = unique("c");
    const first = await shared.connect({ ...lasting(version), clientId });
    await first.disconnect();
    const second = await shared.connect({ ...lasting(version), clientId });
    expect(second.connack?.sessionPresent).toBe(true);
  },
);

bothVersions(
  "[MQTT-3.1.2-11] [MQTT-3.1.2-12] [MQTT-3.1.2-13] [MQTT311-3.1.2-11] [MQTT311-3.1.2-13] [MQTT311-3.1.2-14] [MQTT311-3.1.2-15] will flags that do not fit are refused",
  async (version) => {
    const wrong: build.ConnectFields[] = [
      { flags: 0x02 | 0x08 },
      { flags: 0x02 | 0x10 },
      { flags: 0x02 | 0x18 },
      { flags: 0x02 | 0x20 },
      { will: { topic: "t/w", qos: 3 } },
      { will: { topic: "t/w", qos: 3, retain: true } },
    ];
    await Promise.all(
      wrong.map(async (fields) => {
        const client = await shared.open(version);
        client.send(build.connect({ ...fields, version, clientId: unique() }));
        await client.refused([0x81, 0x82]);
      }),
    );
  },
);

bothVersions(
  "[MQTT-3.1.2-9] [MQTT-3.1.2-16] [MQTT-3.1.2-17] [MQTT-3.1.2-18] [MQTT-3.1.2-19] [MQTT311-3.1.2-9] [MQTT311-3.1.2-18] [MQTT311-3.1.2-19] [MQTT311-3.1.2-20] [MQTT311-3.1.2-21] fields that do not follow the flags are refused",
  async (version) => {
    const wrong: build.ConnectFields[] = [
      { flags: 0x02 | 0x80 },
      { flags: 0x02 | 0x80 | 0x40, username: "u" },
      { flags: 0x02, username: "u" },
      { flags: 0x02 | 0x80, username: "u", password: "p" },
      { flags: 0x02 | 0x04 },
      { tail: Buffer.from([0]) },
      { tail: text("more") },
    ];
    await Promise.all(
      wrong.map(async (fields) => {
        const client = await shared.open(version);
        client.send(build.connect({ ...fields, version, clientId: unique() }));
        await client.refused([0x81, 0x82]);
      }),
    );
  },
);

statement("[MQTT311-3.1.2-22] a password without a user name is refused in 3.1.1", async () => {
  const client = await shared.open(4);
  client.send(build.connect({ version: 4, clientId: unique(), password: "p" }));
  await client.refused();
});

statement("[MQTT-3.1.2-18] a password without a user name is well-formed in 5.0", async () => {
  const client = await shared.open();
  client.send(build.connect({ clientId: unique(), password: "p" }));
  const connack = await client.next("CONNACK");
  expect([0, 0x86, 0x87]).toContain(connack.code);
});

bothVersions(
  "[MQTT-3.1.2-22] [MQTT311-3.1.2-24] silence of 1.5 times the keep alive ends the connection, and not earlier",
  async (version) => {
    const client = await shared.connect({ version, keepAlive: 1 });
    const began = performance.now();
    await client.refused([0x8d], { within: 5_000 });
    const took = performance.now() - began;
    expect(took).toBeGreaterThan(1_400);
    expect(took).toBeLessThan(2_500);
  },
  { mosquitto: "looks at the keep alive only now and then" },
);

bothVersions(
  "[MQTT-3.1.2-20] [MQTT-3.1.2-22] [MQTT311-3.1.2-23] any packet keeps the connection alive; keep alive 0 switches it off",
  async (version) => {
    const pinging = await shared.connect({ version, keepAlive: 1 });
    const publishing = await shared.connect({ version, keepAlive: 1 });
    const off = await shared.connect({ version, keepAlive: 0 });
    for (let round = 0; round < 4; round += 1) {
      await sleep(700);
      await pinging.ping();
      await publishing.publish({ topic: topic(), payload: "x" });
    }
    await off.ping();
    await publishing.ping();
  },
);

bothVersions(
  "[MQTT-3.1.3-1] [MQTT-3.1.2-17] [MQTT311-3.1.3-1] [MQTT311-3.1.3-3] the fields of the payload are read in their order",
  async (version) => {
    const name = topic();
    const witness = await shared.connect({ version });
    await witness.subscribe({ filter: name, qos: 1 });
    const client = await shared.connect({
      version,
      will: { topic: name, payload: "the will", qos: 1, properties: { contentType: "text/plain" } },
      username: "someone",
      password: "something",
      properties: { sessionExpiryInterval: 0, userProperty: [["a", "b"]] },
    });
    await client.drop();
    const message = await witness.message();
    expect(message.payload.toString()).toBe("the will");
    if (version === 5) expect(message.properties.contentType).toBe("text/plain");
  },
);

bothVersions(
  "[MQTT-3.1.3-2] [MQTT-3.1.3-3] [MQTT311-3.1.3-2] the session belongs to the client id",
  async (version) => {
    const name = topic();
    const one = unique("c");
    const first = await shared.connect({ ...lasting(version), clientId: one });
    await first.subscribe({ filter: name, qos: 1 });
    await first.disconnect();
    const other = await shared.connect({ ...lasting(version), clientId: `${one}x` });
    expect(other.connack?.sessionPresent).toBe(false);
    const upper = await shared.connect({ ...lasting(version), clientId: one.toUpperCase() });
    expect(upper.connack?.sessionPresent).toBe(false);
  },
);

bothVersions(
  "[MQTT-3.1.3-5] [MQTT311-3.1.3-5] ids of 1 to 23 letters and digits are taken",
  async (version) => {
    const ids = ["0", "Z", "0123456789abcdefghijklm", "nopqrstuvwxyzABCDEFGHIJ", "KLMNOPQRSTUVWXYZ", unique("A")];
    for (const clientId of ids) {
      const client = await shared.connect({ version, clientId });
      await client.disconnect();
    }
  },
  { sequential: true },
);

statement(
  "[MQTT-3.1.3-6] [MQTT-3.1.3-7] [MQTT-3.2.2-16] an empty id is replaced by an assigned one, which is unique and can be used",
  async () => {
    const options = { clientId: "", cleanStart: false, properties: { sessionExpiryInterval: 60 } };
    const first = await shared.connect(options);
    const second = await shared.connect(options);
    const assigned = first.connack?.properties.assignedClientIdentifier ?? "";
    expect(assigned.length).toBeGreaterThan(0);
    expect(second.connack?.properties.assignedClientIdentifier).not.toBe(assigned);
    await first.disconnect();
    const again = await shared.connect({ ...options, clientId: assigned });
    expect(again.connack?.sessionPresent).toBe(true);
    expect(again.connack?.properties.assignedClientIdentifier).toBeUndefined();
  },
);

statement(
  "[MQTT311-3.1.3-6] [MQTT311-3.1.3-7] [MQTT311-3.1.3-8] an empty id: taken with a clean session, CONNACK 0x02 without",
  async () => {
    const client = await shared.connect({ version: 4, clientId: "", cleanStart: true });
    await client.ping();
    const refused = await shared.open(4);
    refused.send(build.connect({ version: 4, clientId: "", cleanStart: false }));
    const connack = await refused.refused();
    expect(connack?.code).toBe(2);
  },
);

bothVersions(
  "[MQTT-3.1.3-8] [MQTT311-3.1.3-9] an id that is too long is refused with CONNACK 0x85 or 0x02",
  async (version) => {
    const accepted = await shared.connect({ version, clientId: String(version).repeat(128) });
    await accepted.disconnect();
    const client = await shared.open(version);
    client.send(build.connect({ version, clientId: String(version).repeat(129) }));
    const connack = await client.refused([0x85], { mustTell: true });
    expect(connack?.code).toBe(version === 5 ? 0x85 : 2);
  },
  { onlyMess: true },
);

bothVersions("[MQTT-3.1.4-1] [MQTT311-3.1.4-1] a malformed CONNECT is closed on", async (version) => {
  const whole = build.connect({
    version,
    clientId: "abc",
    will: { topic: "t/w", payload: "x" },
    username: "u",
    password: "p",
  });
  const body = whole.subarray(2);
  const cuts = [0, 1, 5, 6, 7, 8, 9, 11, 12, 14, 16, body.length - 1];
  await Promise.all(
    cuts.map(async (cut) => {
      const { answer, closed } = await exchange(shared.endpoint, build.packet("CONNECT", 0, body.subarray(0, cut)));
      expect(closed, `cut at ${cut}`).toBe(true);
      if (answer.length > 3) expect(answer[3], `cut at ${cut}`).not.toBe(0);
    }),
  );
});

bothVersions(
  "[MQTT-3.1.4-3] [MQTT311-3.1.4-2] a second connection with the id takes over, the first is told 0x8E and closed",
  async (version) => {
    const clientId = unique("c");
    const first = await shared.connect({ version, clientId });
    const second = await shared.connect({ version, clientId });
    const told = await first.refused([0x8e]);
    if (version === 5) expect(told?.code).toBe(0x8e);
    await second.ping();
  },
  { mosquitto: "closes without a DISCONNECT", mosquittoVersion: 5 },
);

for (const [from, to] of [
  [4, 5],
  [5, 4],
] as const) {
  statement(
    `[MQTT-3.1.4-3] [MQTT-3.1.2-5] [MQTT311-3.1.4-2] a session is taken over from version ${from === 4 ? "3.1.1" : "5.0"} by the other`,
    async () => {
      const clientId = unique("c");
      const name = topic();
      const first = await shared.connect({ ...lasting(from), clientId });
      await first.subscribe({ filter: name, qos: 1 });
      const second = await shared.connect({ ...lasting(to), clientId });
      expect(second.connack?.sessionPresent).toBe(true);
      await first.closed();
      const publisher = await shared.connect();
      await publisher.publish({ topic: name, payload: "kept", qos: 1, properties: { contentType: "x" } });
      const message = await second.message();
      expect(message.payload.toString()).toBe("kept");
      expect(message.properties.contentType).toBe(to === 5 ? "x" : undefined);
    },
  );
}

bothVersions(
  "[MQTT-3.1.4-5] [MQTT-3.2.0-1] [MQTT-3.2.0-2] [MQTT311-3.1.4-4] [MQTT311-3.2.0-1] a good CONNECT gets one CONNACK 0, before anything else",
  async (version) => {
    const clientId = unique("c");
    const name = topic();
    const first = await shared.connect({ ...lasting(version), clientId });
    await first.subscribe({ filter: name, qos: 1 });
    await first.disconnect();
    const publisher = await shared.connect({ version });
    for (let index = 0; index < 5; index += 1) await publisher.publish({ topic: name, payload: `${index}`, qos: 1 });
    const client = await shared.open(version);
    client.send(build.connect({ ...lasting(version), clientId }), build.pingreq());
    await client.next({ name: "CONNACK", code: 0 });
    await client.messages(5);
    await client.take("PINGRESP");
    expect(client.waiting("CONNACK")).toEqual([]);
  },
);

const badConnectProperties: [string, build.PropertiesInput, readonly number[]][] = [
  ["Receive Maximum 0", { receiveMaximum: 0 }, [0x82]],
  ["Maximum Packet Size 0", { maximumPacketSize: 0 }, [0x82]],
  ["Request Problem Information 2", { requestProblemInformation: 2 }, [0x82]],
  ["Request Response Information 2", { requestResponseInformation: 2 }, [0x82]],
  ["Authentication Data without a method", { authenticationData: Buffer.from("x") }, [0x82]],
  [
    "Session Expiry Interval twice",
    [
      ["sessionExpiryInterval", 1],
      ["sessionExpiryInterval", 1],
    ],
    [0x82],
  ],
  [
    "Receive Maximum twice",
    [
      ["receiveMaximum", 1],
      ["receiveMaximum", 1],
    ],
    [0x82],
  ],
  [
    "Topic Alias Maximum twice",
    [
      ["topicAliasMaximum", 1],
      ["topicAliasMaximum", 1],
    ],
    [0x82],
  ],
  ["a property of PUBLISH", { topicAlias: 1 }, [0x81, 0x82]],
  ["a property of CONNACK", { maximumQos: 1 }, [0x81, 0x82]],
  ["an unknown property", [[0x7e, Buffer.from([0])]], [0x81, 0x82]],
  ["a cut property", Buffer.from([0x11, 0, 0]), [0x81, 0x82]],
];

for (const [name, properties, codes] of badConnectProperties) {
  statement(
    `[MQTT-3.1.4-1] [MQTT-4.13.1-1] CONNECT with ${name} is refused`,
    async () => {
      const client = await shared.open();
      client.send(build.connect({ clientId: unique(), properties }));
      await client.refused(codes);
    },
    name.startsWith("Authentication Data") ? { mosquitto: "takes it" } : {},
  );
}

statement(
  "[MQTT-3.1.2-30] [MQTT-4.12.0-1] [MQTT-3.15.2-1] an authentication method the server does not know is refused with 0x8C",
  async () => {
    const client = await shared.open();
    client.send(
      build.connect({
        clientId: unique(),
        properties: { authenticationMethod: "NO-SUCH-METHOD", authenticationData: Buffer.from("x") },
      }),
    );
    const connack = await client.refused([0x8c], { mustTell: true });
    expect(connack?.name).toBe("CONNACK");
  },
);

statement("[MQTT-3.1.2-28] no Response Information unless asked for", async () => {
  for (const properties of [{}, { requestResponseInformation: 0 }]) {
    const client = await shared.connect({ properties });
    expect(client.connack?.properties.responseInformation).toBeUndefined();
  }
});

statement("[MQTT-3.1.2-29] Request Problem Information 0 keeps Reason String and User Property away", async () => {
  const client = await shared.connect({ properties: { requestProblemInformation: 0 } });
  const suback = await client.subscribe(["a/#/b", "$share//x", topic()], { refusable: true }).catch(() => undefined);
  if (suback !== undefined)
    expect([suback.properties.reasonString, suback.properties.userProperty]).toEqual([undefined, undefined]);
  if (client.isClosed) return;
  const puback = await client.publish({ topic: "$nothing/here", qos: 1 });
  expect([puback?.properties.reasonString, puback?.properties.userProperty]).toEqual([undefined, undefined]);
  const unsuback = await client.unsubscribe(topic());
  expect([unsuback.properties.reasonString, unsuback.properties.userProperty]).toEqual([undefined, undefined]);
});

statement(
  "[MQTT-4.1.0-1] a half CONNECT is closed on when its deadline has passed",
  async () => {
    const half = Buffer.concat([u8(0x10), u8(30), u16(4), Buffer.from("MQTT")]);
    const began = performance.now();
    const { answer, closed } = await exchange(shared.endpoint, half, 8_000);
    expect(closed).toBe(true);
    expect(answer.length).toBe(0);
    expect(performance.now() - began).toBeGreaterThan(4_000);
  },
  { onlyMess: true, timeout: 12_000 },
);

bothVersions(
  "[MQTT-4.1.0-1] a declared CONNECT above the limit before login is closed on at once",
  async () => {
    const began = performance.now();
    const { closed } = await exchange(shared.endpoint, Buffer.from("10ffffff7f00044d515454", "hex"));
    expect(closed).toBe(true);
    expect(performance.now() - began).toBeLessThan(1_000);
  },
  { onlyMess: true },
);

statement(
  "[MQTT-3.1.2-23] a session expiry beyond the server's cap is lowered and told in CONNACK",
  async () => {
    const client = await shared.connect({ properties: { sessionExpiryInterval: 0xffff_ffff } });
    const told = client.connack?.properties.sessionExpiryInterval;
    expect(told).toBeDefined();
    expect(told).toBeLessThanOrEqual(366 * 86_400);
  },
  { onlyMess: true },
);

bothVersions("[MQTT-3.1.2-5] [MQTT311-3.1.2-7] retained messages are not part of the session", async (version) => {
  const name = topic();
  const clientId = unique("c");
  const first = await shared.connect({ version, clientId });
  await first.publish({ topic: name, payload: "kept", qos: 1, retain: true });
  await first.disconnect();
  const second = await shared.connect({ version, clientId });
  await second.subscribe(name);
  expect((await second.message()).payload.toString()).toBe("kept");
  await second.publish({ topic: name, qos: 1, retain: true });
});
