import { describe, expect, test } from "vitest";
import { Reason } from "../model/engine.ts";
import { declare, FakeConsumer } from "./fake-consumer.test-data.ts";
import { World } from "./world.test-data.ts";

const hour = 3_600_000;

describe("a connection whose credential ends", () => {
  test("ends at that time and not before; its session stays, and comes back with another credential", () => {
    const world = new World();
    const wish = { expiry: 86_400, expiresAt: world.clock.now() + hour };
    const client = world.connected("c", wish);
    client.subscribe("a", { qos: 1 });
    world.wait(hour - 1);
    expect(client.link.ended).toBeUndefined();
    world.wait(1);
    expect([client.link.ended, world.machine.state.connected]).toEqual(["not-authorized", 0]);
    world.connected("p").publish("a", "kept", { qos: 1, packetId: 1 });
    world.commit();
    const again = world.connected("c", { expiry: 86_400, expiresAt: world.clock.now() + hour });
    expect(again.link.payloads).toEqual(["kept"]);
  });

  test("its will goes out: expiry is not revocation", () => {
    const world = new World();
    const watcher = world.connected("w");
    watcher.subscribe("will");
    world.commit();
    world.connected("c", { expiresAt: world.clock.now() + hour, will: { topic: "will" } });
    world.wait(hour);
    expect(watcher.link.payloads).toEqual(["will of c"]);
  });

  test("one that left is not ended once more, and one that took over by a longer credential stays", () => {
    const world = new World();
    const first = world.connected("a", { expiresAt: world.clock.now() + hour });
    first.disconnect();
    world.connected("b", { expiry: 86_400, expiresAt: world.clock.now() + hour });
    const longer = world.connected("b", { expiry: 86_400, expiresAt: world.clock.now() + 2 * hour });
    const forever = world.connected("b2", { expiresAt: world.clock.now() + hour });
    const endless = world.connected("b2");
    world.wait(hour);
    expect([longer.link.ended, endless.link.ended, forever.link.ended]).toEqual([undefined, undefined, "taken-over"]);
    world.wait(hour);
    expect([longer.link.ended, endless.link.ended]).toEqual(["not-authorized", undefined]);
    // That of the session alone.
    expect(world.machine.state.deadlines.size).toBe(1);
  });

  test("is not made with one that has ended already", () => {
    const world = new World();
    const client = world.connect("c", { expiresAt: world.clock.now() });
    expect(client.refusal).toBe(Reason.notAuthorized);
  });

  test("follows the wall clock when that is set, within a minute", () => {
    const world = new World();
    const client = world.connected("c", { expiresAt: world.clock.now() + 10 * hour });
    world.clock.wall += 10 * hour;
    world.wait(60_000);
    expect(client.link.ended).toBe("not-authorized");
    const other = world.connected("d", { expiresAt: world.clock.now() + hour });
    world.clock.wall -= 5 * hour;
    world.wait(hour);
    expect(other.link.ended).toBeUndefined();
  });
});

test("a consumer without a session ends with its credential too, and what it had goes to others", () => {
  const world = new World();
  declare(world, "q");
  const ending = new FakeConsumer(world, "q", { expiresAt: world.clock.now() + 5_000 });
  world.connected("p").publish("a/b", "1");
  world.commit();
  expect(ending.payloads).toEqual(["1"]);
  const other = new FakeConsumer(world, "q");
  world.wait(5_000);
  expect([ending.ended, other.payloads]).toEqual(["not-authorized", ["1"]]);
  expect(new FakeConsumer(world, "q", { expiresAt: world.clock.now() }).refusal?.reason).toBe(Reason.notAuthorized);
});
