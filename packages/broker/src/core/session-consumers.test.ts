import { describe, expect, test } from "vitest";
import type { Policy } from "../model/policy.ts";
import { deadOf, declare, FakeConsumer } from "./fake-consumer.test-data.ts";
import type { FakeClient } from "./fake-link.test-data.ts";
import { checkInvariants } from "./invariants.ts";
import { World, type WorldOptions } from "./world.test-data.ts";

const queue = "$mess/queue/q/#";

function build(settings: Parameters<typeof declare>[2] = {}, options: WorldOptions = {}): World {
  const world = new World(options);
  declare(world, "q", settings);
  return world;
}

function publish(world: World, ...payloads: string[]): void {
  const publisher = world.connected(`p${world.journal.lastSeq}`);
  for (const payload of payloads) publisher.publish("a/b", payload);
  world.commit();
  publisher.cut();
  world.commit();
}

function reader(world: World, name: string, wish: Parameters<FakeClient["subscribe"]>[1] = {}): FakeClient {
  const client = world.connected(name, { expiry: 1_000 });
  client.subscribe(queue, wish);
  world.commit();
  return client;
}

function last(client: FakeClient): { packetId: number; token: string } {
  const delivered = client.link.delivered.at(-1);
  return { packetId: delivered?.packetId ?? 0, token: delivered?.lease?.token ?? "" };
}

describe("a session that reads a declared subscription", () => {
  test("is granted QoS 1 at most, gets what waits after its SUBACK, and acknowledges by PUBACK", () => {
    const world = build();
    publish(world, "1", "2");
    const client = reader(world, "one", { qos: 2, identifier: 7 });
    expect(client.subscribed).toEqual([1]);
    expect(client.link.told.slice(-3)).toEqual(["suback 1", "deliver a/b 1", "deliver a/b 2"]);
    expect(client.link.delivered[0]).toMatchObject({ qos: 1, dup: false, identifiers: [7], lease: { attempt: 1 } });
    expect(client.ack(client.link.delivered[0]?.packetId ?? 0)).toBe(true);
    world.commit();
    world.restart();
    const again = world.connected("one", { expiry: 1_000 });
    expect(again.link.payloads).toEqual(["2"]);
    expect(checkInvariants(world.machine.state)).toEqual([]);
  });

  test("QoS 0 is done when it is sent", () => {
    const world = build();
    const client = reader(world, "one", { qos: 0 });
    publish(world, "1", "2");
    expect(client.link.delivered).toMatchObject([
      { payload: "1", packetId: 0 },
      { payload: "2", packetId: 0 },
    ]);
    world.restart();
    expect(new FakeConsumer(world, "q").payloads).toEqual([]);
    world.commit();
    expect(world.machine.queues.view("q")).toMatchObject({ ready: 0, leased: 0 });
  });

  test("a negative PUBACK is a failed attempt, 0x99 the last one", () => {
    const world = build({ backoffMs: [1_000, 1_000] });
    const client = reader(world, "one");
    publish(world, "1", "2");
    client.ack(client.link.delivered[0]?.packetId ?? 0, 1, 0x80);
    client.ack(client.link.delivered[1]?.packetId ?? 0, 1, 0x99, "no JSON");
    world.wait(1_000);
    expect(client.link.delivered.slice(2)).toMatchObject([{ payload: "1", dup: true, lease: { attempt: 2 } }]);
    expect(deadOf(world, "q")).toMatchObject([{ payload: "2", attributes: { reason: "no JSON" } }]);
  });

  test("explicit: PUBACK frees the packet id, the token settles", () => {
    const world = build();
    const client = reader(world, "one", { explicit: true, credit: { messages: 2 } });
    publish(world, "1", "2", "3");
    expect(client.link.payloads).toEqual(["1", "2"]);
    client.ack(client.link.delivered[0]?.packetId ?? 0);
    world.commit();
    expect(world.machine.queues.view("q")).toMatchObject({ leased: 2 });
    const { token } = last(client);
    expect(token).toMatch(/^[A-Za-z0-9_-]{22}$/);
    world.machine.queues.settle("dev", token, { verb: "ack" }, () => undefined);
    world.commit();
    expect(client.link.payloads).toEqual(["1", "2", "3"]);
  });

  test("what it had goes to another when its connection is lost, and is no attempt", () => {
    const world = build();
    const client = reader(world, "one");
    publish(world, "1");
    const other = reader(world, "two");
    client.cut();
    world.commit();
    expect(other.link.delivered).toMatchObject([{ payload: "1", dup: false, lease: { attempt: 1 } }]);
    expect(checkInvariants(world.machine.state)).toEqual([]);
  });

  test("a late PUBACK settles nothing that is somebody else's now", () => {
    const world = build({ ackWaitMs: 1_000, backoffMs: [1, 1] });
    const client = reader(world, "one", { credit: { messages: 1 } });
    publish(world, "1");
    const { packetId } = last(client);
    const other = reader(world, "two");
    client.link.hasRoom = false;
    world.wait(1_000);
    world.wait(1);
    expect(other.link.payloads).toEqual(["1"]);
    expect(client.ack(packetId)).toBe(true);
    world.commit();
    expect(world.machine.queues.view("q")).toMatchObject({ leased: 1 });
    other.ack(last(other).packetId);
    world.commit();
    expect(world.machine.queues.view("q")).toMatchObject({ leased: 0, ready: 0 });
  });

  test("after UNSUBSCRIBE it gets nothing new, and finishes what it has", () => {
    const world = build();
    const client = reader(world, "one");
    publish(world, "1");
    client.unsubscribe(queue);
    const other = reader(world, "two");
    publish(world, "2");
    expect(client.link.payloads).toEqual(["1"]);
    expect(other.link.payloads).toEqual(["2"]);
    client.ack(last(client).packetId);
    world.commit();
    expect(world.machine.queues.view("q")).toMatchObject({ leased: 1, ready: 0, consumers: 1 });
  });

  test("$share/NAME/FILTER attaches to it with one of its filters; any other is refused with the reason", () => {
    const world = build({ filters: ["a/#", "b"] });
    const client = world.connected("one");
    client.subscribe("$share/q/a/#", { qos: 1 });
    client.subscribe("$share/q/a/+");
    client.subscribe("$share/other/a/+");
    world.commit();
    expect(client.subscribed).toEqual([1, 0x8f, 2]);
    publish(world, "1");
    const own = client.link.delivered.find(({ lease }) => lease !== undefined);
    expect(own).toMatchObject({ payload: "1", topic: "a/b", lease: { plainTopic: true } });
    client.ack(own?.packetId ?? 0, 1, 0x83);
    world.commit();
    expect(deadOf(world, "q")).toMatchObject([{ payload: "1", attributes: { reason: "its consumer answered 0x83" } }]);
  });

  test("other forms under $mess are refused", () => {
    const world = build();
    const client = world.connected("one");
    for (const filter of ["$mess/queue/q", "$mess/queue/+/#", "$mess/queue/q/a", "$mess/other/#"])
      client.subscribe(filter);
    client.subscribe("$mess/queue/none/#");
    world.commit();
    expect(client.subscribed).toEqual([0x8f, 0x8f, 0x8f, 0x8f, 0x83]);
    expect(checkInvariants(world.machine.state)).toEqual([]);
  });

  test("its connection ends with the reason when the subscription is deleted, and comes back without it", () => {
    const world = build();
    const client = reader(world, "one");
    world.machine.queues.delete("q", "admin");
    world.commit();
    expect(client.link.ended).toBe("administrative");
    const again = world.connected("one", { expiry: 1_000 });
    expect(again.link.ended).toBeUndefined();
    expect(checkInvariants(world.machine.state)).toEqual([]);
    world.restart();
    expect(checkInvariants(world.machine.state)).toEqual([]);
  });

  test("dead letters are read as any topic, with the right to consume", () => {
    const policy: Policy = {
      roles: {
        worker: {
          allow: [
            { action: "consume", filter: "q" },
            { action: "subscribe", filter: "a/#" },
            { action: "publish", filter: "a/#" },
          ],
          deny: [],
        },
        other: { allow: [{ action: "subscribe", filter: "#" }], deny: [] },
      },
      principals: { dev: { roles: ["worker"] }, other: { roles: ["other"] } },
    };
    const world = build({}, { policy });
    const stranger = world.connected("x", { principal: "other" });
    stranger.subscribe("$mess/dead/q");
    stranger.subscribe(queue);
    const watcher = world.connected("w", { expiry: 1_000 });
    watcher.subscribe("$mess/dead/q", { qos: 1 });
    const client = reader(world, "one");
    expect([...stranger.subscribed, ...watcher.subscribed, ...client.subscribed]).toEqual([0x87, 0x87, 1, 1]);
    publish(world, "1");
    client.ack(last(client).packetId, 1, 0x99);
    world.commit();
    expect(watcher.link.delivered).toMatchObject([{ topic: "$mess/dead/q", payload: "1", qos: 1 }]);
    world.machine.credentials.applyPolicy({ policy: { ...policy, principals: {} }, by: "admin" });
    world.commit();
    expect(client.link.ended).toBe("not-authorized");
    expect(checkInvariants(world.machine.state)).toEqual([]);
  });
});

