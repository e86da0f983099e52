/** Clients that ask without end and never read the answers. */
import * as build from "../support/packets.ts";
import type { RawClient } from "../support/raw-client.ts";
import type { Arena } from "./arena.ts";
import { residentBytes } from "./resident-memory.ts";
import { check, type Findings, inParallel, type Row, type Scale, sleep } from "./row.ts";

/** SUBSCRIBE and PINGREQ: more comes back than goes in. */
const questions: Buffer = Buffer.concat([
  ...Array.from({ length: 50 }, (_, index) => build.subscribe({ id: index + 1, filters: ["attack/x", "attack/y"] })),
  ...Array.from({ length: 500 }, () => build.pingreq()),
]);

async function askOn(client: RawClient, until: number): Promise<void> {
  client.stream.socket.pause();
  while (!client.isClosed && !client.stream.socket.destroyed && performance.now() < until) {
    if (client.stream.socket.writableLength < 1_000_000) client.stream.write(questions);
    await sleep(10);
  }
}

async function run(arena: Arena, scale: Scale): Promise<Findings> {
  const [clients, seconds] = scale === "full" ? [200, 30] : [10, 3];
  const before = residentBytes(arena.server.pid);
  const until = performance.now() + seconds * 1_000;
  await inParallel(clients, clients, async (index) => {
    const client = await arena.attacker({ principal: `attacker-${index % 8}`, clientId: `deaf-${index}` });
    await askOn(client, until);
  });
  const grown = residentBytes(arena.server.pid) - before;
  return {
    load: `${clients} clients send SUBSCRIBE and PINGREQ for ${seconds} s and read nothing`,
    checks: [
      check("what waits for them is bounded", grown < 160 * 1_048_576, `${Math.round(grown / 1_048_576)} MiB more`),
    ],
  };
}

export const unreadAnswers: Row = {
  id: "21",
  title: "unread answers",
  expected: "they are read no faster than their rate; who reads nothing has to go",
  run,
};
