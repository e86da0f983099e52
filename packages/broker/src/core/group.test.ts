import { describe, expect, test } from "vitest";
import type { Policy } from "../model/policy.ts";
import { World } from "./world.test-data.ts";

const day = 86_400;
const shared = "$share/g/a/#";

describe("a shared subscription", () => {
  test("what a member had under way goes to the others in order, also when it had unsubscribed", () => {
    const world = new World();
    const one = world.connected("one", { receiveMaximum: 3 });
    const two = world.connected("two", { receiveMaximum: 3 });
    one.subscribe(shared, { qos: 1 });
    two.subscribe(shared, { qos: 1 });
    world.commit();
    two.link.hasRoom = false;
    const publisher = world.connected("p");
    for (const payload of ["1", "2", "3"]) publisher.publish("a/b", payload);
    world.commit();
    expect(one.link.payloads).toEqual(["1", "2", "3"]);
    one.unsubscribe(shared);
    world.commit();
    two.link.hasRoom = true;
    one.cut();
    world.commit();
    expect(two.link.payloads).toEqual(["1", "2", "3"]);
  });

  test("what was reserved for a member that left is not lost at a restart", () => {
    const world = new World();
    const one = world.connected("one", { expiry: day });
    one.subscribe(shared);
    const publisher = world.connected("p");
    world.commit();
    publisher.publish("a/b", "x", { qos: 2, packetId: 1 });
    publisher.release(1);
    world.journal.seal();
    world.journal.commitSealed();
    one.cut();
    world.commit();
    world.restart();
    const again = world.connected("one", { expiry: day });
    expect(again.link.payloads).toEqual(["x"]);
  });

  test("a QoS 2 delivery that began belongs to its session, over a restart, and to nobody after its end [MQTT-4.8.2-5]", () => {
    const world = new World();
    const one = world.connected("one", { expiry: day });
    const two = world.connected("two", { expiry: day });
    one.subscribe(shared);
    two.subscribe(shared);
    world.commit();
    two.link.hasRoom = false;
    const publisher = world.connected("p");
    publisher.publish("a/b", "x", { qos: 2, packetId: 1 });
    publisher.release(1);
    world.commit();
    expect(one.link.payloads).toEqual(["x"]);
    world.restart();
    const second = world.connected("two", { expiry: day });
    expect(second.link.payloads).toEqual([]);
    const first = world.connected("one", { expiry: day });
    expect(first.link.delivered).toMatchObject([{ payload: "x", dup: true, qos: 2 }]);
    first.disconnect(0);
    world.commit();
    expect(second.link.payloads).toEqual([]);
    world.restart();
    expect(world.connected("two", { expiry: day }).link.payloads).toEqual([]);
  });

  test("what is sent again carries the Subscription Identifier of the membership", () => {
    const world = new World();
    const one = world.connected("one", { expiry: day });
    one.subscribe(shared, { identifier: 7 });
    world.commit();
    const publisher = world.connected("p");
    publisher.publish("a/b", "x", { qos: 2, packetId: 1 });
    publisher.release(1);
    world.commit();
    one.cut();
    const again = world.connected("one", { expiry: day });
    expect(again.link.delivered).toMatchObject([{ payload: "x", identifiers: [7] }]);
  });

  test("a message that no member may read is passed over and blocks nothing", () => {
    const policy: Policy = {
      roles: {
        user: {
          allow: [
            { action: "subscribe", filter: "a/#" },
            { action: "share", filter: "a/#" },
            { action: "publish", filter: "#" },
          ],
          deny: [{ action: "subscribe", filter: "a/secret" }],
        },
      },
      principals: { dev: { roles: ["user"] } },
    };
    const world = new World({ policy });
    const one = world.connected("one", { expiry: day });
    one.subscribe(shared, { qos: 1 });
    const publisher = world.connected("p");
    world.commit();
    publisher.publish("a/secret", "no");
    publisher.publish("a/open", "yes");
    world.commit();
    expect(one.link.payloads).toEqual(["yes"]);
    one.ack(one.link.delivered[0]?.packetId ?? 0);
    world.commit();
    world.restart();
    expect(world.machine.state.groups.get(shared)?.backlog.first()).toBe(0);
  });

  test("what waits when the first member that stays comes is not lost at a restart", () => {
    const world = new World();
    const passing = world.connected("passing", { receiveMaximum: 1 });
    passing.subscribe(shared, { qos: 1 });
    const publisher = world.connected("p");
    world.commit();
    for (const payload of ["1", "2", "3"]) publisher.publish("a/b", payload);
    world.commit();
    const staying = world.connected("staying", { expiry: day });
    staying.link.hasRoom = false;
    staying.subscribe(shared, { qos: 1 });
    world.commit();
    world.restart();
    expect(world.connected("staying", { expiry: day }).link.payloads).toEqual(["1", "2", "3"]);
  });

  test("is gone with its last member, and what waited with it", () => {
    const world = new World();
    const one = world.connected("one", { expiry: day });
    one.subscribe(shared, { qos: 1 });
    world.commit();
    one.link.hasRoom = false;
    world.connected("p").publish("a/b", "x");
    world.commit();
    one.unsubscribe(shared);
    world.commit();
    expect(world.machine.state.groups.size).toBe(0);
    one.link.hasRoom = true;
    one.subscribe(shared, { qos: 1 });
    world.commit();
    expect(one.link.payloads).toEqual([]);
    world.restart();
    expect(world.connected("one", { expiry: day }).link.payloads).toEqual([]);
  });
});
