// PINGREQ, DISCONNECT, AUTH and errors: MQTT 5.0 sections 3.12 to 3.15, 4.12 and 4.13; MQTT 3.1.1 sections 3.12 to 3.14 and 4.8.
import { expect } from "vitest";
import { u8 } from "../support/bytes.ts";
import * as build from "../support/packets.ts";
import { bothVersions, lasting, sleep, statement, topic, unique, useServer, will } from "../support/suite.ts";

const shared = useServer();

bothVersions("[MQTT-3.12.4-1] [MQTT311-3.12.4-1] every PINGREQ gets a PINGRESP", async (version) => {
  const client = await shared.connect({ version });
  client.send(build.pingreq(), build.pingreq(), build.pingreq());
  for (let count = 0; count < 3; count += 1) await client.next("PINGRESP");
  await client.expectNothing(100);
});

bothVersions(
  "[MQTT-4.13.1-1] [MQTT311-4.8.0-1] a PINGREQ with a body ends the connection",
  async (version) => {
    const client = await shared.connect({ version });
    client.send(build.packet("PINGREQ", 0, u8(0)));
    await client.refused([0x81]);
  },
  { mosquitto: "takes it" },
);

bothVersions(
  "[MQTT-3.14.4-2] [MQTT311-3.14.4-1] [MQTT311-3.14.4-2] after DISCONNECT the server closes, and takes nothing that follows",
  async (version) => {
    const name = topic();
    const witness = await shared.connect({ version });
    await witness.subscribe(name);
    const client = await shared.connect({ version });
    client.send(
      build.publish({ version, topic: name, payload: "before" }),
      build.disconnect(),
      build.publish({ version, topic: name, payload: "after" }),
    );
    const { packets } = await client.closed();
    expect(packets).toEqual([]);
    expect((await witness.message()).payload.toString()).toBe("before");
    await witness.expectNothing();
  },
);

statement("[MQTT-3.14.2-2] DISCONNECT may not raise a Session Expiry of 0, and may change another", async () => {
  const zero = await shared.connect();
  zero.send(build.disconnect(0, { sessionExpiryInterval: 10 }));
  await zero.refused([0x82], { mustTell: false });
  const clientId = unique("c");
  const client = await shared.connect({ ...lasting(5, 1), clientId });
  await client.disconnect(0, { sessionExpiryInterval: 60 });
  await sleep(1_600);
  const back = await shared.connect({ ...lasting(5, 60), clientId });
  expect(back.connack?.sessionPresent).toBe(true);
  await back.disconnect(0, { sessionExpiryInterval: 0 });
  const again = await shared.connect({ ...lasting(5, 60), clientId });
  expect(again.connack?.sessionPresent).toBe(false);
});

statement(
  "[MQTT-3.14.2-2] a forbidden Session Expiry in DISCONNECT is answered with 0x82",
  async () => {
    const client = await shared.connect();
    client.send(build.disconnect(0, { sessionExpiryInterval: 10 }));
    await client.refused([0x82], { mustTell: true });
  },
  { mosquitto: "sometimes only closes" },
);

bothVersions(
  "[MQTT-3.14.2-1] [MQTT-4.13.1-1] a malformed DISCONNECT publishes the will, and an unknown reason code is malformed",
  async (version) => {
    const bodies =
      version === 5
        ? [Buffer.from([0x01]), Buffer.from([0x8b]), Buffer.from([0xff]), Buffer.from([0, 5]), Buffer.from([0, 0, 0])]
        : [Buffer.from([0])];
    await Promise.all(
      bodies.map(async (body) => {
        const name = topic();
        const witness = await shared.connect({ version });
        await witness.subscribe(name);
        const client = await shared.connect({ version, will: will(name, "will") });
        client.send(build.packet("DISCONNECT", 0, body));
        await client.refused([0x81, 0x82], { mustTell: false });
        expect((await witness.message()).payload.toString()).toBe("will");
      }),
    );
  },
  { mosquitto: "takes them as ordinary", mosquittoVersion: 5 },
);

statement("[MQTT-3.14.2-1] every reason code a client may send in DISCONNECT is taken", async () => {
  await Promise.all(
    [0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99].map(async (code) => {
      const client = await shared.connect();
      client.send(build.disconnect(code, { reasonString: "because", userProperty: [["a", "b"]] }));
      const { packets } = await client.closed();
      expect(packets, `0x${code.toString(16)}`).toEqual([]);
    }),
  );
});

