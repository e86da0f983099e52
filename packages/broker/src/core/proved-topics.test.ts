import { expect, it } from "vitest";
import { World } from "./world.test-data.ts";

it("has the frames of messages proved whose topic asks for it, QoS 2 when it is released", () => {
  const world = new World();
  world.machine.topics.declare("admin", "p/#", { proofs: "message" });
  world.machine.topics.declare("admin", "p/not", {});
  world.commit();
  const client = world.connected("c");
  const { journal } = world;
  const provedBy = (act: () => void): boolean => {
    const before = journal.proved.size;
    act();
    const proved = journal.proved.size > before;
    if (proved) expect([...journal.proved].at(-1)).toBe(journal.lastSeq);
    world.commit();
    return proved;
  };
  expect(provedBy(() => client.publish("p/a", "m", { qos: 1 }))).toBe(true);
  expect(provedBy(() => client.publish("p/not", "m", { qos: 1 }))).toBe(false);
  expect(provedBy(() => client.publish("q", "m", { qos: 1 }))).toBe(false);
  expect(provedBy(() => client.publish("p/b", "m", { qos: 2, packetId: 7 }))).toBe(false);
  expect(provedBy(() => world.machine.release(client.handle, 7))).toBe(true);
});
