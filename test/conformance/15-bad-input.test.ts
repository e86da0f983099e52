// Wrong packet, wrong place, wrong value: every refusal with the code of its packet type, and the server lives on.
import { expect } from "vitest";
import { text, u8, u16, u32, vbi } from "../support/bytes.ts";
import { exchange } from "../support/exchange.ts";
import * as build from "../support/packets.ts";
import { type PropertyRow, propertyRows } from "../support/properties.ts";
import type { RawClient } from "../support/raw-client.ts";
import { bothVersions, statement, topic, unique, useServer } from "../support/suite.ts";

const shared = useServer();

const allowedFromClient: Record<string, readonly string[]> = {
  CONNECT: [
    "sessionExpiryInterval",
    "receiveMaximum",
    "maximumPacketSize",
    "topicAliasMaximum",
    "requestResponseInformation",
    "requestProblemInformation",
    "userProperty",
    "authenticationMethod",
    "authenticationData",
  ],
  will: [
    "willDelayInterval",
    "payloadFormatIndicator",
    "messageExpiryInterval",
    "contentType",
    "responseTopic",
    "correlationData",
    "userProperty",
  ],
  PUBLISH: [
    "payloadFormatIndicator",
    "messageExpiryInterval",
    "topicAlias",
    "responseTopic",
    "correlationData",
    "userProperty",
    "contentType",
  ],
  PUBACK: ["reasonString", "userProperty"],
  PUBREC: ["reasonString", "userProperty"],
  PUBREL: ["reasonString", "userProperty"],
  PUBCOMP: ["reasonString", "userProperty"],
  SUBSCRIBE: ["subscriptionIdentifier", "userProperty"],
  UNSUBSCRIBE: ["userProperty"],
  DISCONNECT: ["sessionExpiryInterval", "reasonString", "serverReference", "userProperty"],
  AUTH: ["authenticationMethod", "authenticationData", "reasonString", "userProperty"],
};

function sample(row: PropertyRow): Buffer {
  switch (row.kind) {
    case "byte":
      return u8(1);
    case "u16":
      return u16(1);
    case "u32":
      return u32(1);
    case "vbi":
      return vbi(1);
    case "pair":
      return Buffer.concat([text("k"), text("v")]);
    default:
      return text("x");
  }
}

/** A packet of each kind a client sends, with the given property section. */
function packetWith(kind: string, section: Buffer): Buffer {
  switch (kind) {
    case "CONNECT":
      return build.connect({ clientId: unique("c"), properties: section });
    case "will":
      return build.connect({ clientId: unique("c"), will: { topic: topic(), properties: section } });
    case "PUBLISH":
      return build.publish({ topic: topic(), properties: section });
    case "SUBSCRIBE":
      return build.subscribe({ filters: [topic()], properties: section });
    case "UNSUBSCRIBE":
      return build.unsubscribe({ filters: [topic()], properties: section });
    case "DISCONNECT":
      return build.disconnect(0, section);
    case "AUTH":
      return build.auth(0x18, section);
    default:
      return build.ack(kind as "PUBACK", 1, 0, section);
  }
}

async function refuses(kind: string, section: Buffer): Promise<void> {
  const isConnect = kind === "CONNECT" || kind === "will";
  const client = isConnect ? await shared.open() : await shared.connect();
  client.send(packetWith(kind, section));
  await client.refused([0x81, 0x82], kind === "DISCONNECT" ? { mustTell: false } : {});
}

