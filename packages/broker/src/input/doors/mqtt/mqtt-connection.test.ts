import { encodePacket, PacketType, ReasonCode } from "@mess/wire";
import { describe, expect, test } from "vitest";
import type { Policy } from "../../../model/policy.ts";
import { Door, payloadsOf, publishPacket, subscribePacket } from "./door.test-data.ts";

const ping = { type: PacketType.PINGREQ } as const;

/** May publish and subscribe below `open`, nothing else. */
const narrow: Policy = {
  roles: {
    narrow: {
      allow: [
        { action: "publish", filter: "open/#" },
        { action: "subscribe", filter: "open/#" },
      ],
      deny: [],
    },
  },
  principals: { dev: { roles: ["narrow"] } },
};

describe("a refused QoS 0 publish", () => {
  for (const [name, next] of [
    ["PUBACK", { type: PacketType.PUBACK, packetId: 9, reasonCode: 0 }],
    ["PUBREL", { type: PacketType.PUBREL, packetId: 9, reasonCode: 0 }],
    ["SUBSCRIBE", subscribePacket(3, "open/a")],
    ["UNSUBSCRIBE", { type: PacketType.UNSUBSCRIBE, packetId: 3, filters: ["open/a"] }],
    ["a QoS 1 publish", publishPacket("open/a", "x", 4)],
    ["a retained publish", { ...publishPacket("open/a", "x"), retain: true }],
    ["a publish with an alias", publishPacket("open/a", "x", 0, { topicAlias: 1 })],
    ["PINGREQ", ping],
    ["DISCONNECT", { type: PacketType.DISCONNECT, reasonCode: 0 }],
  ] as const) {
    test(`ends the connection, and ${name} behind it in the same chunk does nothing`, () => {
      const door = new Door({ policy: narrow });
      const client = door.connected("c");
      const watcher = door.connected("w");
      watcher.send(subscribePacket(1, "open/#"));
      door.commit();
      watcher.received();
      expect(() => client.send(publishPacket("closed", "no"), next as never)).not.toThrow();
      door.commit();
      const packets = client.received();
      expect(packets.map(({ type }) => type)).toEqual([PacketType.DISCONNECT]);
      expect(packets[0]).toMatchObject({ reasonCode: ReasonCode.NotAuthorized });
      expect(client.isClosed).toBe(true);
      expect(payloadsOf(watcher.received())).toEqual([]);
    });
  }
});

describe("topics", () => {
  test("a publish behind a refused one to the same topic goes to that topic, not to the one before", () => {
    const door = new Door();
    const watcher = door.connected("w");
    watcher.send(subscribePacket(1, "b"));
    door.commit();
    watcher.received();
    const client = door.connected("c");
    client.send(
      publishPacket("a", "one"),
      publishPacket("b", "refused", 1, { userProperties: [["mess-offset", "1"]] }),
      publishPacket("b", "two"),
    );
    door.commit();
    expect(payloadsOf(watcher.received())).toEqual(["two"]);
  });
});

describe("the order of answers [MQTT-4.6.0-2]", () => {
  test("a refused publish is answered after those before it", () => {
    const door = new Door();
    const client = door.connected("c");
    client.send(
      publishPacket("a", "one", 1),
      publishPacket("b", "refused", 2, { userProperties: [["mess-offset", "1"]] }),
      publishPacket("x/".repeat(64), "too deep", 3),
      publishPacket("a", "two", 4),
    );
    expect(client.received()).toEqual([]);
    door.commit();
    expect(client.received()).toMatchObject([
      { type: PacketType.PUBACK, packetId: 1, reasonCode: ReasonCode.NoMatchingSubscribers },
      { type: PacketType.PUBACK, packetId: 2, reasonCode: ReasonCode.ImplementationSpecificError },
      { type: PacketType.PUBACK, packetId: 3, reasonCode: ReasonCode.TopicNameInvalid },
      { type: PacketType.PUBACK, packetId: 4, reasonCode: ReasonCode.NoMatchingSubscribers },
    ]);
    const sent = Buffer.concat(client.transport.sent).toString("utf8");
    expect([sent.includes('the user property "mess-offset" is reserved'), sent.includes("64 levels")]).toEqual([
      true,
      true,
    ]);
  });
});

