// LESSONS 16, Mosquitto CVE-2021-34434. Elsewhere a subscription of a lasting session went on after the right to it was
// taken away. Here the right is asked for at each delivery, so the session may stay and gets nothing.
import { expect } from "vitest";
import { nothingComes } from "../../attacks/support/moves.ts";
import { unique } from "../support/names.ts";
import { atEachDoor, useField } from "./support.ts";

const field = useField();

atEachDoor(field, "a lasting subscription ends with its right", async (arena, door) => {
  const sender = await arena.connect(await arena.principal("everything"));
  for (const version of [4, 5] as const) {
    const name = unique("p");
    const topic = `shared-${name}/x`;
    const who = await arena.principalWith({ allow: [{ subscribe: topic }] }, name);
    const properties = version === 5 ? { properties: { sessionExpiryInterval: 600 } } : {};
    const session = { version, clientId: unique("s"), cleanStart: false, ...properties };
    const first = await arena.connect(who, session, door);
    await first.subscribe({ filter: topic, qos: 1 });
    await first.drop();
    await sender.publish({ topic, payload: "while it was away", qos: 1 });
    await arena.setRights(name, { allow: [] });
    const { client, connack } = await arena.attempt(who, session, door);
    if (connack?.code !== 0) continue;
    await sender.publish({ topic, payload: "after", qos: 1 });
    await nothingComes(client, "the subscription outlives its right");
    const { codes } = await client.subscribe({ filter: topic, qos: 1 }, { refusable: true });
    expect(codes[0]).toBeGreaterThanOrEqual(0x80);
    await sender.publish({ topic, payload: "again", qos: 1 });
    await nothingComes(client, "a refused subscription is one");
  }
});
