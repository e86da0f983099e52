// After `mess repair`: records in the middle are lost, and stand there as such. The broker starts, and serves what is left.
import fc from "fast-check";
import { expect, it } from "vitest";
import { LOST_KIND } from "../model/record.ts";
import { DomainSurvey } from "../storage/repair-domains.ts";
import { declare, FakeConsumer } from "./fake-consumer.test-data.ts";
import { World } from "./world.test-data.ts";

/** A little of everything, with what waits for a session, a shared subscription and a declared one. */
function lived(withSnapshot: boolean): World {
  const world = new World({ limits: { segmentBytes: 1_000 } });
  world.machine.topics.declare("admin", "a/#", { erasure: "key", retention: { ageMs: 10_000 } });
  declare(world, "q", { filters: ["a/#"], maxDeliveries: 2, ordering: "key" });
  const reader = world.connected("reader", {
    expiry: 1_000,
    will: { topic: "a/will", payload: Buffer.from("the will") },
  });
  reader.subscribe("a/#", { qos: 2 });
  const member = world.connected("member", { expiry: 1_000 });
  member.subscribe("$share/g/a/#");
  world.commit();
  const writer = world.connected("writer", { expiry: 1_000 });
  const publish = (number: number): void => {
    const attributes = {
      key: `k${number % 3}`,
      id: `id ${number}`,
      ...(number % 5 === 4 && { deliverAt: world.clock.wall + 50 }),
    };
    writer.publish(`a/${number % 4}`, `message ${number}`, { attributes, retain: number % 4 === 0 });
    world.commit();
  };
  for (let i = 0; i < 8; i++) publish(i);
  writer.publish("a/1", "held", { qos: 2, packetId: 77 });
  const consumer = new FakeConsumer(world, "q", { messages: 3 });
  world.commit();
  consumer.settle(consumer.payloads[0] ?? "", { verb: "ack" });
  consumer.settle(consumer.payloads[1] ?? "", { verb: "reject", reason: "no" });
  for (const { packetId } of [...reader.link.delivered].slice(0, 2)) reader.ack(packetId, 2);
  world.commit();
  world.machine.erasing.erase("admin", { filter: "a/#", key: "k1" }, () => undefined);
  world.commit();
  if (withSnapshot) world.snapshot();
  reader.cut();
  member.cut();
  consumer.leave();
  for (let i = 8; i < 16; i++) publish(i);
  world.wait(100);
  return world;
}

/** As a repair does it. */
function repairDomains({ journal }: World): void {
  const survey = new DomainSurvey();
  for (const frame of journal.frames) survey.take(frame);
  for (const { kind, body } of survey.records((domain) => journal.domains.has(domain))) {
    const at = journal.reserve(kind, body.length);
    body.copy(journal.openBytes, at);
  }
  journal.commitNow();
}

it("whatever is lost", () => {
  fc.assert(
    fc.property(fc.boolean(), fc.array(fc.nat(400), { minLength: 1, maxLength: 60 }), (withSnapshot, lost) => {
      const world = lived(withSnapshot);
      const { frames, snapshotSeq } = world.journal;
      const last = world.journal.durableSeq;
      const all = new Set(lost.map((number) => (number % last) + 1));
      for (const frame of frames) {
        for (let i = 0; i < frame.count; i++) {
          const kind = frame.kinds[i] as number;
          // A snapshot that is not whole is not used.
          if (all.has(frame.firstSeq + i) && !(kind >= 20 && kind <= 22)) frame.kinds[i] = LOST_KIND;
        }
      }
      repairDomains(world);
      world.restart(snapshotSeq);
      world.machine.tidy();
      world.commit();
      const reader = world.connected("reader", { expiry: 1_000 });
      reader.subscribe("a/#", { qos: 2 });
      const member = world.connected("member", { expiry: 1_000 });
      member.subscribe("$share/g/a/#");
      world.wait(60_000);
      for (const { packetId, qos } of reader.link.delivered.splice(0))
        if (qos > 0) reader.ack(packetId, qos === 2 ? 2 : 1);
      for (const { packetId, qos } of member.link.delivered.splice(0))
        if (qos > 0) member.ack(packetId, qos === 2 ? 2 : 1);
      world.commit();
      if (!world.machine.state.queues.has("q")) declare(world, "q", { filters: ["a/#"] });
      const consumer = new FakeConsumer(world, "q");
      world.commit();
      const strange = consumer.payloads.filter((payload) => !/^(message \d+|held|the will)$/u.test(payload));
      expect(strange).toEqual([]);
      for (const payload of consumer.payloads) consumer.settle(payload);
      world.commit();
      world.connected("writer2").publish("a/1", "new", { attributes: { key: "fresh" } });
      world.commit();
      expect(reader.link.payloads).toContain("new");
      expect(consumer.payloads).toContain("new");
      world.snapshot();
      world.restart();
    }),
    { numRuns: 300 },
  );
});
