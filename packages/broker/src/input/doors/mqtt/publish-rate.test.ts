// Rates at the MQTT door (THREATS D6): within 5 % of the limit, others untouched, and nothing acknowledged that is not stored.
import { type Packet, PacketType, type ProtocolVersion } from "@mess/wire";
import { describe, expect, it } from "vitest";
import { Door, type DoorClient, publishPacket } from "./door.test-data.ts";

const stepMs = 10;

interface Seen {
  accepted: number;
  refused: number;
  sent: number;
}

/** Sends `perStep` messages every 10 ms while the broker reads, and counts the answers. QoS 0 has none. */
function flood(door: Door, client: DoorClient, wish: { seconds: number; perStep: number; qos: 0 | 1 }): Seen {
  const seen: Seen = { accepted: 0, refused: 0, sent: 0 };
  let id = 0;
  for (let at = 0; at < wish.seconds * 1_000 && !client.isClosed; at += stepMs) {
    if (!client.transport.isPaused) {
      const packets = Array.from({ length: wish.perStep }, (): Packet => {
        id = (id % 60_000) + 1;
        return publishPacket("a/b", "x", wish.qos === 0 ? 0 : id);
      });
      client.send(...packets);
      seen.sent += packets.length;
    }
    door.commit();
    for (const packet of client.received()) {
      if (packet.type !== PacketType.PUBACK) continue;
      if (packet.reasonCode < 0x80) seen.accepted += 1;
      else seen.refused += 1;
    }
    door.wait(stepMs);
  }
  return seen;
}

const principals = { principalOf: (name: string | undefined) => name ?? "dev" };
const within5Percent = (count: number, wanted: number): void => {
  // A second's worth more may come at once.
  expect(count).toBeGreaterThanOrEqual(wanted * 0.95);
  expect(count).toBeLessThanOrEqual((wanted + wanted / 30) * 1.05);
};

function connected(door: Door, username: string, version: ProtocolVersion = 5): DoorClient {
  return door.connected(username, { username, password: Buffer.from("x") }, version);
}