describe("deadlines", () => {
  test("a stream whose chunks always end inside a packet is no trickle", () => {
    const door = new Door();
    const client = door.connected("c", { keepAlive: 0 });
    const stream = Buffer.from(encodePacket(publishPacket("a", "x".repeat(20)), 5));
    let at = 0;
    for (let second = 0; second < 60; second++) {
      client.sendBytes(cut(stream, at, at + 33));
      at += 33;
      door.wait(1_000);
    }
    expect(client.isClosed).toBe(false);
  });

  test("a packet that trickles ends the connection after half a minute", () => {
    const door = new Door();
    const client = door.connected("c", { keepAlive: 0 });
    const bytes = encodePacket(publishPacket("a", "x".repeat(2_000)), 5);
    client.sendBytes(Buffer.from(encodePacket(publishPacket("a", "x"), 5)));
    for (let second = 0; second < 29; second++) {
      client.sendBytes(Buffer.from(bytes.subarray(second, second + 1)));
      door.wait(1_000);
    }
    expect(client.isClosed).toBe(false);
    door.wait(2_000);
    expect(client.received()).toMatchObject([{ type: PacketType.DISCONNECT, reasonCode: ReasonCode.KeepAliveTimeout }]);
  });

  test("who is not read from cannot be silent", () => {
    const door = new Door();
    const client = door.connected("c", { keepAlive: 10 });
    door.world.journal.congested = true;
    client.send(publishPacket("a", "x", 1));
    expect(client.transport.isPaused).toBe(true);
    for (let second = 0; second < 30; second++) {
      door.world.clock.steady += 1_000;
      door.mqtt.sweep(door.world.clock.monotonic());
    }
    expect(client.isClosed).toBe(false);
    door.world.journal.congested = false;
    door.commit();
    expect(client.transport.isPaused).toBe(false);
    door.wait(14_000);
    expect(client.isClosed).toBe(false);
    door.wait(2_000);
    expect(client.isClosed).toBe(true);
  });

  test("keep alive: 1.5 times, then 0x8D and the will", () => {
    const door = new Door();
    const watcher = door.connected("w", { keepAlive: 0 });
    watcher.send(subscribePacket(1, "will"));
    door.commit();
    watcher.received();
    const client = door.connected("c", {
      keepAlive: 10,
      will: { topic: "will", payload: Buffer.from("gone"), qos: 0, retain: false },
    });
    door.wait(15_000);
    expect(client.isClosed).toBe(false);
    door.wait(500);
    expect(client.received()).toMatchObject([{ type: PacketType.DISCONNECT, reasonCode: ReasonCode.KeepAliveTimeout }]);
    door.commit();
    expect(payloadsOf(watcher.received())).toEqual(["gone"]);
  });

  test("no CONNECT in time: a plain close", () => {
    const door = new Door();
    const client = door.client();
    door.wait(4_999);
    expect(client.isClosed).toBe(false);
    door.wait(1);
    expect(client.isClosed).toBe(true);
    expect(client.transport.sent).toEqual([]);
    expect(door.mqtt.counters.connectDeadlines).toBe(1);
  });
});

/** `[from, to)` of an endless repetition of `bytes`. */
function cut(bytes: Buffer, from: number, to: number): Buffer {
  return Buffer.from(Array.from({ length: to - from }, (_, i) => bytes[(from + i) % bytes.length] as number));
}

describe("congestion", () => {
  test("each publisher is read from again once nothing holds it back any more, however many packets met it", () => {
    const door = new Door();
    const client = door.connected("c");
    door.world.journal.congested = true;
    client.send(publishPacket("a", "1", 1), publishPacket("a", "2", 2), publishPacket("a", "3", 3));
    expect([client.transport.isPaused, client.transport.pauses]).toEqual([true, 1]);
    door.commit();
    expect(client.transport.isPaused).toBe(true);
    door.world.journal.congested = false;
    client.send(publishPacket("a", "4", 4));
    door.commit();
    expect(client.transport.isPaused).toBe(false);
  });

  test("one that closes while it waits is let go", () => {
    const door = new Door();
    const client = door.connected("c");
    door.world.journal.congested = true;
    client.send(publishPacket("a", "1", 1));
    client.transport.cut();
    door.world.journal.congested = false;
    expect(() => door.commit()).not.toThrow();
    expect(door.mqtt.connections()).toBe(0);
  });
});

