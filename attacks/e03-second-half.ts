import { unique } from "../test/support/names.ts";
import * as build from "../test/support/packets.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hold, lacks } from "./support/attack.ts";
import { nothingComes } from "./support/moves.ts";

export const e03 = attack({
  id: "E3",
  title: "The second half of QoS 2 after a revocation",
  threat:
    "A right is taken away between PUBLISH and PUBREL, and the message still goes out; or a client that is away keeps what waits.",
  mitigation: "The right is asked for again at PUBREL, and at every delivery from a queue.",
  ways: ["tcp-tls", "websocket-tls"],
  steps: [
    {
      name: "PUBREL after the right to publish was taken away",
      run: releaseWithoutRight,
      elsewhere: lacks("there are no rights by default"),
    },
  ],
});

async function releaseWithoutRight(arena: Arena): Promise<void> {
  for (const version of [4, 5] as const) {
    for (const door of arena.doors) {
      const name = unique("p");
      const topic = `${name}/x`;
      const author = await arena.principalWith({ allow: [{ publish: `${name}/#` }] }, name);
      const watcher = await arena.connect(await arena.principal("everything"), {}, door);
      watcher.autoAck = true;
      await watcher.subscribe({ filter: topic, qos: 2 });
      const client = await arena.connect(author, { version }, door);
      client.send(build.publish({ version, topic, payload: "held", qos: 2, id: 5 }));
      await client.take({ name: "PUBREC", id: 5 });
      await arena.setRights(name, { allow: [] });
      if (!client.isClosed) client.send(build.ack("PUBREL", 5));
      const answer = await client.take("PUBCOMP").catch(() => undefined);
      if (version === 5 && answer !== undefined) hold(answer.code === 0x92, `PUBREL without the right: ${answer.code}`);
      await nothingComes(watcher, "a message goes out at PUBREL without the right");
    }
  }
}
