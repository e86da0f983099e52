// LESSONS 21, Mosquitto 2.0.16. Elsewhere a will could be left on a topic by which the broker itself is administered,
// and was sent with the rights of nobody. Here a will on a reserved tree is refused at CONNECT.
import { expect } from "vitest";
import { atEachDoor, useField } from "./support.ts";

const field = useField();

const reserved = [
  "$CONTROL/dynamic-security/v1",
  "$SYS/broker/uptime",
  "$mess/queue/x/ack",
  "$mess/audit",
  "$mess/policy",
  "$share/g/x",
  "$queue/x",
];

atEachDoor(field, "a will on a reserved tree", async (arena, door) => {
  for (const who of [await arena.principal("everything"), await arena.principal("admin")]) {
    for (const topic of reserved) {
      for (const retain of [false, true]) {
        const will = { topic, payload: "{}", retain };
        expect((await arena.attempt(who, { will, version: 4 }, door)).connack?.code, topic).not.toBe(0);
        const { connack } = await arena.attempt(who, { will }, door);
        expect([0x87, 0x90], topic).toContain(connack?.code);
      }
    }
  }
});
