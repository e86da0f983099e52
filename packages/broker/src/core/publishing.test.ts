import { describe, expect, test } from "vitest";
import { writeAttributes } from "../model/message.ts";
import type { Policy } from "../model/policy.ts";
import type { FakeClient, PublishWish } from "./fake-link.test-data.ts";
import { World } from "./world.test-data.ts";

const attributes = { key: "k1", id: "i1", priority: 7 };

function reading(world: World): FakeClient {
  const reader = world.connected("reader", { expiry: 1_000 });
  reader.subscribe("#", { qos: 2 });
  world.commit();
  return reader;
}

describe("attributes travel", () => {
  test.each<[string, PublishWish]>([
    ["QoS 0, retained", { qos: 0, retain: true }],
    ["QoS 1", { qos: 1 }],
    ["QoS 1, retained", { qos: 1, retain: true }],
  ])("%s", (_, wish) => {
    const world = new World();
    const reader = reading(world);
    world.connected("writer").publish("a", "hello", { ...wish, attributes });
    world.commit();
    expect(reader.link.delivered).toMatchObject([{ payload: "hello", attributes }]);
    if (wish.retain !== true) return;
    const late = world.connected("late");
    late.subscribe("#");
    world.commit();
    expect(late.link.delivered).toMatchObject([{ payload: "hello", attributes }]);
  });

  test("QoS 2, held over a restart and a snapshot, and released", () => {
    const world = new World();
    reading(world);
    const writer = world.connected("writer", { expiry: 1_000 });
    writer.publish("a", "hello", { qos: 2, packetId: 5, attributes });
    world.commit();
    world.snapshot();
    world.restart();
    const reader = world.connected("reader", { expiry: 1_000 });
    world.connected("writer", { expiry: 1_000 }).release(5);
    world.commit();
    expect(reader.link.delivered).toMatchObject([{ payload: "hello", attributes }]);
  });

  test("carried out of an old segment", () => {
    const world = new World({ limits: { segmentBytes: 1 } });
    world.connected("writer").publish("a", "hello", { retain: true, attributes });
    world.commit();
    for (let i = 0; i < 4; i++) {
      world.machine.tidy();
      world.journal.answerFetches();
      world.commit();
    }
    expect(world.journal.dropped.length).toBeGreaterThan(0);
    const late = world.connected("late");
    late.subscribe("#");
    world.commit();
    expect(late.link.delivered).toMatchObject([{ payload: "hello", attributes }]);
  });

  test("of a will, over a restart", () => {
    const world = new World();
    reading(world);
    const will = { topic: "w", attributes: writeAttributes({ key: "k2" }), delaySeconds: 5 };
    world.connected("weak", { expiry: 1_000, will }).cut();
    world.commit();
    world.restart();
    const reader = world.connected("reader", { expiry: 1_000 });
    world.wait(10_000);
    expect(reader.link.delivered).toMatchObject([{ topic: "w", attributes: { key: "k2" } }]);
  });
});

