// LESSONS 15, Mosquitto CVE-2021-34432. Elsewhere a PUBLISH whose topic was empty crashed the broker. Here an empty
// topic is refused, and stands for another only by an alias that was set before.
import { expect } from "vitest";
import * as build from "../support/packets.ts";
import { atEachDoor, useField } from "./support.ts";

const field = useField();

atEachDoor(field, "an empty topic, with an alias and without", async (arena, door) => {
  const owner = await arena.principal();
  const wrong: readonly (readonly [4 | 5, build.PropertiesInput])[] = [
    [4, {}],
    [5, {}],
    [5, { topicAlias: 1 }],
    [5, { topicAlias: 0 }],
    [5, { topicAlias: 65_535 }],
  ];
  for (const [version, properties] of wrong) {
    for (const qos of [0, 1, 2]) {
      for (const retain of [false, true]) {
        const client = await arena.connect(owner, { version }, door);
        client.send(build.publish({ version, topic: "", payload: "x", qos, retain, properties }));
        const last = await client.refused([0x82, 0x90, 0x94, 0x81]);
        expect(last === undefined || version === 5).toBe(true);
      }
    }
  }
  const right = await arena.connect(owner, {}, door);
  await right.publish({ topic: owner.topic("x"), payload: "x", qos: 1, properties: { topicAlias: 1 } });
  const again = await right.publish({ topic: "", payload: "x", qos: 1, properties: { topicAlias: 1 } });
  expect(again?.code).toBeLessThan(0x80);
});
