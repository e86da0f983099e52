// LESSONS 23, NATS CVE-2026-33215. Elsewhere whoever knew a client id took over the session, and the messages, of
// somebody else. Here a session belongs to a principal and a client id together.
import { expect } from "vitest";
import { nothingComes } from "../../attacks/support/moves.ts";
import { unique } from "../support/names.ts";
import { atEachDoor, useField } from "./support.ts";

const field = useField();

atEachDoor(field, "the session of another by its client id", async (arena, door) => {
  const owner = await arena.principal();
  const sender = await arena.connect(owner);
  for (const version of [4, 5] as const) {
    for (const cleanStart of [false, true]) {
      const expiry = version === 5 ? { properties: { sessionExpiryInterval: 600 } } : {};
      const session = { version, clientId: unique("victim"), cleanStart: false, ...expiry };
      const away = await arena.connect(owner, session, door);
      await away.subscribe({ filter: owner.topic("inbox"), qos: 1 });
      await away.drop();
      await sender.publish({ topic: owner.topic("inbox"), payload: "letter", qos: 1 });
      for (const who of [await arena.principal(), await arena.principal("everything")]) {
        const thief = await arena.attempt(who, { ...session, cleanStart }, door);
        expect(thief.connack?.sessionPresent ?? false).toBe(false);
        await nothingComes(thief.client, "the stranger reads what waits for another", 100);
      }
      const back = await arena.connect(owner, session, door);
      expect(back.connack?.sessionPresent).toBe(true);
      expect((await back.message()).payload.toString()).toBe("letter");
      await back.drop();
    }
  }
});
