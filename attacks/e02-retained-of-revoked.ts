import { unique } from "../test/support/names.ts";
import type { Arena } from "./support/arena.ts";
import { attack, lacks } from "./support/attack.ts";
import { nothingComes } from "./support/moves.ts";

export const e02 = attack({
  id: "E2",
  title: "Retained messages of a revoked author",
  threat: "Somebody whose right was taken away goes on speaking by the last value they left.",
  mitigation:
    "The author is kept with a retained message; when it loses `publish` or `retain` there, the message is gone for good.",
  ways: ["tcp-tls"],
  steps: [
    {
      name: "a last value whose author may not publish or retain there any more",
      run: left,
      elsewhere: lacks("there are no rights by default, and no author is kept"),
    },
  ],
});

async function left(arena: Arena): Promise<void> {
  const watcher = await arena.principal("everything");
  for (const remaining of [{ publish: "#" }, { retain: "#" }]) {
    const name = unique("p");
    const topic = `${name}/state`;
    const author = await arena.principalWith({ allow: [{ publish: "#", retain: "#" }] }, name);
    const client = await arena.connect(author);
    await client.publish({ topic, payload: "of somebody who may not", qos: 1, retain: true });
    await arena.setRights(name, { allow: [remaining as { publish: string }] });
    for (const door of arena.doors) {
      const reader = await arena.connect(watcher, {}, door);
      await reader.subscribe(topic);
      await nothingComes(reader, `a last value stays with nothing but ${Object.keys(remaining).join()}`);
    }
    // for good: the right given back does not bring it back
    await arena.setRights(name, { allow: [{ publish: "#", retain: "#" }] });
    const later = await arena.connect(watcher);
    await later.subscribe(topic);
    await nothingComes(later, "the last value comes back with the right");
  }
}
