import { describe, expect, test } from "vitest";
import type { DeadResult, DeadSelection, MessagePage } from "../model/queue-administration.ts";
import { deadOf, declare, FakeConsumer } from "./fake-consumer.test-data.ts";
import { checkInvariants } from "./invariants.ts";
import { World, type WorldOptions } from "./world.test-data.ts";

/** Five dead letters, `bad` and `worse` in turn. */
function build(options: WorldOptions = {}, settings: Parameters<typeof declare>[2] = {}): World {
  const world = new World(options);
  declare(world, "q", settings);
  declare(world, "other");
  const publisher = world.connected("p");
  const consumer = new FakeConsumer(world, "q");
  for (const payload of ["1", "2", "3", "4", "5"]) {
    publisher.publish("a/b", payload, { attributes: { key: `k${payload}` }, headers: "colour=red" });
    world.commit();
    consumer.settle(payload, { verb: "reject", reason: Number(payload) % 2 === 0 ? "worse" : "bad" });
    world.commit();
  }
  consumer.leave();
  world.commit();
  return world;
}

function answered(world: World): void {
  for (let turn = 0; turn < 20; turn++) {
    world.journal.answerFetches();
    world.commit();
  }
}

function redrive(
  world: World,
  selection: DeadSelection,
  verb: "redrive" | "purge" = "redrive",
): DeadResult | undefined {
  let result: DeadResult | undefined;
  world.machine.queues[verb]("q", { by: "admin", selection }, (one) => {
    result = one;
  });
  answered(world);
  return result;
}

function page(world: World, from: number, limit: number): MessagePage {
  let result: MessagePage | undefined;
  world.machine.queues.dead("q", { from, limit }, (one) => {
    result = one;
  });
  answered(world);
  if (result === undefined) throw new Error("no page");
  return result;
}

describe.each([{ cachedFrames: 1_000 }, { cachedFrames: 1 }])("dead letters with %o", (journal) => {
  test("are looked at in pages", () => {
    const world = build({ journal });
    const first = page(world, 0, 3);
    expect(first.messages).toMatchObject([
      {
        topic: "$mess/dead/q",
        publisher: "dev",
        attributes: { key: "k1", reason: "bad", attempts: 1, originTopic: "a/b" },
        payload: Buffer.from("1"),
        headers: Buffer.from("colour=red"),
      },
      { payload: Buffer.from("2") },
      { payload: Buffer.from("3") },
    ]);
    const second = page(world, first.next ?? 0, 3);
    expect(second.messages.map(({ payload }) => payload.toString())).toEqual(["4", "5"]);
    expect(second.next).toBeUndefined();
  });

  test("go back to where they failed and nowhere else, as new", () => {
    const world = build({ journal });
    expect(redrive(world, {})).toEqual({ done: 5, remaining: 0 });
    world.restart();
    const consumer = new FakeConsumer(world, "q");
    const other = new FakeConsumer(world, "other");
    answered(world);
    expect(consumer.taken).toMatchObject(
      ["1", "2", "3", "4", "5"].map((payload) => ({ payload, topic: "a/b", attempt: 1 })),
    );
    expect(other.payloads).toEqual(["1", "2", "3", "4", "5"]);
    expect(deadOf(world, "q")).toEqual([]);
    expect(world.machine.queues.view("q")).toMatchObject({ dead: 0, leased: 5, ready: 0 });
    expect(checkInvariants(world.machine.state)).toEqual([]);
  });

  test("are chosen by offset, and by a part of their reason", () => {
    const world = build({ journal });
    const { messages } = page(world, 0, 10);
    const offsets = [messages[4]?.offset ?? 0, messages[0]?.offset ?? 0, 3];
    expect(redrive(world, { offsets })).toEqual({ done: 2, remaining: 0 });
    expect(redrive(world, { reason: "wors" }, "purge")).toEqual({ done: 2, remaining: 0 });
    expect(page(world, 0, 10).messages.map(({ payload }) => payload.toString())).toEqual(["3"]);
    world.restart();
    expect(page(world, 0, 10).messages.map(({ payload }) => payload.toString())).toEqual(["3"]);
    const consumer = new FakeConsumer(world, "q");
    answered(world);
    expect(consumer.payloads).toEqual(["1", "5"]);
  });

  test("go back as far as there is room", () => {
    const world = build({ journal }, { maxMessages: 2 });
    expect(redrive(world, {})).toEqual({ done: 2, remaining: 3 });
  });

  test("die again with the same origin", () => {
    const world = build({ journal });
    const origin = page(world, 0, 1).messages[0]?.attributes.origin;
    redrive(world, {});
    const consumer = new FakeConsumer(world, "q");
    answered(world);
    consumer.settle("1", { verb: "reject" });
    answered(world);
    expect(page(world, 0, 1).messages).toMatchObject([{ attributes: { origin, originTopic: "a/b" } }]);
  });
});

test("what dies again while a redrive goes on is not sent back by it once more", () => {
  const world = build({ journal: { cachedFrames: 1 } });
  const consumer = new FakeConsumer(world, "q");
  let rejected = 0;
  consumer.onTaken = ({ payload }) => {
    rejected++;
    consumer.settle(payload, { verb: "reject" });
  };
  expect(redrive(world, {})).toEqual({ done: 5, remaining: 0 });
  for (let turn = 0; turn < 20; turn++) answered(world);
  expect(rejected).toBe(5);
  expect(world.journal.fetchesWaiting).toBe(0);
  expect(deadOf(world, "q")).toHaveLength(5);
});