for (const [kind, allowed] of Object.entries(allowedFromClient)) {
  const title = `[MQTT-4.13.1-1] properties that do not belong into ${kind === "will" ? "a will" : kind} are refused, known and unknown ones`;
  statement(
    title,
    async () => {
      const known = propertyRows
        .filter((row) => !allowed.includes(row.name))
        .map((row) => Buffer.concat([vbi(row.id), sample(row)]));
      const unknown = [0x00, 0x04, 0x05, 0x2b, 0x7f].map((id) => Buffer.from([id, 0, 0, 0, 0]));
      const wide = [0x80, 0xff, 16_384].map((id) => Buffer.concat([vbi(id), Buffer.alloc(4)]));
      for (const section of [...known, ...unknown, ...wide]) await refuses(kind, section);
    },
    { timeout: 60_000, mosquitto: "sometimes takes one" },
  );

  statement(
    `[MQTT-4.13.1-1] a property cut at every place ends the connection: ${kind}`,
    async () => {
      const rows = propertyRows.filter((row) => allowed.includes(row.name));
      for (const row of rows) {
        const whole = Buffer.concat([vbi(row.id), sample(row)]);
        for (let cut = 1; cut < whole.length; cut += 1) await refuses(kind, whole.subarray(0, cut));
      }
    },
    { timeout: 60_000, mosquitto: "sometimes takes one" },
  );
}

statement(
  "[MQTT-3.4.2-1] [MQTT-3.14.2-1] every property that belongs into a packet of the client is taken",
  async () => {
    const name = topic();
    const client = await shared.connect({
      properties: {
        sessionExpiryInterval: 1,
        receiveMaximum: 65_535,
        maximumPacketSize: 268_435_455,
        topicAliasMaximum: 65_535,
        requestResponseInformation: 1,
        requestProblemInformation: 1,
        userProperty: [["a", "b"]],
      },
    });
    const extra = {
      reasonString: "fine",
      userProperty: [
        ["a", "b"],
        ["a", "c"],
      ] as [string, string][],
    };
    await client.subscribe(
      { filter: name, qos: 2 },
      { properties: { subscriptionIdentifier: 3, userProperty: [["a", "b"]] } },
    );
    client.send(build.publish({ topic: name, payload: "1", qos: 1, id: 900 }));
    await client.take("PUBACK");
    const one = await client.message();
    client.send(build.ack("PUBACK", one.id, 0, extra));
    client.send(build.publish({ topic: name, payload: "2", qos: 2, id: 901 }));
    await client.take({ name: "PUBREC", id: 901 });
    client.send(build.ack("PUBREL", 901, 0, extra));
    await client.take({ name: "PUBCOMP", id: 901 });
    const two = await client.message();
    client.send(build.ack("PUBREC", two.id, 0, extra));
    await client.take({ name: "PUBREL", id: two.id });
    client.send(build.ack("PUBCOMP", two.id, 0, extra));
    client.send(build.unsubscribe({ id: 902, filters: [name], properties: { userProperty: [["a", "b"]] } }));
    await client.take({ name: "UNSUBACK", id: 902 });
    client.send(build.disconnect(0, { sessionExpiryInterval: 5, ...extra }));
    const { packets } = await client.closed();
    expect(packets).toEqual([]);
  },
);

statement("[MQTT-3.1.4-1] whole numbers at their ends are taken where the standard allows them", async () => {
  const values: build.PropertiesInput[] = [
    { sessionExpiryInterval: 0 },
    { sessionExpiryInterval: 0xffff_ffff },
    { sessionExpiryInterval: 0x8000_0000 },
    { receiveMaximum: 1 },
    { receiveMaximum: 65_535 },
    { maximumPacketSize: 0xffff_ffff },
    { topicAliasMaximum: 0 },
    { topicAliasMaximum: 65_535 },
  ];
  for (const properties of values) {
    const client = await shared.connect({ properties, keepAlive: 65_535 });
    await client.subscribe("t/never");
    await client.disconnect();
  }
  const client = await shared.connect();
  const name = topic();
  await client.subscribe(name);
  for (const messageExpiryInterval of [0xffff_ffff, 0x7fff_ffff, 1]) {
    await client.publish({ topic: name, payload: "x", properties: { messageExpiryInterval } });
    const left = (await client.message()).properties.messageExpiryInterval ?? 0;
    expect(messageExpiryInterval - left).toBeLessThanOrEqual(1);
  }
});

