/** More filters than anybody needs: over several clients, in one packet, and all matching everything. */
import * as build from "../support/packets.ts";
import type { Arena } from "./arena.ts";
import { residentBytes } from "./resident-memory.ts";
import { type Check, check, type Findings, type Row, type Scale, sleep } from "./row.ts";

const perPacket = 500;
const quotaExceeded = 0x97;

async function manyFilters(arena: Arena, clients: number, perClient: number): Promise<Check[]> {
  const before = residentBytes(arena.server.pid);
  let granted = 0;
  let refused = 0;
  for (let client = 0; client < clients; client += 1) {
    const attacker = await arena.attacker({ clientId: `bomb-${client}` });
    for (let first = 0; first < perClient; first += perPacket) {
      const filters = Array.from({ length: perPacket }, (_, index) => `attack/${client}-${first + index}/+/x`);
      const { codes } = await attacker.subscribe(filters, { refusable: true });
      granted += codes.filter((code) => code <= 2).length;
      refused += codes.filter((code) => code === quotaExceeded).length;
    }
  }
  const perFilter = (residentBytes(arena.server.pid) - before) / Math.max(granted, 1);
  const wanted = clients * perClient;
  return [
    check(
      "past 2,000 a client the answer is 0x97",
      granted === clients * 2_000 && refused === wanted - granted,
      `${granted} granted, ${refused} refused, ${Math.round(perFilter)} bytes each`,
    ),
  ];
}

async function onePacket(arena: Arena): Promise<Check> {
  const attacker = await arena.attacker({ clientId: "one-packet" });
  const filters = Array.from({ length: 65_535 }, (_, index) => `a/${index}`);
  attacker.send(build.subscribe({ id: 1, filters }));
  const { packets } = await attacker.closed(10_000);
  const code = packets.at(-1)?.code ?? 0;
  return check("65,535 filters in one packet are refused", code >= 0x80, `DISCONNECT 0x${code.toString(16)}`);
}

/** Overlapping filters of one client: each message comes once. */
async function overlapping(arena: Arena, clients: number): Promise<Check> {
  const all = await Promise.all(
    Array.from({ length: clients }, (_, index) => arena.attacker({ clientId: `all-${index}` })),
  );
  for (const client of all) {
    const filters = Array.from({ length: 100 }, (_, index) => `attack/o/${"+/".repeat(index % 20)}#`);
    await client.subscribe(filters);
  }
  const publisher = await arena.attacker({ principal: "attacker-1", clientId: "publisher" });
  await publisher.publish({ topic: `attack/o/${"a/".repeat(20)}z`, payload: "once", qos: 1 });
  await sleep(500);
  const counts = all.map((client) => client.waiting("PUBLISH").length);
  return check(
    "overlapping filters deliver once",
    counts.every((count) => count === 1),
    counts.slice(0, 5).join(" "),
  );
}

async function run(arena: Arena, scale: Scale): Promise<Findings> {
  const [clients, perClient] = scale === "full" ? [20, 2_500] : [2, 2_500];
  const checks = await manyFilters(arena, clients, perClient);
  checks.push(await onePacket(arena), await overlapping(arena, 20));
  return {
    load: `${clients * perClient} filters of ${clients} clients; 65,535 in a packet; 2,000 overlapping`,
    checks,
  };
}

export const subscriptionBomb: Row = {
  id: "06",
  title: "subscription bomb",
  expected: "2,000 filters a client, then 0x97; 1,000 a packet; overlapping ones deliver once",
  run,
};
