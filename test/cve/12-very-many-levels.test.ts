// LESSONS 12, Mosquitto CVE-2019-11779, aedes GHSA-xxqp-5qx8-gj5q. Elsewhere a topic of some hundred levels overflowed
// a stack, or threw where nobody caught it; one broker acknowledged it first. Here 64 levels are a topic, 65 are a
// refusal, and what is refused was not acknowledged.
import { expect } from "vitest";
import { unique } from "../support/names.ts";
import * as build from "../support/packets.ts";
import { atEachDoor, useField } from "./support.ts";

const field = useField();

const deep = (name: string, levels: number): string => `${name}${"/".repeat(levels - 1)}`;
const tooDeep = [65, 101, 201, 65_500];

atEachDoor(field, "topics of 65 levels and more", async (arena, door) => {
  const everybody = await arena.principal("everything");
  const name = unique("t");
  const fine = await arena.connect(everybody, {}, door);
  expect((await fine.subscribe(deep(name, 64), { refusable: true })).codes).toEqual([0]);
  expect((await fine.publish({ topic: deep(name, 64), payload: "x", qos: 1 }))?.code).toBeLessThan(0x80);
  for (const version of [4, 5] as const) {
    for (const levels of tooDeep) {
      const topic = deep(name, levels);
      const packets = [
        build.publish({ version, topic, payload: "x", qos: 1, id: 7 }),
        build.publish({ version, topic, payload: "x", qos: 2, id: 7, retain: true }),
        build.subscribe({ version, filters: [topic] }),
        build.subscribe({ version, filters: [`$share/g/${topic}`] }),
        build.unsubscribe({ version, filters: [topic] }),
      ];
      for (const bytes of packets) {
        const client = await arena.connect(everybody, { version }, door);
        client.send(bytes, build.pingreq());
        const answer = await client.take(({ name }) => name !== "PINGRESP").catch(() => undefined);
        const codes = [answer?.code ?? 0, ...(answer?.codes ?? [])];
        // closed, or refused by a code; UNSUBACK 0x11 says that there was none
        if (version === 5) expect(Math.max(...codes), `${levels} levels`).toBeGreaterThanOrEqual(0x11);
        else expect(["PUBACK", "PUBREC"], `${levels} levels`).not.toContain(answer?.name);
        client.stream.destroy();
      }
    }
    const will = { topic: deep(name, 101), payload: "x" };
    expect((await arena.attempt(everybody, { version, will }, door)).connack?.code).not.toBe(0);
  }
  const path = `/v1/messages?topic=${encodeURIComponent(deep(name, 201))}`;
  expect((await arena.ask(everybody, path, { method: "POST", body: "x" })).status).toBe(400);
});
