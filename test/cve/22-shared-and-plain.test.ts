// LESSONS 22, Mosquitto. Elsewhere UNSUBSCRIBE of `t` took away `$share/g/t`, or the other way round, and a SUBSCRIBE
// made for it leaked. Here every form is a subscription of its own: only the same form takes it away.
import { expect } from "vitest";
import { nothingComes } from "../../attacks/support/moves.ts";
import { unique } from "../support/names.ts";
import { atEachDoor, useField } from "./support.ts";

const field = useField();

const forms = (name: string): readonly string[] => [
  `${name}/x`,
  `$share/g/${name}/x`,
  `$share/h/${name}/x`,
  `${name}/+`,
  `$share/g/${name}/+`,
  `${name}/#`,
];

atEachDoor(field, "each form of a subscription against each form of its end", async (arena, door) => {
  const everybody = await arena.principal("everything");
  const sender = await arena.connect(everybody);
  const client = await arena.connect(everybody, {}, door);
  for (const made of forms("n").keys()) {
    for (const ended of forms("n").keys()) {
      const name = unique("t");
      const [filter = "", other = ""] = [forms(name)[made], forms(name)[ended]];
      await client.subscribe(filter);
      const { codes } = await client.unsubscribe(other);
      expect(codes, `${other} ends ${filter}`).toEqual([made === ended ? 0 : 0x11]);
      await sender.publish({ topic: `${name}/x`, payload: filter, qos: 1 });
      if (made === ended) await nothingComes(client, `${filter} goes on`, 20);
      else expect((await client.message()).payload.toString()).toBe(filter);
    }
  }
});
