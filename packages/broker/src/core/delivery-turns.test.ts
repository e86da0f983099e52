import { expect, test } from "vitest";
import { DeliveryTurns } from "./delivery-turns.ts";
import { World } from "./world.test-data.ts";

test("a session has its share of a turn, then others have theirs, and everybody comes to an end", () => {
  const world = new World();
  const [one, two] = ["one", "two"].map((name) => {
    world.connected(name);
    const session = [...world.machine.state.sessionsByNumber.values()].find(({ clientId }) => clientId === name);
    if (session === undefined) throw new Error("no session");
    return session;
  });
  if (one === undefined || two === undefined) throw new Error("no sessions");
  const deferred: (() => void)[] = [];
  const left = new Map([
    [one, 5_000],
    [two, 300],
  ]);
  const order: string[] = [];
  const deliver = (session: typeof one): void => {
    if (!turns.begin(session)) return;
    while ((left.get(session) ?? 0) > 0 && turns.take(session)) {
      left.set(session, (left.get(session) ?? 0) - 1);
      if (order.at(-1) !== session.clientId) order.push(session.clientId);
    }
  };
  const turns: DeliveryTurns = new DeliveryTurns((run) => deferred.push(run), deliver);
  deliver(one);
  deliver(two);
  let rounds = 0;
  let most = 0;
  for (; deferred.length > 0; rounds++) {
    const before = (left.get(one) ?? 0) + (left.get(two) ?? 0);
    for (const run of deferred.splice(0)) run();
    most = Math.max(most, before - (left.get(one) ?? 0) - (left.get(two) ?? 0));
  }
  expect([...left.values()]).toEqual([0, 0]);
  expect(order.slice(0, 4)).toEqual(["one", "two", "one", "two"]);
  expect(most).toBeLessThanOrEqual(1_024);
  expect(rounds).toBeGreaterThan(4_000 / 1_024);
});

test("a reader with thousands of messages waiting gets them all, in order, and keeps nobody from its one", () => {
  const world = new World();
  const reader = world.connected("reader", { expiry: 60 });
  reader.subscribe("a/#");
  const other = world.connected("other", { expiry: 60 });
  other.subscribe("b");
  world.commit();
  reader.cut();
  other.cut();
  const publisher = world.connected("publisher");
  for (let index = 0; index < 3_000; index++) publisher.publish("a/b", `m${index}`);
  publisher.publish("b", "mine");
  world.commit();
  const readerAgain = world.connect("reader", { expiry: 60 });
  const otherAgain = world.connect("other", { expiry: 60 });
  world.journal.commitNow();
  // Without a turn of the loop between them.
  expect(otherAgain.link.payloads).toEqual(["mine"]);
  expect(readerAgain.link.payloads.length).toBeLessThan(1_024);
  world.commit();
  expect(readerAgain.link.payloads).toEqual(Array.from({ length: 3_000 }, (_, index) => `m${index}`));
});
