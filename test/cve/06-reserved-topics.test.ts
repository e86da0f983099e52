// LESSONS 6, Mosquitto CVE-2018-12543. Elsewhere a PUBLISH to a topic that began with `$` and was no tree the broker
// knew hit an assertion, and the process ended. Here a topic below `$` is refused with a reason, or is a topic.
import { expect } from "vitest";
import * as build from "../support/packets.ts";
import { atEachDoor, useField } from "./support.ts";

const field = useField();

const topics = [
  "$",
  "$/",
  "$x",
  "$x/y",
  "$SYS",
  "$SYSx",
  "$SYS/",
  "$share",
  "$share/",
  "$share/g",
  "$mess",
  "$messx",
  "$$",
];

atEachDoor(field, "topics that begin with $ are published, subscribed and willed", async (arena, door) => {
  const everybody = await arena.principal("everything");
  for (const topic of topics) {
    for (const version of [4, 5] as const) {
      for (const retain of [false, true]) {
        const client = await arena.connect(everybody, { version }, door);
        const answer = await client.publish({ topic, payload: "x", qos: 1, retain }).catch(() => undefined);
        if (answer === undefined) await client.closed();
        else if (version === 5) expect(answer.code, `PUBLISH ${topic}`).toBeGreaterThanOrEqual(0x80);
      }
      const reader = await arena.connect(everybody, { version }, door);
      reader.send(build.subscribe({ version, filters: [topic, `${topic}/#`] }));
      const suback = await reader.take("SUBACK").catch(() => undefined);
      if (suback === undefined) await reader.closed();
      const willed = await arena.attempt(everybody, { version, will: { topic, payload: "x" } }, door);
      expect(willed.connack?.code, `will on ${topic}`).not.toBe(0);
    }
  }
});
