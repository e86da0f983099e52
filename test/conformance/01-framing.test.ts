// MQTT 5.0 sections 1.5, 2.1 and 2.2; MQTT 3.1.1 sections 1.5.3, 2.2.2 and 2.3.1.
import { expect } from "vitest";
import { text, u8, u16, vbi } from "../support/bytes.ts";
import * as build from "../support/packets.ts";
import type { RawClient } from "../support/raw-client.ts";
import { bothVersions, statement, topic, unique, useServer, versions } from "../support/suite.ts";

const shared = useServer();

const illFormed: [string, string][] = [
  ["overlong U+0000", "c080"],
  ["overlong /", "c0af"],
  ["surrogate U+D800", "eda080"],
  ["surrogate U+DFFF", "edbfbf"],
  ["above U+10FFFF", "f4908080"],
  ["a lone continuation", "80"],
  ["a cut sequence", "e282"],
  ["0xFF", "ff"],
];

/** Places of a string in packets that follow CONNECT. */
const places: [string, (bad: Buffer, version: 4 | 5) => Buffer, readonly (4 | 5)[]][] = [
  ["a topic name", (bad, version) => build.publish({ version, topic: bad, payload: "x" }), versions],
  ["a topic filter of SUBSCRIBE", (bad, version) => build.subscribe({ version, filters: [{ filter: bad }] }), versions],
  ["a topic filter of UNSUBSCRIBE", (bad, version) => build.unsubscribe({ version, filters: [bad] }), versions],
  ["a response topic", (bad) => build.publish({ topic: "t/x", properties: { responseTopic: bad } }), [5]],
  ["a content type", (bad) => build.publish({ topic: "t/x", properties: { contentType: bad } }), [5]],
  [
    "the name of a user property",
    (bad) => build.publish({ topic: "t/x", properties: { userProperty: [[bad, "v"]] } }),
    [5],
  ],
  [
    "the value of a user property",
    (bad) => build.publish({ topic: "t/x", properties: { userProperty: [["k", bad]] } }),
    [5],
  ],
  ["a reason string", (bad) => build.disconnect(0, { reasonString: bad }), [5]],
];

async function allRefused(bad: Buffer, version: 4 | 5): Promise<void> {
  const chosen = places.filter(([, , where]) => where.includes(version));
  await Promise.all(
    chosen.map(async ([place, make]) => {
      const client = await shared.connect({ version });
      client.send(make(bad, version));
      // DISCONNECT is the last packet of a client anyway, so nothing is owed to it
      await client.refused([0x81, 0x82, 0x8f, 0x90], place === "a reason string" ? { mustTell: false } : {});
    }),
  );
}

for (const [name, bytes] of illFormed) {
  bothVersions(
    `[MQTT-1.5.4-1] [MQTT-1.5.7-1] [MQTT311-1.5.3-1] ill-formed UTF-8 ends the connection: ${name}`,
    (version) => allRefused(Buffer.from(`612f${bytes}`, "hex"), version),
  );
}

bothVersions("[MQTT-1.5.4-2] [MQTT-1.5.7-1] [MQTT311-1.5.3-2] U+0000 in a string ends the connection", (version) =>
  allRefused(Buffer.from("a/\u0000b"), version),
);

bothVersions(
  "[MQTT-1.5.4-1] [MQTT-1.5.4-2] [MQTT-3.1.3-4] [MQTT-3.1.3-11] [MQTT-3.1.3-12] [MQTT311-1.5.3-1] [MQTT311-1.5.3-2] [MQTT311-3.1.3-4] [MQTT311-3.1.3-10] [MQTT311-3.1.3-11] bad strings in CONNECT are refused",
  async (version) => {
    const bad = [Buffer.from("612feda080", "hex"), Buffer.from("612fc080", "hex"), Buffer.from("a\u0000b")];
    await Promise.all(
      bad.flatMap((each) => {
        const fields: build.ConnectFields[] = [
          { clientId: each },
          { clientId: unique(), username: each, password: "p" },
          { clientId: unique(), will: { topic: each } },
        ];
        if (version === 5) fields.push({ clientId: unique(), properties: { userProperty: [[each, "v"]] } });
        return fields.map(async (one) => {
          const client = await shared.open(version);
          client.send(build.connect({ ...one, version }));
          await client.refused([0x81, 0x82, 0x85, 0x86, 0x90]);
        });
      }),
    );
  },
);

bothVersions("[MQTT-1.5.4-3] [MQTT311-1.5.3-3] a byte order mark is a character like any other", async (version) => {
  const plain = topic();
  const marked = `\uFEFF${plain}`;
  const client = await shared.connect({ version });
  await client.subscribe([plain, marked]);
  await client.publish({ topic: marked, payload: "marked" });
  await client.publish({ topic: plain, payload: "plain" });
  const first = await client.message();
  const second = await client.message();
  expect([first.topic, second.topic]).toEqual([marked, plain]);
});

