/** Door and core together: declared subscriptions as clients of both versions see them. */
import {
  type AckPacket,
  type Packet,
  PacketType,
  type Properties,
  type PublishPacket,
  type SubackPacket,
} from "@mess/wire";
import { describe, expect, test } from "vitest";
import { declare } from "../../../core/fake-consumer.test-data.ts";
import { type Pairs, reasons, saying } from "./conventions.test-data.ts";
import { Door, type DoorClient, publishPacket, subscribePacket } from "./door.test-data.ts";

const meta = saying(["mess-meta", "1"]);

function declared(settings: Parameters<typeof declare>[2] = {}): Door {
  const door = new Door();
  declare(door.world, "q", settings);
  return door;
}

function subscribe(door: Door, client: DoorClient, filter: string, properties?: Properties): SubackPacket {
  client.send({ ...subscribePacket(1, filter), ...(properties && { properties }) } as Packet);
  door.commit();
  const suback = client.received().find(({ type }) => type === PacketType.SUBACK);
  if (suback === undefined) throw new Error("no SUBACK");
  return suback as SubackPacket;
}

function publish(door: Door, ...payloads: string[]): void {
  const publisher = door.connected("publisher");
  payloads.forEach((payload, index) => publisher.send(publishPacket("a/b", payload, index + 1)));
  door.commit();
}

/** Payload and attempt (if it is told) of each delivery. */
function seen(packets: readonly Packet[]): (string | undefined)[][] {
  return deliveries(packets).map((packet) => [Buffer.from(packet.payload).toString(), said(packet, "mess-attempt")]);
}

const deliveries = (packets: readonly Packet[]): PublishPacket[] =>
  packets.filter((packet): packet is PublishPacket => packet.type === PacketType.PUBLISH);

const said = ({ properties }: PublishPacket, name: string): string | undefined =>
  properties?.userProperties?.find(([each]) => each === name)?.[1];

const puback = (packet: PublishPacket | undefined, reasonCode = 0, reasonString = ""): Packet => ({
  type: PacketType.PUBACK,
  packetId: packet?.packetId ?? 0,
  reasonCode,
  ...(reasonString !== "" && { properties: { reasonString } }),
});

let nextId = 100;
function settlement(packet: PublishPacket | undefined, verb: string, ...pairs: Pairs): Packet {
  const { responseTopic = "", correlationData = new Uint8Array(0) } = packet?.properties ?? {};
  return publishPacket(responseTopic, verb, nextId++, { correlationData, userProperties: pairs });
}

describe("by PUBACK", () => {
  for (const version of [4, 5] as const) {
    test(`${version}: at QoS 1 at most, below the name, once`, () => {
      const door = declared();
      publish(door, "1", "2");
      const reader = door.connected("r", {}, version);
      reader.send(subscribePacket(1, "$mess/queue/q/#"));
      door.commit();
      const [suback, ...rest] = reader.received();
      expect((suback as SubackPacket).reasonCodes).toEqual([1]);
      const found = deliveries(rest);
      expect(found.map(({ topic, qos, dup }) => [topic, qos, dup])).toEqual([
        ["$mess/queue/q/a/b", 1, false],
        ["$mess/queue/q/a/b", 1, false],
      ]);
      reader.send(puback(found[0]), puback(found[1]));
      door.commit();
      reader.transport.cut();
      const next = door.connected("n", {}, version);
      subscribe(door, next, "$mess/queue/q/#");
      expect(next.received()).toEqual([]);
    });
  }

  test("an error with its reason, until the dead letter says it", () => {
    const door = declared({ maxDeliveries: 2, backoffMs: [10, 10] });
    const watcher = door.connected("w");
    subscribe(door, watcher, "$mess/dead/q");
    const reader = door.connected("r", { properties: meta });
    subscribe(door, reader, "$mess/queue/q/#");
    publish(door, "x");
    const [first] = deliveries(reader.received());
    reader.send(puback(first, 0x80, "one"));
    door.commit();
    door.wait(20);
    const [second] = deliveries(reader.received());
    expect([said(first as PublishPacket, "mess-attempt"), said(second as PublishPacket, "mess-attempt")]).toEqual([
      "1",
      "2",
    ]);
    reader.send(puback(second, 0x97, "two"));
    door.commit();
    door.wait(20);
    const [dead] = deliveries(watcher.received()) as [PublishPacket];
    expect([dead.topic, dead.properties?.userProperties]).toEqual([
      "$mess/dead/q",
      [
        ["mess-dead-reason", "2 failed attempts; the last: two"],
        ["mess-attempts", "2"],
        ["mess-origin-topic", "a/b"],
        ["mess-origin-offset", said(first as PublishPacket, "mess-offset")],
      ],
    ]);
  });

  test("a message that one client cannot take does not keep it from the others", () => {
    const door = declared();
    const narrow = door.connected("n", { properties: { maximumPacketSize: 100 } });
    subscribe(door, narrow, "$mess/queue/q/#");
    publish(door, "1", "x".repeat(200), "3");
    expect(seen(narrow.received())).toEqual([
      ["1", undefined],
      ["3", undefined],
    ]);
    const wide = door.connected("w");
    subscribe(door, wide, "$mess/queue/q/#");
    door.wait(100);
    const dead = door.world.machine.queues.view("q")?.dead ?? 0;
    expect(dead + seen(wide.received()).length).toBe(1);
  });
});

