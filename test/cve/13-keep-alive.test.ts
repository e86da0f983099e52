// LESSONS 13, CVE-2020-13849. Elsewhere a keep alive of 0 or of 18 hours held connections whose client was long dead,
// until no descriptor was left. Here 5.0 is told a keep alive of the server's, and a silent peer is gone at one and a
// half of it.
import { expect, it } from "vitest";
import { sleep } from "../support/names.ts";
import { atEachDoor, useField } from "./support.ts";

// a bystander would be silent too
const field = useField({ env: { MESS_LIMITS__KEEP_ALIVE_SECONDS_MAX: "1s" } }, { isWatched: false });

atEachDoor(field, "a silent client is gone, whatever keep alive it asked for", async (arena, door) => {
  const owner = await arena.principal();
  const silent = [];
  for (const keepAlive of [0, 2, 65_535]) {
    const client = await arena.connect(owner, { keepAlive }, door);
    expect(client.connack?.properties["serverKeepAlive"], `asked for ${keepAlive}`).toBe(1);
    silent.push(client);
  }
  silent.push(await arena.connect(owner, { keepAlive: 1, version: 4 }, door));
  const halfOpen = await arena.connect(owner, { keepAlive: 1 }, door);
  halfOpen.stream.socket.pause();
  await sleep(100);
  for (const client of silent) await client.closed(5_000);
  halfOpen.stream.socket.resume();
  await halfOpen.closed(5_000);
});

// 3.1.1 has no way to tell a client another keep alive, and the server keeps to what was asked for: 0 is never.
it.each([0, 65_535])(
  "a silent client of 3.1.1 that asked for %i is gone at the most that is allowed",
  async (keepAlive) => {
    const { arena } = field;
    const client = await arena.connect(await arena.principal(), { keepAlive, version: 4 });
    await client.closed(2_500);
  },
);
