/** Connects as fast as this side can, from one address and from many, and says nothing. */
import type { Socket } from "node:net";
import type { Arena } from "./arena.ts";
import { residentBytes } from "./resident-memory.ts";
import { check, type Findings, inParallel, type Row, type Scale, sleep } from "./row.ts";
import { loopback, openSocket } from "./sockets.ts";

const perSocketBytesMax = 12 * 1_024;

async function fromOneAddress(arena: Arena, milliseconds: number): Promise<number> {
  const deadline = performance.now() + milliseconds;
  let opened = 0;
  await inParallel(64, 64, async () => {
    while (performance.now() < deadline) {
      const socket = await openSocket(arena.server.mqtt, loopback(0));
      if (socket !== undefined) opened += 1;
      socket?.destroy();
    }
  });
  return opened;
}

async function run(arena: Arena, scale: Scale): Promise<Findings> {
  const [milliseconds, count, addresses] = scale === "full" ? [30_000, 5_000, 500] : [1_500, 400, 40];
  const before = residentBytes(arena.server.pid);
  const sockets: Socket[] = [];
  await inParallel(count, 100, async (index) => {
    const socket = await openSocket(arena.server.mqtt, loopback(1 + (index % addresses)));
    if (socket !== undefined) sockets.push(socket);
  });
  // An open connection is not accepted yet, as far as the kernel is concerned.
  await sleep(1_000);
  const open = sockets.filter((socket) => !socket.destroyed).length;
  const perSocket = (residentBytes(arena.server.pid) - before) / count;
  for (const socket of sockets) socket.destroy();
  const opened = await fromOneAddress(arena, milliseconds);
  const rate = Math.round(opened / (milliseconds / 1_000));
  const refused = await arena.limitHits("connectsPerAddressPerSecond");
  return {
    load: `${count} sockets from ${addresses} addresses; then ${rate} connects/s from one for ${milliseconds / 1_000} s`,
    checks: [
      check("one address is refused before TLS", refused > 0, `${refused} of ${opened} refused`),
      check(
        "an idle socket takes 12 KiB at most",
        perSocket <= perSocketBytesMax,
        `${Math.round(perSocket)} bytes, ${open} open`,
      ),
    ],
  };
}

export const connectionFlood: Row = {
  id: "01",
  title: "connection flood",
  expected: "refused per address before TLS; an idle socket takes at most 12 KiB",
  options: {},
  smokeOptions: { limits: { connectsPerAddressPerSecond: 20 } },
  run,
};
