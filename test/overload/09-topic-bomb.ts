/** Topics that are used once, as deep as they may be; and one that is deeper. */
import type { Arena } from "./arena.ts";
import { blast, pour } from "./blast.ts";
import { residentBytes } from "./resident-memory.ts";
import { check, type Findings, inParallel, type Row, type Scale } from "./row.ts";

const grownBytesMax = 96 * 1_024 * 1_024;
const deep = `attack/${"t/".repeat(61)}`;

async function run(arena: Arena, scale: Scale): Promise<Findings> {
  const [clients, each] = scale === "full" ? [5, 200_000] : [2, 2_000];
  const before = residentBytes(arena.server.pid);
  await inParallel(clients, clients, async (part) => {
    const client = await arena.attacker({ principal: `attacker-${part}`, clientId: `topics-${part}`, version: 4 });
    await pour(client, { count: each, fields: (index) => ({ topic: `${deep}${part}-${index}`, payload: "x" }) });
    // What was poured has been read when a later packet is answered.
    client.send(Buffer.from([0xc0, 0x00]));
    await client.take("PINGRESP", 120_000);
  });
  const grown = residentBytes(arena.server.pid) - before;
  const attacker = await arena.attacker({ clientId: "deeper" });
  const deeper = await attacker.publish({ topic: `attack/${"/".repeat(20_000)}`, qos: 1 });
  const stored = await blast(attacker, {
    count: 100,
    fields: (index) => ({ topic: `${deep}s-${index}`, payload: "x" }),
  });
  return {
    load: `${clients * each} topics of 64 levels, one of 20,000`,
    checks: [
      check("memory is bounded whatever is named", grown <= grownBytesMax, `${Math.round(grown / 1_048_576)} MiB more`),
      check("too many levels are refused with 0x90", deeper?.code === 0x90, `0x${deeper?.code.toString(16)}`),
      check("publishing goes on", stored.accepted === 100, stored.accepted),
    ],
  };
}

export const topicBomb: Row = {
  id: "09",
  title: "topic bomb",
  expected: "state for live subscriptions alone; names that are not used are forgotten; deeper than 64 levels 0x90",
  run,
};
