import { describe, expect, test } from "vitest";
import { Reason } from "../model/engine.ts";
import type { Policy } from "../model/policy.ts";
import { checkInvariants } from "./invariants.ts";
import { World } from "./world.test-data.ts";

const day = 86_400;

describe("QoS 2 to a session that stays", () => {
  test("an id whose delivery was given up is free for another message, over a restart too", () => {
    const world = new World();
    const reader = world.connected("r", { expiry: day });
    reader.subscribe("a");
    world.commit();
    reader.link.largest = 5;
    const publisher = world.connected("p");
    const send = (payload: string): void => {
      publisher.publish("a", payload, { qos: 2, packetId: 1 });
      publisher.release(1);
      world.commit();
    };
    send("too large");
    expect(reader.link.payloads).toEqual([]);
    const before = world.machine.state.session("dev", "r");
    expect(before?.inFlight.size).toBe(0);
    // Once around the ring of ids, so that the same one is reserved again.
    for (let i = 1; i < 65_535; i++) before?.inFlight.release(before.inFlight.take(0, 1, 0));
    send("small");
    world.restart();
    const again = world.connected("r", { expiry: day });
    expect(again.link.delivered).toMatchObject([{ payload: "small", packetId: 1, dup: true }]);
  });

  test("given up on resuming, for lack of the right, it is not tried again after a restart", () => {
    const world = new World({ policy: rights(["subscribe", "a"], ["publish", "a"]) });
    const reader = world.connected("r", { expiry: day });
    reader.subscribe("a");
    world.connected("p").publish("a", "one", { qos: 2, packetId: 1 });
    world.commit();
    const publisher = world.connected("p");
    publisher.publish("a", "two", { qos: 2, packetId: 1 });
    publisher.release(1);
    world.commit();
    expect(reader.link.payloads).toEqual(["two"]);
    reader.cut();
    world.machine.credentials.applyPolicy({ policy: rights(["publish", "a"]), by: "test" });
    world.connected("r", { expiry: day }).cut();
    world.commit();
    world.machine.credentials.applyPolicy({ policy: rights(["subscribe", "a"], ["publish", "a"]), by: "test" });
    world.commit();
    world.restart();
    const again = world.connected("r", { expiry: day });
    expect(again.link.payloads).toEqual([]);
    expect(world.machine.state.session("dev", "r")?.inFlight.size).toBe(0);
  });

  test("PUBREC said twice before it is durable brings no PUBREL before it is", () => {
    const world = new World();
    const reader = world.connected("r", { expiry: day });
    reader.subscribe("a");
    const publisher = world.connected("p");
    publisher.publish("a", "one", { qos: 2, packetId: 1 });
    publisher.release(1);
    world.commit();
    const { packetId } = reader.link.delivered[0] ?? { packetId: 0 };
    reader.ack(packetId, 2);
    reader.ack(packetId, 2);
    expect(reader.link.released).toEqual([]);
    world.commit();
    expect(reader.link.released).toEqual([packetId, packetId]);
  });

  test("a right revoked while the packet id is being made durable holds the message back", () => {
    const world = new World({ policy: rights(["subscribe", "a"], ["publish", "a"]) });
    const reader = world.connected("r", { expiry: day });
    reader.subscribe("a");
    const publisher = world.connected("p");
    world.commit();
    publisher.publish("a", "secret", { qos: 2, packetId: 1 });
    publisher.release(1);
    world.journal.seal();
    world.journal.commitSealed();
    expect(reader.link.payloads).toEqual([]);
    world.machine.credentials.applyPolicy({ policy: rights(["publish", "a"]), by: "test" });
    world.commit();
    expect(reader.link.payloads).toEqual([]);
    world.restart();
    expect(world.machine.state.session("dev", "r")?.inFlight.size).toBe(0);
  });

  test("what is sent again looks as it did: RETAIN as published, Subscription Identifiers", () => {
    const world = new World();
    const reader = world.connected("r", { expiry: day });
    reader.subscribe("a", { retainAsPublished: true, identifier: 5 });
    const publisher = world.connected("p");
    world.commit();
    publisher.publish("a", "one", { qos: 1, retain: true });
    world.commit();
    reader.cut();
    const again = world.connected("r", { expiry: day });
    expect([...reader.link.delivered, ...again.link.delivered]).toMatchObject([
      { retain: true, identifiers: [5], dup: false, qos: 1 },
      { retain: true, identifiers: [5], dup: true, qos: 1 },
    ]);
  });

  test("what was reserved and not sent when the connection went is no repetition", () => {
    const world = new World();
    const reader = world.connected("r", { expiry: day });
    reader.subscribe("a");
    const publisher = world.connected("p");
    world.commit();
    publisher.publish("a", "one", { qos: 2, packetId: 1 });
    publisher.release(1);
    world.journal.seal();
    world.journal.commitSealed();
    reader.cut();
    world.commit();
    const again = world.connected("r", { expiry: day });
    expect(again.link.delivered).toMatchObject([{ payload: "one", dup: false }]);
  });
});