describe("before authentication", () => {
  test("all connections together hold so much and no more", () => {
    const door = new Door({ limits: { preAuthBytesMax: 1_000 } });
    const half = Buffer.concat([Buffer.from([0x10, 0xff, 0x03, 0, 4]), Buffer.from("MQTT"), Buffer.alloc(391)]);
    const clients = [1, 2, 3].map(() => door.client());
    for (const client of clients) client.sendBytes(half);
    expect(clients.map(({ isClosed }) => isClosed)).toEqual([false, false, true]);
    expect(door.mqtt.preAuthBytes()).toBe(800);
    expect(door.audited.map(({ event }) => event)).toEqual(["limit.hit"]);
    for (const client of clients) client.transport.cut();
    expect(door.mqtt.preAuthBytes()).toBe(0);
    expect(door.mqtt.connections()).toBe(0);
  });

  test("what was held is given back once CONNECT is whole", () => {
    const door = new Door();
    const client = door.client();
    const bytes = Buffer.from(
      encodePacket({ type: PacketType.CONNECT, version: 5, cleanStart: true, keepAlive: 9, clientId: "c" }, 5),
    );
    client.sendBytes(bytes.subarray(0, 9));
    expect(door.mqtt.preAuthBytes()).toBe(9);
    client.sendBytes(bytes.subarray(9));
    door.commit();
    expect(door.mqtt.preAuthBytes()).toBe(0);
    expect(client.types()).toEqual([PacketType.CONNACK]);
  });
});

describe("topic aliases", () => {
  test("one that is set with a topic stands for it, at every QoS, until the connection ends", () => {
    const door = new Door();
    const watcher = door.connected("w");
    watcher.send(subscribePacket(1, "#"));
    door.commit();
    watcher.received();
    const client = door.connected("c");
    client.send(
      publishPacket("a", "1", 0, { topicAlias: 1 }),
      publishPacket("", "2", 0, { topicAlias: 1 }),
      publishPacket("", "3", 7, { topicAlias: 1 }),
      publishPacket("b", "4", 8, { topicAlias: 1 }),
      publishPacket("", "5", 0, { topicAlias: 1 }),
      publishPacket("b", "6"),
    );
    door.commit();
    const seen = watcher
      .received()
      .flatMap((packet) =>
        packet.type === PacketType.PUBLISH ? [`${packet.topic} ${Buffer.from(packet.payload)}`] : [],
      );
    expect(seen.sort()).toEqual(["a 1", "a 2", "a 3", "b 4", "b 5", "b 6"]);
    const again = door.connected("c");
    again.send(publishPacket("", "7", 0, { topicAlias: 1 }));
    expect(again.received()).toMatchObject([{ type: PacketType.DISCONNECT, reasonCode: ReasonCode.ProtocolError }]);
  });

  test("ours: as many as the client takes, and the topic stays away once it is known", () => {
    const door = new Door();
    const reader = door.connected("r", { properties: { topicAliasMaximum: 1 } });
    reader.send(subscribePacket(1, "#"));
    door.commit();
    reader.received();
    const publisher = door.connected("p");
    for (const topic of ["a", "a", "b", "a"]) publisher.send(publishPacket(topic, "x"));
    const seen = reader
      .received()
      .map((packet) => (packet.type === PacketType.PUBLISH ? [packet.topic, packet.properties?.topicAlias] : []));
    expect(seen).toEqual([
      ["a", 1],
      ["", 1],
      ["b", undefined],
      ["", 1],
    ]);
  });

  test("a packet that fits only without an alias goes without one", () => {
    const door = new Door();
    const packet = encodePacket(publishPacket("topic", "x".repeat(100)), 5);
    const reader = door.connected("r", { properties: { topicAliasMaximum: 9, maximumPacketSize: packet.length } });
    reader.send(subscribePacket(1, "#"));
    door.commit();
    reader.received();
    door
      .connected("p")
      .send(
        publishPacket("topic", "x".repeat(100)),
        publishPacket("topic", "small"),
        publishPacket("topic", "y".repeat(102)),
      );
    const seen = reader
      .received()
      .map((packet) =>
        packet.type === PacketType.PUBLISH ? [packet.topic, packet.properties?.topicAlias, packet.payload.length] : [],
      );
    expect(seen).toEqual([
      ["topic", undefined, 100],
      ["topic", 1, 5],
      ["", 1, 102],
    ]);
  });
});
