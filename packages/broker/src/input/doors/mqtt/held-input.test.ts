import { type Packet, PacketType } from "@mess/wire";
import { expect, test } from "vitest";
import { Door, type DoorClient, payloadsOf, publishPacket, subscribePacket } from "./door.test-data.ts";

const payloads = (from: number, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `m${from + index}`);

test("what was sent behind the last message that might come waits, whole and in order, over many turns", () => {
  const door = new Door({ limits: { clientMessagesPerSecondMax: 100 } });
  const reader = door.connected("reader");
  reader.send(subscribePacket(1, "a"));
  door.commit();
  reader.received();
  const client = door.connected("client", {}, 4);
  const sent = payloads(0, 1_000);
  client.send(...sent.map((payload, index) => publishPacket("a", payload, index + 1)));
  door.commit();
  const got = payloadsOf(reader.received());
  // A second's worth, and not all that lay in the chunk.
  expect(got.length).toBeLessThanOrEqual(102);
  for (let at = 0; at < 10_500; at += 20) {
    door.wait(20);
    door.commit();
    for (const packet of reader.received()) {
      if (packet.type !== PacketType.PUBLISH) continue;
      got.push(Buffer.from(packet.payload).toString());
      reader.send({ type: PacketType.PUBACK, packetId: packet.packetId, reasonCode: 0 } as Packet);
    }
  }
  expect(got).toEqual(sent);
  expect([client.transport.isPaused, client.isClosed]).toEqual([false, false]);
});

test("a packet that had come in part is put together with what comes later", () => {
  const door = new Door({ limits: { clientMessagesPerSecondMax: 10 } });
  const client = door.connected("client", {}, 4);
  client.send(...payloads(0, 11).map((payload, index) => publishPacket("a", payload, index + 1)));
  expect(client.transport.isPaused).toBe(true);
  const ping = Buffer.from([0xc0, 0x00]);
  client.sendBytes(ping.subarray(0, 1));
  client.sendBytes(ping.subarray(1));
  door.wait(3_000);
  door.commit();
  expect(client.types()).toContain(PacketType.PINGRESP);
});

test("a connection that ends while it waits says nothing more, and gives back what it held", () => {
  const door = new Door({ limits: { clientMessagesPerSecondMax: 10 } });
  const reader = door.connected("reader");
  reader.send(subscribePacket(1, "a"));
  door.commit();
  const client = door.connected("client", {}, 4);
  client.send(...payloads(0, 50).map((payload) => publishPacket("a", payload)));
  client.send(publishPacket("a", "late"));
  client.transport.cut();
  reader.received();
  door.wait(10_000);
  door.commit();
  expect(payloadsOf(reader.received())).toEqual([]);
});

test("past 16 MiB of all connections what has arrived is decoded at once, and is paid for later", () => {
  const door = new Door({ limits: { clientMessagesPerSecondMax: 1, packetBytesMax: 2 * 1_024 * 1_024 } });
  const payload = "x".repeat(1_024 * 1_024);
  const clients = Array.from({ length: 18 }, (_, index) => door.connected(`c${index}`, {}, 4));
  const takenOf = (client: DoorClient): number => {
    door.commit();
    return client.types().filter((type) => type === PacketType.PUBACK).length;
  };
  const taken = clients.map((client) => {
    client.send(publishPacket("a", "first", 1), publishPacket("a", payload, 2));
    return takenOf(client);
  });
  expect(taken).toEqual([...Array.from({ length: 15 }, () => 1), 2, 2, 2]);
  expect(clients.every(({ transport }) => transport.isPaused)).toBe(true);
  // One that goes gives back what it held.
  clients[0]?.transport.cut();
  const next = door.connected("next", {}, 4);
  next.send(publishPacket("a", "first", 1), publishPacket("a", payload, 2));
  expect(takenOf(next)).toBe(1);
  for (let index = 0; index < 150; index++) door.wait(20);
  expect([...clients.slice(1, 15), next].map(takenOf)).toEqual(Array.from({ length: 15 }, () => 1));
  expect(next.transport.isPaused).toBe(false);
});