describe("DUP over a restart [MQTT-3.3.1-1]", () => {
  test("what was sent and not acknowledged before the client left is marked, what was not is not", () => {
    const world = new World();
    const reader = world.connected("r", { expiry: day, receiveMaximum: 2 });
    reader.subscribe("a");
    const publisher = world.connected("p");
    for (const payload of ["1", "2", "3", "4"]) publisher.publish("a", payload);
    world.commit();
    expect(reader.link.payloads).toEqual(["1", "2"]);
    reader.cut();
    world.commit();
    for (const restart of [1, 2]) {
      world.restart();
      if (restart === 2) world.snapshot();
    }
    world.restart();
    const again = world.connected("r", { expiry: day });
    expect(again.link.delivered.map(({ payload, dup }) => [payload, dup])).toEqual([
      ["1", true],
      ["2", true],
      ["3", false],
      ["4", false],
    ]);
  });

  test("a client that was connected: as many as may have been under way", () => {
    const world = new World();
    const reader = world.connected("r", { expiry: day, receiveMaximum: 2 });
    reader.subscribe("a");
    const publisher = world.connected("p");
    for (const payload of ["1", "2", "3"]) publisher.publish("a", payload);
    world.commit();
    world.restart();
    world.restart();
    const again = world.connected("r", { expiry: day });
    expect(again.link.delivered.map(({ payload, dup }) => [payload, dup])).toEqual([
      ["1", true],
      ["2", true],
      ["3", false],
    ]);
  });
});

describe("records that are not to be had any more", () => {
  test("are passed over, and what a reconnect made of the list is left alone", () => {
    const world = new World({ journal: { cachedFrames: 1 } });
    const reader = world.connected("r", { expiry: day });
    reader.subscribe("a");
    const publisher = world.connected("p");
    world.commit();
    for (const payload of ["1", "2", "3"]) {
      publisher.publish("a", payload);
      world.commit();
    }
    expect(reader.link.payloads).toEqual(["1", "2", "3"]);
    reader.cut();
    const second = world.connected("r", { expiry: day });
    expect(world.journal.fetchesWaiting).toBe(1);
    second.ack(reader.link.delivered[0]?.packetId ?? 0);
    second.cut();
    const third = world.connected("r", { expiry: day });
    // The read of "1" was asked for by the second connection; the third has a list of its own.
    world.journal.answerFetches(true);
    world.journal.answerFetches();
    world.journal.answerFetches();
    expect(third.link.payloads).toEqual(["2", "3"]);
  });
});

test("a QoS 2 delivery under way before a restart whose message is not to be had any more gives its id back", () => {
  const world = new World({ journal: { cachedFrames: 1 } });
  const reader = world.connected("r", { expiry: day });
  reader.subscribe("a");
  const publisher = world.connected("p");
  publisher.publish("a", "x", { qos: 2, packetId: 1 });
  publisher.release(1);
  world.commit();
  world.restart();
  const again = world.connected("r", { expiry: day });
  world.journal.answerFetches(true);
  world.commit();
  const session = world.machine.state.session("dev", "r");
  expect([again.link.payloads, session?.inFlight.size, session?.underWayBefore.size]).toEqual([[], 0, 0]);
  expect(checkInvariants(world.machine.state)).toEqual([]);
});

