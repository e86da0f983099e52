// LESSONS 17, Mosquitto 2.0.12. Elsewhere a QoS 2 message that waited for its PUBREL was given out after a reconnect
// although its author had lost the right meanwhile. Here the right is asked for again at PUBREL.
import { expect } from "vitest";
import { nothingComes } from "../../attacks/support/moves.ts";
import { unique } from "../support/names.ts";
import * as build from "../support/packets.ts";
import { atEachDoor, useField } from "./support.ts";

const field = useField();

atEachDoor(field, "PUBREL after a reconnect releases nothing without the right", async (arena, door) => {
  const watcher = await arena.connect(await arena.principal("everything"));
  watcher.autoAck = true;
  for (const version of [4, 5] as const) {
    const name = unique("p");
    const topic = `${name}/x`;
    await watcher.subscribe({ filter: topic, qos: 2 });
    const author = await arena.principalWith({ allow: [{ publish: topic }] }, name);
    const properties = version === 5 ? { properties: { sessionExpiryInterval: 600 } } : {};
    const session = { version, clientId: unique("s"), cleanStart: false, ...properties };
    const first = await arena.connect(author, session, door);
    first.send(build.publish({ version, topic, payload: "held", qos: 2, id: 5 }));
    await first.take({ name: "PUBREC", id: 5 });
    await first.drop();
    await arena.setRights(name, { allow: [] });
    const { client, connack } = await arena.attempt(author, session, door);
    if (connack?.code !== 0) continue;
    client.send(build.ack("PUBREL", 5));
    const pubcomp = await client.take("PUBCOMP").catch(() => undefined);
    if (version === 5 && pubcomp !== undefined) expect([0, 0x92]).toContain(pubcomp.code);
    await nothingComes(watcher, "the message of a revoked author is released");
  }
});
