import { expect, test } from "vitest";
import { RetainedDue } from "./retained-due.ts";
import { World } from "./world.test-data.ts";

test("whoever asks the same shares a list until something is retained or cleared", () => {
  const world = new World();
  const publisher = world.connected("p");
  for (const topic of ["a/1", "a/2", "b"]) publisher.publish(topic, "kept", { retain: true });
  world.commit();
  const due = new RetainedDue(world.machine.state);
  const topics = (filter: string): string[] => due.items(filter).map(({ topic }) => topic);
  const first = due.items("a/#");
  expect(topics("a/#")).toEqual(["a/1", "a/2"]);
  expect(due.items("a/#")).toBe(first);
  expect(topics("#")).toEqual(["a/1", "a/2", "b"]);
  publisher.publish("a/3", "kept", { retain: true });
  publisher.publish("a/1", "", { retain: true });
  world.commit();
  expect(topics("a/#")).toEqual(["a/2", "a/3"]);
  expect(first.map(({ topic }) => topic)).toEqual(["a/1", "a/2"]);
});

test("lists of sessions that read nothing are counted, once each, and not for ever", () => {
  const world = new World();
  const publisher = world.connected("p");
  for (let index = 0; index < 100; index++) publisher.publish(`a/${index}`, "kept", { retain: true });
  for (const name of ["r0", "r1", "r2"]) world.connect(name, { receiveMaximum: 1 }).subscribe("none");
  world.commit();
  const { state } = world.machine;
  const due = new RetainedDue(state, 250);
  const sessions = [...state.sessionsByNumber.values()].filter(({ clientId }) => clientId.startsWith("r"));
  for (const [index, session] of sessions.entries()) {
    const entry = session.subscriptions.get("none");
    if (entry === undefined) throw new Error("no subscription");
    session.retained.push(entry, due.items("a/#"));
    session.retained.push(entry, due.items("a/#"));
    publisher.publish(`a/${index}`, "anew", { retain: true });
  }
  expect(due.isFull).toBe(true);
  sessions[0]?.retained.drop("none");
  // Counted a moment ago.
  expect(due.isFull).toBe(true);
  world.wait(1_100);
  expect(due.isFull).toBe(false);
});
