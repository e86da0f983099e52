// LESSONS 7, Mosquitto CVE-2018-12546. Elsewhere a retained message went on speaking for an author whose right had been
// taken away. Here it goes with the right, and does not come back with it.
import { expect } from "vitest";
import { nothingComes } from "../../attacks/support/moves.ts";
import { unique } from "../support/names.ts";
import { atEachDoor, useField } from "./support.ts";

const field = useField();

atEachDoor(field, "a retained message goes with its author's right", async (arena, door) => {
  const watcher = await arena.principal("everything");
  for (const version of [4, 5] as const) {
    const name = unique("p");
    const topic = `${name}/state`;
    const full = { allow: [{ publish: `${name}/#`, retain: `${name}/#` }] };
    const author = await arena.connect(await arena.principalWith(full, name), { version }, door);
    await author.publish({ topic, payload: "planted", qos: 1, retain: true });
    const first = await arena.connect(watcher, { version }, door);
    await first.subscribe(topic);
    expect((await first.message()).payload.toString()).toBe("planted");
    await arena.setRights(name, { allow: [{ publish: `${name}/#` }] });
    const second = await arena.connect(watcher, { version }, door);
    await second.subscribe(topic);
    await nothingComes(second, "the message of a revoked author is given out");
    await arena.setRights(name, full);
    const third = await arena.connect(watcher, { version }, door);
    await third.subscribe(topic);
    await nothingComes(third, "the message came back with the right");
  }
});
