// LESSONS 20, Mosquitto CVE-2023-3592. Elsewhere a will with a property that has no place in a will was refused, and
// what had been read of it was never freed. Here each id of a property is tried in a will and in packets, is refused
// where it does not belong, and nothing of it stays.
import { expect } from "vitest";
import { unique } from "../support/names.ts";
import * as build from "../support/packets.ts";
import { atEachDoor, useField } from "./support.ts";

const field = useField();

const ids = [...Array.from({ length: 0x2c }, (_, id) => id), 0x7f, 0x80, 0xff];
/** Ids that have a place in what a client sends. */
const known: Readonly<Record<"WILL" | "PUBLISH" | "DISCONNECT", readonly number[]>> = {
  WILL: [0x01, 0x02, 0x03, 0x08, 0x09, 0x18, 0x26],
  PUBLISH: [0x01, 0x02, 0x03, 0x08, 0x09, 0x23, 0x26],
  DISCONNECT: [0x11, 0x1f, 0x26],
};
const isKnown = (id: number, place: keyof typeof known): boolean => known[place].includes(id);

atEachDoor(field, "every property where it has no place", async (arena, door) => {
  const owner = await arena.principal();
  const seen = await arena.observe();
  for (const id of ids) {
    const section: [number, Buffer][] = [[id, Buffer.from([0, 1, 0x61, 0, 1, 0x61])]];
    if (!isKnown(id, "WILL")) {
      const will = { topic: owner.topic("w"), payload: "x", properties: section };
      const { connack, client } = await arena.attempt(owner, { clientId: unique("c"), will }, door);
      expect([0x81, 0x82], `id ${id} in a will`).toContain(connack?.code);
      client.stream.destroy();
    }
    if (id % 4 !== 0 || isKnown(id, "PUBLISH")) continue;
    const packets = [
      build.publish({ topic: owner.topic("x"), payload: "x", qos: 1, properties: section }),
      build.disconnect(0, section),
    ];
    for (const bytes of isKnown(id, "DISCONNECT") ? packets.slice(0, 1) : packets) {
      const client = await arena.connect(owner, {}, door);
      client.send(bytes);
      await client.refused([0x81, 0x82]);
    }
  }
  expect(seen.memoryGrowth()).toBeLessThan(48);
});