statement("[MQTT-3.3.2-5] a Message Expiry Interval of 0 does no harm", async () => {
  const client = await shared.connect();
  const name = topic();
  await client.subscribe(name);
  await client.publish({ topic: name, payload: "x", qos: 1, properties: { messageExpiryInterval: 0 } });
  await client.ping();
});

statement("[MQTT-3.1.2-24] clients with a very small Maximum Packet Size do no harm", async () => {
  for (const maximumPacketSize of [1, 2, 3, 4, 5, 6, 8, 12, 16]) {
    const client = await shared.open();
    client.send(build.connect({ clientId: unique("c"), properties: { maximumPacketSize } }), build.pingreq());
    await new Promise((resolve) => setTimeout(resolve, 20));
    for (const packet of client.waiting()) expect(packet.size).toBeLessThanOrEqual(maximumPacketSize);
    await client.drop();
  }
});

/** A small generator with a seed, so that a failure can be repeated. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const valid = (version: 4 | 5): Buffer[] => [
  build.publish({
    version,
    topic: "fuzz/a",
    payload: "payload",
    qos: 1,
    id: 3,
    properties: { contentType: "x", userProperty: [["a", "b"]] },
  }),
  build.publish({
    version,
    topic: "fuzz/b",
    payload: "payload",
    qos: 2,
    id: 4,
    properties: { topicAlias: 1, responseTopic: "r" },
  }),
  build.subscribe({
    version,
    id: 5,
    filters: [{ filter: "fuzz/x/+", qos: 2 }, "fuzz/y/#"],
    properties: { subscriptionIdentifier: 3 },
  }),
  build.unsubscribe({ version, id: 6, filters: ["fuzz/x/+", "z"] }),
  build.ack("PUBREL", 4),
  build.pingreq(),
];

function mutate(bytes: Buffer, random: () => number): Buffer {
  const copy = Buffer.from(bytes);
  const flips = 1 + Math.floor(random() * 3);
  for (let flip = 0; flip < flips; flip += 1) {
    const at = Math.floor(random() * copy.length);
    copy[at] = Math.floor(random() * 256);
  }
  const action = random();
  if (action < 0.2) return copy.subarray(0, Math.floor(random() * copy.length));
  if (action < 0.3) return Buffer.concat([copy, copy.subarray(Math.floor(random() * copy.length))]);
  return copy;
}

bothVersions(
  "[MQTT-4.13.1-1] [MQTT311-4.8.0-1] 300 damaged packets: each is answered or closed on in form, and the server lives on",
  async (version) => {
    const seed = 20_260_101 + version;
    const random = generator(seed);
    const watcher = await shared.connect({ version });
    for (let round = 0; round < 30; round += 1) {
      const clients: RawClient[] = await Promise.all(Array.from({ length: 10 }, () => shared.connect({ version })));
      for (const client of clients) {
        const packets = valid(version);
        const chosen = packets[Math.floor(random() * packets.length)] ?? build.pingreq();
        client.send(mutate(chosen, random));
      }
      await watcher.ping();
      await Promise.all(clients.map((client) => client.drop()));
    }
    const after = await shared.connect({ version });
    await after.ping();
  },
  { timeout: 60_000 },
);

bothVersions(
  "[MQTT-3.1.4-1] 200 damaged CONNECT packets do no harm",
  async (version) => {
    const random = generator(7 + version);
    const whole = build.connect({
      version,
      clientId: "fuzz",
      will: { topic: "fuzz/w", payload: "w", properties: { contentType: "x" } },
      username: "u",
      password: "p",
      properties: { sessionExpiryInterval: 0, userProperty: [["a", "b"]] },
    });
    for (let round = 0; round < 20; round += 1) {
      await Promise.all(
        Array.from({ length: 10 }, async () => {
          // a changed protocol level changes the form of the answer, so only its first byte is looked at
          const { answer } = await exchange(shared.endpoint, mutate(whole, random), 20);
          expect([undefined, 0x20]).toContain(answer[0]);
        }),
      );
    }
    const after = await shared.connect({ version });
    await after.ping();
  },
  { timeout: 60_000 },
);