describe("fan-out", () => {
  function millisecondsFor(sessions: number): number {
    const world = new World();
    const publisher = world.connected("p");
    const readers = Array.from({ length: sessions }, (_, i) => {
      const reader = world.connect(`r${i}`);
      reader.subscribe("a", { qos: 1 });
      return reader;
    });
    world.commit();
    publisher.publish("a", "warm");
    world.commit();
    const began = performance.now();
    for (let i = 0; i < 3; i++) {
      publisher.publish("a", `${i}`);
      world.commit();
    }
    expect(readers.every(({ link }) => link.delivered.length === 4)).toBe(true);
    return performance.now() - began;
  }

  test("one message to 16,000 sessions costs in proportion", () => {
    millisecondsFor(500);
    // 32 times as many: compared with each other they would cost a thousand times as much.
    expect(millisecondsFor(16_000) / millisecondsFor(500)).toBeLessThan(200);
  });
});

describe("retained messages", () => {
  test("go out after SUBACK, and SUBACK after the commit", () => {
    for (const expiry of [0, day]) {
      const world = new World();
      const publisher = world.connected("p");
      publisher.publish("a", "kept", { retain: true });
      world.commit();
      const reader = world.connected("r", { expiry });
      publisher.publish("b", "something on its way to the disk");
      reader.subscribe("a");
      reader.settle();
      expect(reader.link.told).toEqual(["attached false"]);
      world.commit();
      expect(reader.link.told).toEqual(["attached false", "suback 2", "deliver a kept"]);
    }
  });

  test("unsubscribing in the middle takes away what is due for that subscription and repeats nothing", () => {
    const world = new World();
    const publisher = world.connected("p");
    for (const topic of ["a/1", "a/2", "b/1", "b/2"]) publisher.publish(topic, topic, { retain: true });
    world.commit();
    const reader = world.connected("r", { receiveMaximum: 1 });
    reader.subscribe("a/+", { qos: 1 });
    reader.subscribe("b/+", { qos: 1 });
    world.commit();
    reader.ack(1);
    expect(reader.link.payloads).toEqual(["a/1", "a/2"]);
    reader.unsubscribe("b/+");
    world.commit();
    for (const id of [2, 3, 4, 5]) reader.ack(id);
    expect(reader.link.payloads).toEqual(["a/1", "a/2"]);
  });

  test("a subscription made again has its own; unsubscribed, nothing of either is due", () => {
    const world = new World();
    const publisher = world.connected("p");
    for (const topic of ["a/1", "a/2", "a/3"]) publisher.publish(topic, topic, { retain: true });
    world.commit();
    const reader = world.connected("r", { receiveMaximum: 1 });
    reader.subscribe("a/+", { qos: 1 });
    world.commit();
    reader.subscribe("a/+", { qos: 1, retainHandling: 2, identifier: 9 });
    world.commit();
    reader.ack(1);
    expect(reader.link.delivered).toMatchObject([
      { payload: "a/1", identifiers: [] },
      { payload: "a/2", identifiers: [9] },
    ]);
    reader.unsubscribe("a/+");
    world.commit();
    reader.ack(2);
    expect(reader.link.payloads).toEqual(["a/1", "a/2"]);
  });

  test("an overlapping pair is due twice, before and after a restart, each copy settled by itself", () => {
    const world = new World();
    world.connected("p").publish("a", "kept", { retain: true });
    const reader = world.connected("r", { expiry: day });
    reader.subscribe("a", { qos: 1 });
    reader.subscribe("+", { qos: 1 });
    world.commit();
    expect(reader.link.payloads).toEqual(["kept", "kept"]);
    reader.ack(2);
    world.commit();
    world.restart();
    expect(world.connected("r", { expiry: day }).link.payloads).toEqual(["kept"]);
  });

  test("one that has expired is forgotten, and the quota it took is free", () => {
    const world = new World({
      policy: rights(["publish", "#"], ["retain", "#"], ["subscribe", "#"]),
      limits: { retainedPerPrincipalMax: 1 },
    });
    const publisher = world.connected("p");
    publisher.publish("a", "short", { retain: true, expiry: 10 });
    world.commit();
    expect(publisher.publish("b", "no room", { retain: true })).toBe(Reason.quotaExceeded);
    world.wait(11_000);
    world.machine.tidy();
    expect(world.machine.state.retained.count).toBe(0);
    expect(publisher.publish("b", "room", { retain: true })).toBe(Reason.noMatchingSubscribers);
  });
});

function rights(...grants: (readonly ["publish" | "subscribe" | "share" | "retain" | "will", string])[]): Policy {
  return {
    roles: { user: { allow: grants.map(([action, filter]) => ({ action, filter })), deny: [] } },
    principals: { dev: { roles: ["user"] } },
  };
}
