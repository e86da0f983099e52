import type { Packet } from "@mess/wire";
import { describe, expect, test } from "vitest";
import { Door, type DoorClient, payloadsOf, publishPacket, subscribePacket } from "./door.test-data.ts";

describe("slow consumers", () => {
  const kilobyte = "x".repeat(1_000);

  function slow(receivers: number): { door: Door; readers: DoorClient[]; publisher: DoorClient } {
    const door = new Door({ limits: { outboundBytesMax: 20_000 } });
    const readers = Array.from({ length: receivers }, (_, i) => {
      const reader = door.connected(`r${i}`);
      reader.send(subscribePacket(1, "a"));
      door.commit();
      reader.received();
      reader.transport.isBlocked = true;
      return reader;
    });
    return { door, readers, publisher: door.connected("p") };
  }

  test("QoS 0 past the outbound limit is dropped and counted; the connection stays", () => {
    const { door, readers, publisher } = slow(1);
    const reader = readers[0] as DoorClient;
    for (let i = 0; i < 40; i++) publisher.send(publishPacket("a", kilobyte));
    expect(door.mqtt.counters.slowDrops).toBeGreaterThan(15);
    expect(reader.transport.pendingBytes).toBeLessThanOrEqual(20_000);
    reader.transport.unblock();
    expect(payloadsOf(reader.received())).toHaveLength(40 - door.mqtt.counters.slowDrops);
    expect(reader.isClosed).toBe(false);
  });

  test("a publisher waits for its receivers, each at most 100 ms, and goes on when the last is done with", () => {
    const { readers, publisher } = slow(2);
    const [one, two] = readers as [DoorClient, DoorClient];
    for (let i = 0; i < 6; i++) publisher.send(publishPacket("a", kilobyte));
    expect([publisher.transport.isPaused, publisher.transport.pauses]).toEqual([true, 1]);
    one.transport.unblock();
    expect(publisher.transport.isPaused).toBe(true);
    two.transport.unblock();
    expect(publisher.transport.isPaused).toBe(false);
  });

  test("a receiver that stalls holds nobody for longer, and not again until it has drained", () => {
    const { door, readers, publisher } = slow(1);
    for (let i = 0; i < 6; i++) publisher.send(publishPacket("a", kilobyte));
    door.wait(99);
    expect(publisher.transport.isPaused).toBe(true);
    door.wait(1);
    expect(publisher.transport.isPaused).toBe(false);
    publisher.send(publishPacket("a", kilobyte));
    expect(publisher.transport.pauses).toBe(1);
    const reader = readers[0] as DoorClient;
    reader.transport.unblock();
    reader.transport.isBlocked = true;
    for (let i = 0; i < 7; i++) publisher.send(publishPacket("a", kilobyte));
    expect([publisher.transport.isPaused, publisher.transport.pauses]).toEqual([true, 2]);
  });

  test("an old wait that runs out does not end a new one", () => {
    const { door, readers, publisher } = slow(1);
    const reader = readers[0] as DoorClient;
    for (let i = 0; i < 6; i++) publisher.send(publishPacket("a", kilobyte));
    door.wait(80);
    reader.transport.unblock();
    reader.transport.isBlocked = true;
    for (let i = 0; i < 7; i++) publisher.send(publishPacket("a", kilobyte));
    expect(publisher.transport.isPaused).toBe(true);
    door.wait(40);
    expect(publisher.transport.isPaused).toBe(true);
    door.wait(60);
    expect(publisher.transport.isPaused).toBe(false);
  });

  test("a receiver that closes lets its publishers go", () => {
    const { readers, publisher } = slow(1);
    for (let i = 0; i < 6; i++) publisher.send(publishPacket("a", kilobyte));
    expect(publisher.transport.isPaused).toBe(true);
    (readers[0] as DoorClient).transport.cut();
    expect(publisher.transport.isPaused).toBe(false);
  });

  test("a publisher that closes while it waits is not read from again", () => {
    const { readers, publisher } = slow(1);
    for (let i = 0; i < 6; i++) publisher.send(publishPacket("a", kilobyte));
    publisher.transport.cut();
    (readers[0] as DoorClient).transport.unblock();
    expect(publisher.transport.isPaused).toBe(true);
  });

  test("more than fits in memory at once reaches a reader that takes everything, without waiting for a new message", () => {
    const door = new Door({ limits: { outboundBytesMax: 16_384 } });
    const reader = door.connected("r");
    const publisher = door.connected("p");
    reader.send({
      ...subscribePacket(1, "a"),
      subscriptions: [{ filter: "a", qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 }],
    } as Packet);
    door.commit();
    reader.received();
    for (let i = 1; i <= 50; i++) publisher.send(publishPacket("a", `${i}${kilobyte}`, i));
    door.commit();
    expect(payloadsOf(reader.received())).toHaveLength(50);
  });
});
