// LESSONS 33, NATS 2026-16 and 2026-24. Elsewhere somebody whose first packet was not CONNECT got the rights of a default
// user. Here nothing counts before an accepted CONNECT, not even what came in the same segment as a refused one.
import { expect } from "vitest";
import { nothingComes } from "../../attacks/support/moves.ts";
import { unique } from "../support/names.ts";
import * as build from "../support/packets.ts";
import { atEachDoor, useField } from "./support.ts";

const field = useField();

atEachDoor(field, "packets before login, and behind a refused one", async (arena, door) => {
  const everybody = await arena.principal("everything");
  const watcher = await arena.connect(everybody);
  await watcher.subscribe("#");
  for (const version of [4, 5] as const) {
    const topic = unique("t");
    const effects = [
      build.publish({ version, topic, payload: "x", retain: true }),
      build.publish({ version, topic, payload: "x", qos: 1 }),
      build.publish({ version, topic, payload: "x", qos: 2, id: 2 }),
      build.ack("PUBREL", 2),
      build.subscribe({ version, filters: ["#"] }),
    ];
    for (const first of [...effects, build.pingreq(), build.auth(0x18)]) {
      const client = await arena.open(door, version);
      client.send(first, ...effects);
      const { packets } = await client.closed();
      expect(packets.filter(({ name }) => name !== "DISCONNECT" && name !== "CONNACK")).toEqual([]);
    }
    const wrong = [
      { username: everybody.id, password: "wrong" },
      { username: "nobody", password: "x" },
      { clientId: "c".repeat(200), ...everybody.credentials },
      {},
    ];
    for (const fields of wrong) {
      const client = await arena.open(door, version);
      client.send(build.connect({ version, clientId: unique("c"), ...fields }), ...effects);
      const { packets } = await client.closed();
      const codes = packets.map(({ name, code }) => [name, code > 0]);
      expect(codes).toEqual([["CONNACK", true]]);
    }
  }
  await nothingComes(watcher, "a packet before login has an effect");
  const late = await arena.connect(everybody);
  await late.subscribe("#");
  await nothingComes(late, "a packet before login was retained", 150);
});
