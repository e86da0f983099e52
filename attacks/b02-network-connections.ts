import { readdirSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { sleep } from "../test/support/names.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hold } from "./support/attack.ts";

export const b02 = attack({
  id: "B2",
  title: "Input: network connections",
  threat: "Connections that are opened and broken leave something behind: a descriptor, a timer, a session.",
  mitigation: "Whatever belongs to a connection is released with it, however it ends.",
  ways: ["tcp-tls", "websocket-tls"],
  steps: [{ name: "connections opened and broken at every stage", run: churn }],
});

const descriptors = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

async function churn(arena: Arena): Promise<void> {
  const rounds = arena.full ? 25_000 : 100;
  const { pid } = arena.broker;
  const who = await arena.principal();
  await oneRound(arena, who);
  await settled(pid, descriptors(pid));
  const before = descriptors(pid);
  const seen = await arena.observe();
  for (let round = 0; round < rounds; round += 1) await oneRound(arena, who);
  const left = await settled(pid, before);
  hold(left <= before + 2, `${left - before} descriptors are left of ${rounds * 4} connections`);
  hold(seen.memoryGrowth() < 64, `${rounds * 4} connections leave ${Math.round(seen.memoryGrowth())} MB`);
  if (!arena.isMess) return;
  let open = await openConnections(arena);
  for (let waited = 0; waited < 100 && open > 1; waited += 1) {
    await sleep(50);
    open = await openConnections(arena);
  }
  hold(open <= 1, `${open} connections are counted as open, and only the bystander is`);
}

async function openConnections(arena: Arena): Promise<number> {
  const { text } = await arena.admin("/metrics");
  return Number(/^mess_connections (\d+)$/m.exec(text)?.[1]);
}

/** Broken before TLS, after TLS, inside of CONNECT, and after CONNACK; from one address after another. */
async function oneRound(arena: Arena, who: Awaited<ReturnType<Arena["principal"]>>): Promise<void> {
  const { host, port } = arena.door.endpoint;
  const raw = connectTcp({ host, port });
  await new Promise((resolve) => raw.once("connect", resolve).once("error", resolve));
  raw.resetAndDestroy();
  for (const door of arena.doors) {
    const opened = await arena.open(door);
    opened.send(Buffer.from("1020", "hex"));
    opened.stream.socket.destroy();
  }
  const connected = await arena.connect(who);
  connected.stream.socket.destroy();
}

/** The number of descriptors once it is no more than `wanted` + 2, or after a few seconds. */
async function settled(pid: number, wanted: number): Promise<number> {
  for (let waited = 0; waited < 100 && descriptors(pid) > wanted + 2; waited += 1) await sleep(50);
  return descriptors(pid);
}
