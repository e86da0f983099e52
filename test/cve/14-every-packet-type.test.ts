// LESSONS 14, Mosquitto CVE-2021-28166. Elsewhere a client that sent CONNACK, a packet for servers alone, brought the
// process down. Here each of the 16 types has its answer before CONNECT and after it, and none is a crash.
import { expect } from "vitest";
import { u8, u16 } from "../support/bytes.ts";
import * as build from "../support/packets.ts";
import { atEachDoor, useField } from "./support.ts";

const field = useField();

/** Types a client may send once it is connected, with bodies that make them right. */
const allowed = new Set<number>([3, 4, 5, 6, 7, 8, 10, 12, 14]);

const bodies: readonly Buffer[] = [Buffer.alloc(0), Buffer.from([0, 0]), Buffer.concat([u16(1), u8(0), u8(0)])];

atEachDoor(field, "all types in both versions, before CONNECT and after it", async (arena, door) => {
  const owner = await arena.principal();
  for (const version of [4, 5] as const) {
    for (let type = 0; type < 16; type += 1) {
      const flags = type === 6 || type === 8 || type === 10 ? 2 : 0;
      const body = bodies[type % bodies.length] as Buffer;
      if (type !== 1) {
        const early = await arena.open(door, version);
        early.send(build.packet(type, flags, body));
        const { packets } = await early.closed();
        expect(
          packets.filter(({ code }) => code < 0x80 && version === 5),
          `type ${type} first`,
        ).toEqual([]);
      }
      const late = await arena.connect(owner, { version }, door);
      if (allowed.has(type)) late.send(build.packet(type, flags, body));
      else late.send(type === 1 ? build.connect({ version, ...owner.credentials }) : build.packet(type, flags, body));
      if (allowed.has(type)) {
        late.stream.destroy();
        continue;
      }
      await late.refused([0x81, 0x82]);
    }
  }
});