statement(
  "[MQTT-3.14.2-3] [MQTT-3.14.2-4] [MQTT-4.13.2-1] a DISCONNECT of the server fits the client's Maximum Packet Size, and the connection ends",
  async () => {
    for (const maximumPacketSize of [60, 100]) {
      const client = await shared.open();
      client.send(build.connect({ clientId: unique(), properties: { maximumPacketSize } }));
      const connack = await client.take("CONNACK").catch(() => undefined);
      if (connack === undefined || connack.code !== 0) continue;
      client.send(build.subscribe({ filters: [] }));
      const { packets } = await client.closed();
      for (const packet of packets) expect(packet.size).toBeLessThanOrEqual(maximumPacketSize);
    }
  },
);

statement(
  "[MQTT-4.12.0-7] [MQTT-4.12.1-1] AUTH on a connection without an authentication method is a protocol error",
  async () => {
    for (const bytes of [
      build.auth(),
      build.auth(0x18, { authenticationMethod: "X" }),
      build.auth(0x19, { authenticationMethod: "X" }),
    ]) {
      const client = await shared.connect();
      client.send(bytes);
      await client.refused([0x82, 0x8c]);
    }
  },
  { mosquitto: "sometimes answers 0x81" },
);

statement(
  "[MQTT-4.12.1-2] [MQTT-4.12.0-4] a failed re-authentication ends the connection",
  async () => {
    const client = await shared.connect();
    client.send(build.auth(0x19, { authenticationMethod: "NO-SUCH-METHOD", authenticationData: Buffer.from("x") }));
    await client.refused([0x82, 0x8c, 0x87]);
  },
  { mosquitto: "sometimes answers 0x81" },
);

statement(
  "[MQTT-3.15.2-2] [MQTT-3.15.2-3] [MQTT-4.12.0-2] [MQTT-4.12.0-3] [MQTT-4.12.0-5] the server never asks a client that did not name a method",
  async () => {
    const client = await shared.connect({ username: "u", password: "p" });
    await client.ping();
    expect(client.waiting("AUTH")).toEqual([]);
  },
);

statement("[MQTT-4.12.0-1] AUTH in 3.1.1 ends the connection", async () => {
  const client = await shared.connect({ version: 4 });
  client.send(build.packet("AUTH", 0));
  await client.refused();
});

const serverOnly: [string, string][] = [
  ["CONNACK", "20020000"],
  ["CONNACK with properties", "2003000000"],
  ["SUBACK", "9003000100"],
  ["SUBACK with properties", "900400010000"],
  ["UNSUBACK", "b0020001"],
  ["UNSUBACK with properties", "b00400010000"],
  ["PINGRESP", "d000"],
];

for (const [name, bytes] of serverOnly) {
  bothVersions(
    `[MQTT-4.13.1-1] [MQTT311-4.8.0-1] ${name} from a client ends the connection`,
    async (version) => {
      const client = await shared.connect({ version });
      client.send(Buffer.from(bytes, "hex"));
      await client.refused([0x82, 0x81]);
    },
    name.startsWith("CONNACK") ? {} : { mosquitto: "sometimes takes it" },
  );
}

statement(
  "[MQTT-3.14.4-1] [MQTT-3.14.4-2] the server's DISCONNECT is its last packet, whatever else was on its way",
  async () => {
    const name = topic();
    const reader = await shared.connect();
    await reader.subscribe({ filter: name, qos: 1 });
    const publisher = await shared.connect();
    publisher.send(
      ...Array.from({ length: 50 }, (_, index) => build.publish({ topic: name, payload: "x", qos: 1, id: index + 1 })),
    );
    reader.send(build.subscribe({ filters: [] }));
    const { packets } = await reader.closed();
    const at = packets.findIndex((packet) => packet.name === "DISCONNECT");
    expect(at === -1 ? 0 : packets.length - 1 - at).toBe(0);
    await publisher.ping();
  },
);

bothVersions("[MQTT-4.13.2-1] [MQTT311-4.8.0-2] one client's error does not touch another", async (version) => {
  const name = topic();
  const good = await shared.connect({ version });
  await good.subscribe(name);
  for (let round = 0; round < 5; round += 1) {
    const bad = await shared.connect({ version });
    bad.send(Buffer.from("ffff", "hex"), Buffer.alloc(100, 0xff));
    await bad.closed();
  }
  await good.publish({ topic: name, payload: "alive" });
  expect((await good.message()).payload.toString()).toBe("alive");
});
