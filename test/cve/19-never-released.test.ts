// LESSONS 19, Mosquitto CVE-2023-28366. Elsewhere QoS 2 messages that were sent again and again under one id, and never
// released, were all kept. Here one id holds one message, and more ids than the Receive Maximum end the connection.
import { expect } from "vitest";
import { nothingComes } from "../../attacks/support/moves.ts";
import * as build from "../support/packets.ts";
import { atEachDoor, useField } from "./support.ts";

const field = useField();

atEachDoor(field, "the same id again and again, and every id once", async (arena, door) => {
  const owner = await arena.principal();
  const watcher = await arena.connect(owner);
  await watcher.subscribe({ filter: owner.topic("x"), qos: 0 });
  const seen = await arena.observe();
  const again = await arena.connect(owner, {}, door);
  const payload = Buffer.alloc(4_096, 0x78);
  const one = build.publish({ topic: owner.topic("x"), payload, qos: 2, id: 9, dup: true });
  for (let round = 0; round < 10; round += 1) {
    again.send(...Array.from({ length: 100 }, () => one));
    await again.ping();
  }
  expect(again.waiting("PUBREC").length).toBe(1_000);
  await nothingComes(watcher, "what was not released goes out", 50);
  again.send(build.ack("PUBREL", 9));
  await again.take("PUBCOMP");
  await watcher.message();
  await nothingComes(watcher, "duplicates go out", 50);
  const many = await arena.connect(owner, {}, door);
  const most = (many.connack?.properties["receiveMaximum"] as number | undefined) ?? 65_535;
  expect(most).toBeLessThanOrEqual(1_000);
  const ids = Array.from({ length: most + 1 }, (_, index) => index + 1);
  many.send(...ids.map((id) => build.publish({ topic: owner.topic("x"), payload: "x", qos: 2, id })));
  await many.refused([0x93]);
  expect(seen.memoryGrowth()).toBeLessThan(64);
});