describe("publish rates", () => {
  it("5.0, QoS 1: refuses with 0x97 what is too much, and takes what is not", () => {
    const door = new Door({ ...principals, limits: { clientMessagesPerSecondMax: 100 } });
    const client = connected(door, "anna");
    const { accepted, refused } = flood(door, client, { seconds: 30, perStep: 10, qos: 1 });
    within5Percent(accepted, 3_000);
    expect(refused).toBeGreaterThan(1_000);
    expect(client.isClosed).toBe(false);
    expect(door.limitHits[0]).toBe("clientMessagesPerSecondMax");
  });

  it("answers a thousand refusals a second at most, so that they are no load themselves", () => {
    const door = new Door({ ...principals, limits: { clientMessagesPerSecondMax: 100 } });
    const client = connected(door, "anna");
    const { refused, accepted } = flood(door, client, { seconds: 30, perStep: 90, qos: 1 });
    within5Percent(accepted, 3_000);
    expect(refused).toBeGreaterThan(20_000);
    expect(refused).toBeLessThan(31_000);
  });

  it("says which rate, and when to try again", () => {
    const door = new Door({ ...principals, limits: { principalBytesPerSecondMax: 20 } });
    const client = connected(door, "anna");
    client.send(publishPacket("a", "x".repeat(50), 1), publishPacket("a", "x", 2));
    door.commit();
    expect(client.received()).toMatchObject([
      { packetId: 1 },
      {
        packetId: 2,
        reasonCode: 0x97,
        properties: {
          reasonString: expect.stringMatching(/^at most 20 bytes a second of one principal; try again in \d+ ms$/),
        },
      },
    ]);
  });

  it("3.1.1, QoS 1: reads no faster than the rate; everything is acknowledged and nothing refused", () => {
    const door = new Door({ ...principals, limits: { clientMessagesPerSecondMax: 100 } });
    const client = connected(door, "anna", 4);
    const { accepted, refused, sent } = flood(door, client, { seconds: 30, perStep: 10, qos: 1 });
    within5Percent(accepted, 3_000);
    expect(refused).toBe(0);
    // What had been sent when the client was told to wait comes later.
    expect(sent - accepted).toBeLessThanOrEqual(10);
    door.wait(1_000);
    door.commit();
    expect(client.types()).toEqual(new Array(sent - accepted).fill(PacketType.PUBACK));
    expect(client.isClosed).toBe(false);
  });

  it("3.1.1, QoS 0 is slowed down and stays", () => {
    const door = new Door({ ...principals, limits: { clientMessagesPerSecondMax: 100 } });
    const client = connected(door, "anna", 4);
    const { sent } = flood(door, client, { seconds: 30, perStep: 10, qos: 0 });
    within5Percent(sent, 3_000);
    expect(client.isClosed).toBe(false);
  });

  it("5.0, QoS 0 within the rate stays, and so does one that is above it for some seconds", () => {
    const door = new Door({ ...principals, limits: { clientMessagesPerSecondMax: 100 } });
    const client = connected(door, "anna");
    flood(door, client, { seconds: 8, perStep: 10, qos: 0 });
    door.wait(1_000);
    for (let second = 0; second < 30; second += 1) {
      client.send(...Array.from({ length: 95 }, () => publishPacket("a/b", "x")));
      for (let at = 0; at < 1_000; at += stepMs) door.wait(stepMs);
    }
    expect(client.isClosed).toBe(false);
  });

  it("5.0, QoS 0 at ten times the rate ends with 0x96 after ten seconds, and not earlier", () => {
    const door = new Door({ ...principals, limits: { clientMessagesPerSecondMax: 100 } });
    const client = connected(door, "anna");
    flood(door, client, { seconds: 9, perStep: 10, qos: 0 });
    expect(client.isClosed).toBe(false);
    let last: Packet | undefined;
    for (let at = 0; at < 20_000 && !client.isClosed; at += stepMs) {
      if (!client.transport.isPaused) client.send(...Array.from({ length: 10 }, () => publishPacket("a/b", "x")));
      door.wait(stepMs);
    }
    for (const packet of client.received()) last = packet;
    expect(last).toMatchObject({ type: PacketType.DISCONNECT, reasonCode: 0x96 });
  });

  it("leaves other principals alone", () => {
    const door = new Door({ ...principals, limits: { principalMessagesPerSecondMax: 100 } });
    const [greedy, healthy] = [connected(door, "anna"), connected(door, "bert")];
    let answered = 0;
    for (let step = 0; step < 300; step += 1) {
      if (!greedy.transport.isPaused)
        greedy.send(...Array.from({ length: 20 }, (_, index) => publishPacket("a", "x", index + 1)));
      if (step % 2 === 0) healthy.send(publishPacket("a", "x", step + 1));
      door.commit();
      greedy.received();
      answered += healthy
        .received()
        .filter((packet) => packet.type === PacketType.PUBACK && packet.reasonCode < 0x80).length;
      door.wait(stepMs);
    }
    expect(answered).toBe(150);
    expect(healthy.transport.pauses).toBe(0);
  });

  it("is no silence of the client's when it is not read", () => {
    const door = new Door({ ...principals, limits: { clientMessagesPerSecondMax: 1 } });
    const client = door.connected("anna", { username: "anna", password: Buffer.from("x"), keepAlive: 2 }, 4);
    client.send(...Array.from({ length: 20 }, (_, index) => publishPacket("a", "x", index + 1)));
    door.commit();
    for (let at = 0; at < 15_000; at += 500) door.wait(500);
    expect([client.isClosed, client.transport.isPaused]).toEqual([false, true]);
    for (let at = 0; at < 6_000; at += 500) door.wait(500);
    expect(client.transport.isPaused).toBe(false);
  });

  it("counts subscriptions and pings, which cost as much", () => {
    const door = new Door({ ...principals, limits: { clientMessagesPerSecondMax: 5 } });
    const client = connected(door, "anna");
    client.send(...Array.from({ length: 7 }, (): Packet => ({ type: PacketType.PINGREQ })));
    expect(client.transport.isPaused).toBe(true);
    door.wait(1_000);
    expect(client.transport.isPaused).toBe(false);
    expect(client.types()).toHaveLength(7);
  });

  it("takes a publish that is sent again: its first sending may have been taken, and refusing it would be a lie", () => {
    const door = new Door({ ...principals, limits: { clientMessagesPerSecondMax: 1 } });
    const client = connected(door, "anna");
    client.send(
      publishPacket("a", "x", 1),
      { ...publishPacket("a", "y", 2), dup: true } as Packet,
      publishPacket("a", "z", 3),
    );
    door.commit();
    expect(client.received().map((packet) => "reasonCode" in packet && packet.reasonCode)).toEqual([0x10, 0x10]);
    expect(client.transport.isPaused).toBe(true);
    door.wait(1_500);
    door.commit();
    expect(client.received()).toMatchObject([{ packetId: 3, reasonCode: 0x10 }]);
    expect(client.transport.isPaused).toBe(false);
  });

  it("stops waiting when the connection is gone", () => {
    const door = new Door({ ...principals, limits: { clientMessagesPerSecondMax: 1 } });
    const client = connected(door, "anna", 4);
    client.send(publishPacket("a", "x", 1), publishPacket("a", "x", 2));
    client.transport.cut();
    door.wait(5_000);
    expect(client.transport.isPaused).toBe(true);
  });
});