describe("ids", () => {
  test("a repeat is not stored, and confirmed with the first offset after the first one's commit", () => {
    const world = new World();
    const reader = reading(world);
    const writer = world.connected("writer");
    writer.publish("a", "1", { packetId: 1, attributes: { id: "x" } });
    const offset = world.journal.lastSeq;
    world.journal.seal();
    writer.publish("a", "1", { packetId: 2, attributes: { id: "x" } });
    expect(writer.link.told).toEqual(["attached false"]);
    world.commit();
    expect(writer.link.told.slice(1)).toEqual(["confirm 1 qos 1 0", "confirm 2 qos 1 0"]);
    expect([...writer.link.receipts.values()]).toEqual([offset, -offset]);
    expect(reader.link.payloads).toEqual(["1"]);
  });

  test.each([false, true])("are known after a restart; with a snapshot: %s", (withSnapshot) => {
    const world = new World();
    world.connected("writer").publish("a", "1", { attributes: { id: "x" } });
    world.commit();
    const offset = world.machine.state.messageIds.find("dev", "x");
    expect(offset).toBeGreaterThan(0);
    if (withSnapshot) world.snapshot();
    world.restart();
    const writer = world.connected("writer");
    writer.publish("a", "1", { packetId: 9, attributes: { id: "x" } });
    world.commit();
    expect(writer.link.receipts.get(9)).toBe(-offset);
    world.wait(120_000);
    writer.publish("a", "1", { packetId: 10, attributes: { id: "x" } });
    world.commit();
    expect(writer.link.receipts.get(10)).toBeGreaterThan(offset);
  });

  test("are each principal's own", () => {
    const world = new World();
    const reader = reading(world);
    for (const principal of ["p", "q"])
      world.connected(principal, { principal }).publish("a", principal, { attributes: { id: "x" } });
    world.commit();
    expect(reader.link.payloads).toEqual(["p", "q"]);
  });

  test("QoS 2: the id counts from the release on, whichever is released first", () => {
    const world = new World();
    const reader = reading(world);
    const writer = world.connected("writer", { expiry: 100 });
    writer.publish("a", "1", { qos: 2, packetId: 1, attributes: { id: "x" } });
    writer.publish("a", "2", { qos: 2, packetId: 2, attributes: { id: "x" } });
    writer.release(2);
    writer.release(1);
    writer.publish("a", "3", { qos: 1, packetId: 3, attributes: { id: "x" } });
    world.commit();
    expect(reader.link.payloads).toEqual(["2"]);
    expect(writer.link.told.filter((line) => line.startsWith("completed"))).toEqual(["completed 2 0", "completed 1 0"]);
    expect(world.machine.state.heldBytes).toBe(0);
    world.restart();
    expect(world.machine.state.heldBytes).toBe(0);
    expect(world.machine.state.messageIds.size).toBe(1);
  });

  test("the window is full: refused with a text, never forgotten early", () => {
    const world = new World({ limits: { messageIdsMax: 1 } });
    const writer = world.connected("writer");
    expect(writer.publish("a", "1", { attributes: { id: "x" } })).toBe(0x10);
    expect(writer.publish("a", "2", { attributes: { id: "y" } })).toBe(0x97);
    expect(world.machine.explainRefusal()).toContain("remembers 1 at most");
    expect(writer.publish("a", "1", { attributes: { id: "x" } })).toBe(0);
    world.wait(120_000);
    expect(writer.publish("a", "2", { attributes: { id: "y" } })).toBe(0x10);
  });

  test("a repeat needs the right to publish, and is answered when the disk is full", () => {
    const policy = (allow: boolean): Policy => ({
      roles: { r: { allow: allow ? [{ action: "publish", filter: "#" }] : [], deny: [] } },
      principals: { p: { roles: ["r"] } },
    });
    const world = new World({ policy: policy(true) });
    const writer = world.connected("writer", { principal: "p" });
    const publish = (): number => writer.publish("a", "1", { attributes: { id: "x" } });
    expect(publish()).toBe(0x10);
    world.machine.publishing.diskFull = true;
    expect(publish()).toBe(0);
    world.machine.credentials.applyPolicy({ policy: policy(false), by: "test" });
    expect(publish()).toBe(0x87);
  });
});

describe("attributes at their limits", () => {
  test.each([
    [{ key: "k".repeat(256) }, 0x10, ""],
    [{ key: "k".repeat(257) }, 0x83, "1 to 256 bytes"],
    [{ key: "é".repeat(129) }, 0x83, "1 to 256 bytes"],
    [{ key: "" }, 0x83, "1 to 256 bytes"],
    [{ id: "i".repeat(128) }, 0x10, ""],
    [{ id: "i".repeat(129) }, 0x83, "1 to 128 bytes"],
    [{ priority: 0 }, 0x10, ""],
    [{ priority: 9 }, 0x10, ""],
    [{ priority: 10 }, 0x83, "0 to 9"],
    [{ priority: 1.5 }, 0x83, "0 to 9"],
    [{ origin: 1 }, 0x83, "for the broker to say"],
    [{ attempts: 1 }, 0x83, "for the broker to say"],
  ])("%j", (wish, reason, text) => {
    const world = new World();
    expect(world.connected("writer").publish("a", "1", { attributes: wish })).toBe(reason);
    if (reason >= 0x80) expect(world.machine.explainRefusal()).toContain(text);
  });
});
