import { describe, expect, test } from "vitest";
import { deadOf, declare, FakeConsumer } from "./fake-consumer.test-data.ts";
import { checkInvariants } from "./invariants.ts";
import { World } from "./world.test-data.ts";

function world1(settings: Parameters<typeof declare>[2] = {}): {
  world: World;
  publish: (...payloads: string[]) => void;
} {
  const world = new World();
  declare(world, "q", settings);
  const publisher = world.connected("p", { expiry: 1_000 });
  let client = publisher;
  const publish = (...payloads: string[]): void => {
    if (client.link.ended !== undefined || world.machine.state.sessionsByNumber.get(client.handle.number) === undefined)
      client = world.connected("p");
    for (const payload of payloads) client.publish("a/b", payload);
    world.commit();
  };
  return { world, publish };
}

function consumer(world: World, wish: ConstructorParameters<typeof FakeConsumer>[2] = {}): FakeConsumer {
  const made = new FakeConsumer(world, "q", wish);
  world.commit();
  return made;
}

describe("a declared subscription", () => {
  test("keeps what is published while nobody consumes, over a restart, and gives it once", () => {
    const { world, publish } = world1();
    publish("1", "2");
    world.restart();
    const one = consumer(world);
    expect(one.payloads).toEqual(["1", "2"]);
    const outcome = one.settle("1");
    expect(outcome.result).toBe("pending");
    world.commit();
    expect(outcome.result).toBe("done");
    world.restart();
    expect(consumer(world).payloads).toEqual(["2"]);
    expect(checkInvariants(world.machine.state)).toEqual([]);
  });

  test("gives each message to one consumer in turn, as far as its credit goes", () => {
    const { world, publish } = world1();
    const one = consumer(world, { messages: 2 });
    const two = consumer(world, { messages: 1 });
    publish("1", "2", "3", "4");
    expect(one.payloads).toEqual(["1", "3"]);
    expect(two.payloads).toEqual(["2"]);
    two.settle("2");
    world.commit();
    expect(two.payloads).toEqual(["2", "4"]);
  });

  test("what a consumer leaves goes to the others at once, and counts as no attempt", () => {
    const { world, publish } = world1();
    const one = consumer(world);
    publish("1", "2");
    const two = consumer(world);
    one.leave();
    world.commit();
    expect(two.taken).toMatchObject([
      { payload: "1", attempt: 1 },
      { payload: "2", attempt: 1 },
    ]);
  });

  test("a lease that its consumer left behind is good by its token until it expires", () => {
    const { world, publish } = world1({ ackWaitMs: 5_000 });
    const one = consumer(world);
    publish("1", "2");
    one.leave(true);
    const two = consumer(world);
    expect(two.payloads).toEqual([]);
    const outcome = one.settle("1");
    world.commit();
    expect(outcome.result).toBe("done");
    world.wait(5_000);
    world.wait(2_000);
    expect(two.taken).toMatchObject([{ payload: "2", attempt: 2 }]);
  });

  test("a nacked message comes again after its backoff, and is dead after the last attempt", () => {
    const { world, publish } = world1({ maxDeliveries: 3, backoffMs: [1_000, 1_500] });
    const one = consumer(world);
    publish("1");
    one.settle("1", { verb: "nack", reason: "no database" });
    world.commit();
    expect(one.taken.length).toBe(1);
    world.wait(499);
    expect(one.taken.length).toBe(1);
    world.wait(501);
    expect(one.taken.map(({ attempt }) => attempt)).toEqual([1, 2]);
    one.settle("1", { verb: "nack", delayMs: 0 });
    world.wait(1);
    expect(one.taken.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    const outcome = one.settle("1", { verb: "nack", reason: "still no database" });
    world.commit();
    expect(outcome.result).toBe("dead");
    expect(deadOf(world, "q")).toMatchObject([
      {
        payload: "1",
        publisher: "dev",
        attributes: { reason: "3 failed attempts; the last: still no database", attempts: 3, originTopic: "a/b" },
      },
    ]);
    world.restart();
    expect(consumer(world).payloads).toEqual([]);
    expect(world.machine.queues.view("q")).toMatchObject({ dead: 1, ready: 0, exact: true, oldestOffset: 0 });
  });

  test("attempts and the time of the next one survive a restart; expired leases count", () => {
    const { world, publish } = world1({ ackWaitMs: 1_000, backoffMs: [10_000, 10_000] });
    const one = consumer(world);
    publish("1");
    world.wait(1_000);
    expect(world.machine.queues.view("q")).toMatchObject({ retrying: 1, leased: 0, ready: 0 });
    expect(one.settle("1").result).toBe("gone");
    world.restart();
    const two = consumer(world);
    expect(two.payloads).toEqual([]);
    world.wait(10_000);
    expect(two.taken).toMatchObject([{ payload: "1", attempt: 2 }]);
  });

  test("rejected messages are dead at once; released ones come again at once and count nothing", () => {
    const { world, publish } = world1();
    const one = consumer(world);
    publish("1", "2");
    one.settle("1", { verb: "reject", reason: "unreadable" });
    one.settle("2", { verb: "release" });
    world.commit();
    expect(deadOf(world, "q")).toMatchObject([{ payload: "1", attributes: { reason: "unreadable", attempts: 1 } }]);
    expect(one.taken.slice(2)).toMatchObject([{ payload: "2", attempt: 1 }]);
  });

  test("an extended lease lasts longer; a token is of its own principal, and good once", () => {
    const { world, publish } = world1({ ackWaitMs: 1_000 });
    const one = consumer(world);
    publish("1", "2");
    expect(one.settle("1", { verb: "extend", forMs: 5_000 }).result).toBe("done");
    world.wait(1_000);
    expect(world.machine.queues.view("q")).toMatchObject({ retrying: 1, leased: 1 });
    const results: string[] = [];
    const token = one.taken[0]?.token ?? "";
    world.machine.queues.settle("somebody", token, { verb: "ack" }, (result) => results.push(result));
    world.machine.queues.settle("dev", token, { verb: "ack" }, (result) => results.push(result));
    world.machine.queues.settle("dev", token, { verb: "ack" }, (result) => results.push(result));
    world.commit();
    expect(results).toEqual(["forbidden", "gone", "done"]);
  });

  test("reads from the beginning if declared so, what matches and nothing else", () => {
    const world = new World();
    const publisher = world.connected("p");
    publisher.publish("a/1", "1");
    publisher.publish("b/1", "2");
    publisher.publish("a/2", "3");
    world.commit();
    declare(world, "q", { filters: ["a/#", "a/2"] }, 1);
    publisher.publish("a/3", "4");
    publisher.publish("b/3", "5");
    world.commit();
    expect(consumer(world).payloads).toEqual(["1", "3", "4"]);
    expect(world.machine.queues.view("q")).toMatchObject({ leased: 3 });
  });

  test("a snapshot holds all of it", () => {
    const { world, publish } = world1({ maxDeliveries: 2, backoffMs: [60_000, 60_000] });
    const one = consumer(world);
    publish("1", "2", "3", "4");
    one.settle("2");
    one.settle("1", { verb: "nack" });
    one.settle("3", { verb: "reject" });
    world.commit();
    world.snapshot();
    publish("5");
    world.restart();
    const two = consumer(world);
    expect(two.payloads).toEqual(["4", "5"]);
    expect(deadOf(world, "q").map(({ payload }) => payload)).toEqual(["3"]);
    world.wait(60_000);
    expect(two.taken.at(-1)).toMatchObject({ payload: "1", attempt: 2 });
    expect(world.machine.queues.view("q")).toMatchObject({ ready: 0, leased: 1, dead: 1 });
  });

  test("is gone with all its messages when it is deleted, and its consumers are told", () => {
    const { world, publish } = world1();
    const one = consumer(world);
    publish("1");
    expect(world.machine.queues.delete("q", "admin")).toBe(true);
    expect(one.ended).toBe("administrative");
    expect(one.settle("1").result).toBe("gone");
    world.commit();
    world.restart();
    expect(new FakeConsumer(world, "q").refusal?.text).toMatch(/there is no subscription "q"/);
    expect(checkInvariants(world.machine.state)).toEqual([]);
  });
});
