// LESSONS 18, Mosquitto CVE-2021-41039. Elsewhere thousands of user properties were looked through once for each of
// them, and one packet held the broker for minutes. Here they are refused by their count, and the work grows no faster
// than the packet.
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import * as build from "../support/packets.ts";
import { atEachDoor, useField } from "./support.ts";

const field = useField();

/** Milliseconds of processor time; the kernel counts in hundredths of a second. */
function busyMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

const properties = (count: number): Buffer =>
  Buffer.concat(Array.from({ length: count }, () => Buffer.from([0x26, 0, 1, 0x6b, 0, 1, 0x76])));

atEachDoor(field, "1,000, 10,000 and 60,000 user properties", async (arena, door) => {
  const owner = await arena.principal();
  const { pid } = arena.server;
  for (const count of [1_000, 10_000, 60_000]) {
    const client = await arena.connect(owner, {}, door);
    const before = busyMs(pid);
    const section = properties(count);
    client.send(build.publish({ topic: owner.topic("x"), payload: "x", qos: 1, properties: section }));
    const answer = await client.take(({ name }) => name === "PUBACK" || name === "DISCONNECT");
    expect(answer.code, `${count}`).toBeGreaterThanOrEqual(0x80);
    expect(busyMs(pid) - before, `${count} take the processor`).toBeLessThan(500);
    client.stream.destroy();
  }
  const section = properties(1_000);
  const will = { topic: owner.topic("will"), payload: "x", properties: section };
  for (const fields of [{ will }, { properties: section }]) {
    const { connack } = await arena.attempt(owner, fields, door);
    expect(connack?.code ?? 0x80, `1,000 in ${Object.keys(fields).join()}`).toBeGreaterThanOrEqual(0x80);
  }
});