test("dead letters show nothing that a deny hides", () => {
  const policy: Policy = {
    roles: {
      worker: {
        allow: [
          { action: "consume", filter: "q" },
          { action: "subscribe", filter: "a/#" },
        ],
        deny: [{ action: "subscribe", filter: "a/secret" }],
      },
      shop: { allow: [{ action: "publish", filter: "a/#" }], deny: [] },
    },
    principals: { worker: { roles: ["worker"] }, shop: { roles: ["shop"] } },
  };
  const world = build({ maxDeliveries: 1 }, { policy });
  const shop = world.connected("shop", { principal: "shop" });
  shop.publish("a/secret", "hidden");
  shop.publish("a/b", "shown");
  world.commit();
  const dead = world.connected("dead", { principal: "worker", expiry: 1_000 });
  dead.subscribe("$mess/dead/q");
  const worker = world.connected("worker", { principal: "worker" });
  worker.subscribe(queue);
  world.commit();
  const last = worker.link.delivered.at(-1);
  worker.ack(last?.packetId ?? 0, 1, 0x99);
  world.commit();
  expect(deadOf(world, "q")).toHaveLength(2);
  expect(dead.link.payloads).toEqual(["shown"]);
  let browsed: string[] = [];
  world.machine.browsing.browse(
    "worker",
    { filter: "$mess/dead/q", from: "earliest", limit: 10, bytesMax: 1_000 },
    (found) => {
      if ("messages" in found) browsed = found.messages.map(({ payload }) => Buffer.from(payload).toString("utf8"));
    },
  );
  world.commit();
  expect(browsed).toEqual(["shown"]);
});