describe("the rate of a topic", () => {
  const declare = (door: Door, filter: string, messagesPerSecond: number): void => {
    door.world.machine.topics.declare("dev", filter, { rate: { messagesPerSecond } });
    door.commit();
  };

  it("is shared by all who publish there, and the most specific declaration counts", () => {
    const door = new Door(principals);
    declare(door, "a/#", 4);
    declare(door, "a/free", 1_000);
    const [anna, bert] = [connected(door, "anna"), connected(door, "bert")];
    anna.send(...[1, 2, 3].map((id) => publishPacket("a/b", "x", id)));
    bert.send(...[1, 2].map((id) => publishPacket("a/c", "x", id)), publishPacket("a/free", "x", 3));
    door.commit();
    expect(bert.received()).toMatchObject([
      { packetId: 1, reasonCode: 0x10 },
      {
        packetId: 2,
        reasonCode: 0x97,
        properties: { reasonString: expect.stringContaining('4 messages a second on "a/#"') },
      },
      { packetId: 3, reasonCode: 0x10 },
    ]);
    expect(door.limitHits).toEqual(["rate"]);
  });

  it("holds for 3.1.1 and QoS 0 by waiting", () => {
    const door = new Door(principals);
    declare(door, "a/#", 50);
    const client = connected(door, "anna", 4);
    const { sent } = flood(door, client, { seconds: 30, perStep: 5, qos: 0 });
    within5Percent(sent, 1_500);
  });

  it("cannot be used up by who may not publish there", () => {
    const door = new Door({
      ...principals,
      policy: {
        roles: { writer: { allow: [{ action: "publish", filter: "a/#" }], deny: [] } },
        principals: { anna: { roles: ["writer"] }, mallory: { roles: [] } },
      },
    });
    declare(door, "a/#", 3);
    const [anna, mallory] = [connected(door, "anna"), connected(door, "mallory")];
    mallory.send(...[1, 2, 3, 4, 5].map((id) => publishPacket("a/b", "x", id)));
    anna.send(publishPacket("a/b", "x", 1));
    door.commit();
    expect(mallory.received().map((packet) => "reasonCode" in packet && packet.reasonCode)).toEqual([
      0x87, 0x87, 0x87, 0x87, 0x87,
    ]);
    expect(anna.received()).toMatchObject([{ reasonCode: 0x10 }]);
  });
});