const longForms: [string, Buffer][] = [
  ["the remaining length of PINGREQ in 2 bytes", Buffer.from("c08000", "hex")],
  ["the remaining length of PINGREQ in 4 bytes", Buffer.from("c080808000", "hex")],
  ["the property length of PUBLISH in 2 bytes", build.packet("PUBLISH", 0, text("t/x"), vbi(0, 2), Buffer.from("x"))],
  [
    "a subscription identifier in 2 bytes",
    build.packet("SUBSCRIBE", 2, u16(1), vbi(3), vbi(0x0b), vbi(5, 2), text("t/x"), u8(0)),
  ],
];

for (const [name, bytes] of longForms) {
  const ofHeader = name.startsWith("the remaining length");
  statement(
    `[MQTT-1.5.5-1] a length longer than needed is malformed: ${name}`,
    async () => {
      const client = await shared.connect();
      client.send(bytes);
      await client.refused([0x81]);
    },
    ofHeader ? { mosquitto: "takes long forms of the remaining length" } : {},
  );
}

bothVersions(
  "[MQTT-1.5.5-1] [MQTT311-2.2.2-2] a remaining length of 5 bytes ends the connection and smuggles nothing",
  async (version) => {
    const name = topic();
    const witness = await shared.connect({ version });
    await witness.subscribe(name);
    const client = await shared.connect({ version });
    client.send(Buffer.from("30ffffffff01", "hex"), build.publish({ version, topic: name, payload: "smuggled" }));
    await client.refused([0x81, 0x95]);
    await witness.ping();
    await witness.expectNothing();
  },
);

const wrongFlags: [build.PacketName, number[], Buffer][] = [
  ["PUBACK", [1, 2, 8, 15], u16(1)],
  ["PUBREC", [1, 2, 8, 15], u16(1)],
  ["PUBREL", [0, 1, 3, 6, 15], u16(1)],
  ["PUBCOMP", [1, 2, 8, 15], u16(1)],
  ["SUBSCRIBE", [0, 1, 3, 6, 10], Buffer.concat([u16(1), text("t/x"), u8(0)])],
  ["UNSUBSCRIBE", [0, 1, 3, 6, 10], Buffer.concat([u16(1), text("t/x")])],
  ["PINGREQ", [1, 2, 8, 15], Buffer.alloc(0)],
  ["DISCONNECT", [1, 2, 8, 15], Buffer.alloc(0)],
];

const lenient: readonly build.PacketName[] = ["PUBACK", "PUBREC", "PUBCOMP", "PINGREQ"];

for (const [name, flags, body] of wrongFlags) {
  const ids: Partial<Record<build.PacketName, string>> = {
    PUBREL: " [MQTT-3.6.1-1] [MQTT311-3.6.1-1]",
    SUBSCRIBE: " [MQTT-3.8.1-1] [MQTT311-3.8.1-1]",
    UNSUBSCRIBE: " [MQTT-3.10.1-1] [MQTT311-3.10.1-1]",
    DISCONNECT: " [MQTT-3.14.1-1] [MQTT311-3.14.1-1]",
  };
  bothVersions(
    `[MQTT-2.1.3-1] [MQTT311-2.2.2-1] [MQTT311-2.2.2-2]${ids[name] ?? ""} wrong reserved flags end the connection: ${name}`,
    async (version) => {
      await Promise.all(
        flags.map(async (each) => {
          const client = await shared.connect({ version });
          const withProperties = version === 5 && (name === "SUBSCRIBE" || name === "UNSUBSCRIBE");
          const whole = withProperties ? Buffer.concat([body.subarray(0, 2), u8(0), body.subarray(2)]) : body;
          client.send(build.packet(name, each, whole));
          await client.refused([0x81], name === "DISCONNECT" ? { mustTell: false } : {});
        }),
      );
    },
    lenient.includes(name) ? { mosquitto: "does not look at these flags" } : {},
  );
}

statement("[MQTT-3.15.1-1] [MQTT-2.1.3-1] wrong reserved flags of AUTH end the connection", async () => {
  const client = await shared.connect();
  client.send(build.packet("AUTH", 1, u8(0x18), u8(0)));
  await client.refused([0x81, 0x82]);
});

bothVersions("[MQTT-2.1.3-1] [MQTT311-2.2.2-2] wrong reserved flags of CONNECT end the connection", async (version) => {
  await Promise.all(
    [1, 2, 4, 8].map(async (headerFlags) => {
      const client = await shared.open(version);
      client.send(build.connect({ version, headerFlags, clientId: unique() }));
      await client.refused([0x81]);
    }),
  );
});