describe("by token", () => {
  function explicit(settings: Parameters<typeof declare>[2] = {}, ...more: Pairs): { door: Door; reader: DoorClient } {
    const door = declared(settings);
    const reader = door.connected("r");
    subscribe(door, reader, "$mess/queue/q/#", saying(["mess-ack", "explicit"], ...more));
    return { door, reader };
  }

  test("out of order; PUBACK is only receipt; a token is good once, and for its principal", () => {
    const { door, reader } = explicit();
    publish(door, "1", "2");
    const [one, two] = deliveries(reader.received());
    reader.send(puback(one), puback(two), settlement(two, "ack"));
    expect(reader.received()).toEqual([]);
    door.commit();
    expect(reasons(reader.received()).map(([, code]) => code)).toEqual([0]);
    reader.send(settlement(two, "ack"), settlement(one, "release"));
    door.commit();
    const answered = reader.received();
    expect(reasons(answered.filter(({ type }) => type === PacketType.PUBACK)).map(([, code]) => code)).toEqual([
      0x83, 0,
    ]);
    expect(seen(answered)).toEqual([["1", "1"]]);
    expect(door.world.machine.queues.view("q")).toMatchObject({ ready: 0, leased: 1 });
  });

  test("a nack in its own time, an extension, a rejection", () => {
    const { door, reader } = explicit({ ackWaitMs: 1_000, maxDeliveries: 5 });
    publish(door, "1", "2");
    const [one, two] = deliveries(reader.received());
    reader.send(
      puback(one),
      puback(two),
      settlement(one, "nack", ["mess-delay", "PT5S"]),
      settlement(two, "extend", ["mess-delay", "PT1H"]),
    );
    door.commit();
    reader.received();
    door.wait(4_900);
    expect(reader.received()).toEqual([]);
    door.wait(200);
    const [again] = deliveries(reader.received());
    expect(seen([again as Packet])).toEqual([["1", "2"]]);
    reader.send(puback(again), settlement(again, "reject", ["mess-reason", "no"]), settlement(two, ""));
    door.commit();
    door.wait(10);
    expect(reasons(reader.received() as AckPacket[]).map(([, code]) => code)).toEqual([0, 0]);
    expect(door.world.machine.queues.view("q")).toMatchObject({ ready: 0, leased: 0, dead: 1 });
  });

  test("credit bounds the leases, not the packets", () => {
    const { door, reader } = explicit({}, ["mess-credit", "2"]);
    publish(door, "1", "2", "3");
    const held = deliveries(reader.received());
    expect(held.length).toBe(2);
    for (const each of held) reader.send(puback(each));
    door.commit();
    expect(reader.received()).toEqual([]);
    reader.send(settlement(held[1], "ack"));
    door.commit();
    expect(seen(reader.received())).toEqual([["3", "1"]]);
  });

  test("a token of another principal is forbidden", () => {
    const door = new Door({ principalOf: (username) => username ?? "dev" });
    declare(door.world, "q", {});
    const reader = door.connected("r", { username: "reader" });
    subscribe(door, reader, "$mess/queue/q/#", saying(["mess-ack", "explicit"]));
    publish(door, "1");
    const [one] = deliveries(reader.received());
    const thief = door.connected("t", { username: "thief" });
    thief.send(settlement(one, "ack"));
    door.commit();
    expect(reasons(thief.received()).map(([, code]) => code)).toEqual([0x87]);
  });
});

test("by $share: topics as they are, another filter refused with the reason", () => {
  const door = declared();
  const reader = door.connected("r", {}, 5);
  expect(subscribe(door, reader, "$share/q/a/#").reasonCodes).toEqual([1]);
  publish(door, "1");
  expect(deliveries(reader.received()).map(({ topic }) => topic)).toEqual(["a/b"]);
  const suback = subscribe(door, reader, "$share/q/b/#");
  expect(suback.reasonCodes[0]).toBeGreaterThanOrEqual(0x80);
  expect(suback.properties?.reasonString).toContain("a/#");
});

test("a session that comes back goes on reading, with what it lost", () => {
  const door = declared();
  const wish = { cleanStart: false, properties: { sessionExpiryInterval: 1_000, ...meta } };
  const reader = door.connected("r", wish);
  subscribe(door, reader, "$mess/queue/q/#");
  publish(door, "1");
  expect(seen(reader.received())).toEqual([["1", "1"]]);
  reader.transport.cut();
  door.commit();
  const again = door.client().connect({ clientId: "r", ...wish });
  door.commit();
  expect(seen(again.received())).toEqual([["1", "1"]]);
  expect(door.world.machine.queues.view("q")).toMatchObject({ ready: 0, leased: 1 });
});
