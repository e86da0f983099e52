import { connect as connectTcp, type Socket } from "node:net";
import { sleep } from "../test/support/names.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hold } from "./support/attack.ts";
import { atEachDoor, cutOff } from "./support/moves.ts";

const memoryMb = 40;
/** The deadlines are 5 s; the rest is for a busy machine. */
const deadlineMs = 9_000;

const hugeConnect = Buffer.from("10ffffff7f00044d515454", "hex");
const halfConnect = Buffer.from("10200004", "hex");

export const a01 = attack({
  id: "A1",
  title: "Input handler: denial of service",
  threat:
    "Somebody without a credential ties up memory, descriptors or time by packets that never end, sizes that are only claimed, or connections that say nothing.",
  mitigation:
    "A budget of 16 KiB and 5 s until CONNECT is whole, a deadline for the handshake, declared sizes checked before anything is kept, limits per address and in all.",
  ways: ["tcp-tls", "websocket-tls"],
  steps: [
    atEachDoor("a CONNECT that claims 256 MiB is ended at its header", async (arena, door) => {
      const seen = await arena.observe();
      const client = await arena.open(door);
      client.send(hugeConnect);
      await cutOff(arena, client, { within: 2_000, otherwise: "a CONNECT of 256 MiB is waited for" });
      hold(seen.memoryGrowth() < memoryMb, `memory grew by ${seen.memoryGrowth()} MB for what was only claimed`);
    }),
    { name: "half a CONNECT, and silent connections, are ended in time and cost little", run: silentConnections },
  ],
});

async function silentConnections(arena: Arena): Promise<void> {
  const count = arena.full ? 4_000 : 400;
  const seen = await arena.observe();
  const halves = await Promise.all(arena.doors.map((door) => arena.open(door)));
  for (const half of halves) half.send(halfConnect);
  const sockets = await idle(arena, count);
  try {
    hold(seen.memoryGrowth() < memoryMb, `${count} idle sockets cost ${seen.memoryGrowth()} MB`);
    await arena.unharmed();
    await arena.connect(await arena.principal(), {}, { name: "tcp", endpoint: from(arena, "127.0.3.1") });
    for (const half of halves) {
      await cutOff(arena, half, { within: deadlineMs, otherwise: "half a CONNECT is waited for without end" });
    }
    const open = await stillOpen(sockets, deadlineMs);
    hold(open === 0, `${open} of ${count} silent sockets are still open`);
  } finally {
    for (const socket of sockets) socket.destroy();
  }
  if (!arena.isMess) return;
  const hits = await seen.counted('mess_limit_hits_total{limit="connectDeadlineMs"}');
  hold(hits >= halves.length, `only ${hits} deadlines are counted`);
}

/** How many are open when all are closed, or time is up. */
async function stillOpen(sockets: readonly Socket[], milliseconds: number): Promise<number> {
  const until = Date.now() + milliseconds;
  for (;;) {
    const open = sockets.filter((socket) => !socket.destroyed).length;
    if (open === 0 || Date.now() > until) return open;
    await sleep(50);
  }
}

const from = (arena: Arena, address: string): Arena["door"]["endpoint"] => ({ ...arena.door.endpoint, from: address });

/** Sockets that say nothing, from many addresses, open as far as the broker lets them. */
async function idle(arena: Arena, count: number): Promise<Socket[]> {
  const { host, port } = arena.door.endpoint;
  const opening = Array.from({ length: count }, (_, index) => {
    const localAddress = `127.0.2.${1 + (index % 200)}`;
    const socket = connectTcp({ host, port, localAddress });
    // a broker that closes at once has answered too
    socket.on("error", () => socket.destroy());
    socket.resume();
    socket.on("end", () => socket.destroy());
    return new Promise<Socket>((resolve) => {
      socket.once("connect", () => resolve(socket));
      socket.once("close", () => resolve(socket));
    });
  });
  return Promise.all(opening);
}