bothVersions("[MQTT-4.13.1-1] [MQTT311-4.8.0-1] packet type 0 ends the connection", async (version) => {
  const client = await shared.connect({ version });
  client.send(Buffer.from([0x00, 0x00]));
  await client.refused([0x81, 0x82]);
});

bothVersions("[MQTT-2.2.1-2] [MQTT311-2.3.1-5] a QoS 0 PUBLISH carries no packet id", async (version) => {
  const name = topic();
  const client = await shared.connect({ version });
  await client.subscribe(name);
  await client.publish({ topic: name, payload: "exact" });
  const message = await client.message();
  expect(message.payload.toString()).toBe("exact");
  expect(message.size).toBe(2 + 2 + name.length + (version === 5 ? 1 : 0) + 5);
});

statement("[MQTT-2.2.2-1] a packet without properties says so with a length of 0", async () => {
  const name = topic();
  const client = await shared.connect();
  const suback = await client.subscribe({ filter: name, qos: 1 });
  expect(suback.size).toBe(2 + 2 + 1 + 1);
  await client.publish({ topic: name, payload: "p", qos: 1 });
  const message = await client.message();
  expect(message.properties).toEqual({});
  expect(message.size).toBe(2 + 2 + name.length + 2 + 1 + 1);
});

async function sendsId0(client: RawClient, bytes: Buffer): Promise<void> {
  client.send(bytes);
  await client.refused([0x81, 0x82]);
}

bothVersions("[MQTT-2.2.1-3] [MQTT311-2.3.1-1] packet id 0 is refused", async (version) => {
  const packets = [
    build.publish({ version, topic: "t/x", qos: 1, id: 0 }),
    build.publish({ version, topic: "t/x", qos: 2, id: 0 }),
    build.subscribe({ version, id: 0, filters: ["t/x"] }),
    build.unsubscribe({ version, id: 0, filters: ["t/x"] }),
  ];
  await Promise.all(packets.map(async (bytes) => sendsId0(await shared.connect({ version }), bytes)));
});

bothVersions(
  "[MQTT-2.2.1-4] [MQTT-4.3.2-1] [MQTT311-2.3.1-4] the server gives every delivery in flight an id of its own",
  async (version) => {
    const name = topic();
    const client = await shared.connect({ version });
    await client.subscribe({ filter: name, qos: 2 });
    const publisher = await shared.connect({ version });
    const sent = 20;
    for (let index = 0; index < sent; index += 1)
      await publisher.publish({ topic: name, payload: `${index}`, qos: 1 + (index % 2) });
    const messages = await client.messages(sent);
    expect(new Set(messages.map((message) => message.id)).size).toBe(sent);
    expect(messages.every((message) => message.id > 0)).toBe(true);
  },
);

bothVersions(
  "[MQTT-2.2.1-5] [MQTT-2.2.1-6] [MQTT311-2.3.1-6] [MQTT311-2.3.1-7] acknowledgements carry the id of what they answer",
  async (version) => {
    const client = await shared.connect({ version });
    const name = topic();
    const id = 40_000 + version;
    client.send(build.subscribe({ version, id, filters: [name] }));
    await client.next({ name: "SUBACK", id });
    client.send(build.unsubscribe({ version, id: id + 1, filters: [name] }));
    await client.next({ name: "UNSUBACK", id: id + 1 });
    client.send(build.publish({ version, topic: name, qos: 1, id: 65_535 }));
    await client.next({ name: "PUBACK", id: 65_535 });
    client.send(build.publish({ version, topic: name, qos: 2, id: 1 }));
    await client.next({ name: "PUBREC", id: 1 });
    client.send(build.ack("PUBREL", 1));
    await client.next({ name: "PUBCOMP", id: 1 });
  },
);

bothVersions(
  "[MQTT-4.2.0-1] [MQTT311-4.2.0-1] packets cut into single bytes, and many in one segment, are read alike",
  async (version) => {
    const name = topic();
    const reader = await shared.connect({ version });
    await reader.subscribe(name);
    const bytes = Buffer.concat([
      build.connect({ version, clientId: unique() }),
      build.publish({ version, topic: name, payload: "one" }),
      build.publish({ version, topic: name, payload: "two", qos: 1, id: 9 }),
      build.pingreq(),
    ]);
    const slow = await shared.open(version);
    for (const byte of bytes) {
      slow.send(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await slow.next({ name: "CONNACK", code: 0 });
    await slow.take("PINGRESP");
    // what has different QoS keeps no order among itself, so the first pair is waited for
    await slow.take({ name: "PUBACK", id: 9 });
    const fast = await shared.open(version);
    fast.send(bytes);
    await fast.next({ name: "CONNACK", code: 0 });
    await fast.take({ name: "PUBACK", id: 9 });
    await fast.take("PINGRESP");
    const payloads = (await reader.messages(4)).map((message) => message.payload.toString());
    expect(payloads).toEqual(["one", "two", "one", "two"]);
  },
);
