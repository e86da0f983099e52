// MQTT over WebSocket: MQTT 5.0 section 6, MQTT 3.1.1 section 6, RFC 6455.
import { connect as connectTcp } from "node:net";
import { expect } from "vitest";
import * as build from "../support/packets.ts";
import { RawClient } from "../support/raw-client.ts";
import { frame, opcode, upgrade } from "../support/streams.ts";
import { bothVersions, statement, topic, unique, useServer } from "../support/suite.ts";

const shared = useServer();

const open = (version: 4 | 5 = 5): Promise<RawClient> => RawClient.open(shared.server.webSocket, version);
const connected = (version: 4 | 5 = 5): Promise<RawClient> =>
  RawClient.connect(shared.server.webSocket, { version, clientId: unique("c") });

async function answerTo(path: string, headers: Record<string, string>): Promise<Awaited<ReturnType<typeof upgrade>>> {
  const { host, port } = shared.server.webSocket;
  const socket = connectTcp({ host, port });
  try {
    return await upgrade(socket, shared.server.webSocket, path, headers);
  } finally {
    socket.destroy();
  }
}

bothVersions("[MQTT-6.0.0-1] [MQTT311-6.0.0-1] MQTT in binary frames works both ways", async (version) => {
  const name = topic();
  const client = await connected(version);
  await client.subscribe({ filter: name, qos: 2 });
  const plain = await shared.connect({ version });
  for (const qos of [0, 1, 2]) await plain.publish({ topic: name, payload: `${qos}`, qos });
  expect((await client.messages(3)).map((message) => message.payload.toString())).toEqual(["0", "1", "2"]);
  await client.publish({ topic: name, payload: "own", qos: 2 });
  expect((await client.message()).payload.toString()).toBe("own");
});

bothVersions(
  "[MQTT-6.0.0-1] [MQTT311-6.0.0-1] a text frame ends the connection",
  async (version) => {
    const client = await connected(version);
    client.stream.socket.write(frame(opcode.text, build.pingreq()));
    const { packets, reason } = await client.closed();
    expect(packets.filter((packet) => packet.name === "PINGRESP")).toEqual([]);
    expect(reason).toMatch(/closed|websocket close 100[237]/);
  },
  { mosquitto: "takes text frames" },
);

bothVersions(
  "[MQTT-6.0.0-2] [MQTT311-6.0.0-2] packets need not align with frames: cut into bytes, many in one, and fragmented",
  async (version) => {
    const name = topic();
    const client = await open(version);
    for (const byte of build.connect({ version, clientId: unique("c") })) client.send(Buffer.from([byte]));
    await client.next({ name: "CONNACK", code: 0 });
    client.send(
      build.subscribe({ version, id: 1, filters: [name] }),
      build.publish({ version, topic: name, payload: "one" }),
      build.pingreq(),
    );
    await client.take("PINGRESP");
    expect((await client.message()).payload.toString()).toBe("one");
    const bytes = build.publish({ version, topic: name, payload: "two" });
    client.stream.socket.write(frame(opcode.binary, bytes.subarray(0, 3), false));
    client.stream.socket.write(frame(opcode.ping, Buffer.from("between")));
    client.stream.socket.write(frame(opcode.continuation, bytes.subarray(3, 5), false));
    client.stream.socket.write(frame(opcode.continuation, bytes.subarray(5), true));
    expect((await client.message()).payload.toString()).toBe("two");
  },
);

statement(
  "[MQTT-6.0.0-3] [MQTT-6.0.0-4] [MQTT311-6.0.0-3] [MQTT311-6.0.0-4] the sub-protocol mqtt is answered",
  async () => {
    const alone = await answerTo("/mqtt", {});
    expect([alone.status, alone.headers.get("sec-websocket-protocol")]).toEqual([101, "mqtt"]);
    const among = await answerTo("/mqtt", { "Sec-WebSocket-Protocol": "chat, mqtt, other" });
    expect([among.status, among.headers.get("sec-websocket-protocol")]).toEqual([101, "mqtt"]);
  },
);

statement(
  "[MQTT-6.0.0-3] other paths, other sub-protocols and half upgrades are refused without harm",
  async () => {
    const cases: [string, Record<string, string>][] = [
      ["/", {}],
      ["/other", {}],
      ["/mqtt", { "Sec-WebSocket-Protocol": "chat" }],
      ["/mqtt", { "Sec-WebSocket-Version": "8" }],
      ["/mqtt", { "Sec-WebSocket-Key": "short" }],
      ["/v1", {}],
      ["/metrics", {}],
    ];
    for (const [path, headers] of cases) {
      const { status } = await answerTo(path, headers);
      expect(status, `${path} ${JSON.stringify(headers)}`).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(500);
    }
    const good = await connected();
    await good.ping();
  },
  { onlyMess: true },
);

statement(
  "[MQTT-4.2.0-1] a foreign Origin is refused before the upgrade",
  async () => {
    const { status } = await answerTo("/mqtt", { Origin: "https://evil.example" });
    expect(status).toBe(403);
  },
  { onlyMess: true },
);

const wrongFrames: [string, Buffer][] = [
  ["an unmasked frame", Buffer.from([0x82, 0x02, 0xc0, 0x00])],
  ["reserved bits", Buffer.concat([Buffer.from([0xf2]), frame(opcode.binary, build.pingreq()).subarray(1)])],
  ["a reserved opcode", frame(3, build.pingreq())],
  ["a continuation of nothing", frame(opcode.continuation, build.pingreq())],
  ["a length of 2^53", Buffer.from("82ff0020000000000000deadbeef", "hex")],
  ["a length with the top bit set", Buffer.from("82ffffffffffffffffffdeadbeef", "hex")],
  ["a control frame of 126 bytes", frame(opcode.ping, Buffer.alloc(126))],
  ["a fragmented ping", frame(opcode.ping, Buffer.from("x"), false)],
];

for (const [name, bytes] of wrongFrames) {
  statement(
    `[MQTT-6.0.0-1] ${name} ends the connection`,
    async () => {
      const client = await connected();
      client.stream.socket.write(bytes);
      await client.closed();
    },
    { mosquitto: "sometimes takes it" },
  );
}

statement("[MQTT-6.0.0-1] a close frame ends the connection, and publishes the will", async () => {
  const name = topic();
  const seen = await shared.connect();
  await seen.subscribe(name);
  const client = await RawClient.connect(shared.server.webSocket, {
    clientId: unique("c"),
    will: { topic: name, payload: "will" },
  });
  client.stream.end();
  await client.closed();
  expect((await seen.message()).payload.toString()).toBe("will");
});

bothVersions(
  "[MQTT-6.0.0-2] large messages pass over WebSocket",
  async (version) => {
    const name = topic();
    const client = await connected(version);
    await client.subscribe(name);
    const payload = Buffer.alloc(300_000, 7);
    await client.publish({ topic: name, payload, qos: 1 });
    expect((await client.message(8_000)).payload.equals(payload)).toBe(true);
  },
  { mosquitto: "sometimes stops answering" },
);

bothVersions(
  "[MQTT-4.13.1-1] MQTT errors over WebSocket are told and end the connection as on TCP",
  async (version) => {
    const client = await connected(version);
    client.send(build.connect({ version, clientId: unique("c") }));
    await client.refused([0x82]);
  },
);
