/** Thousands of clients that die at the same moment, each with a delayed will. */
import type { Arena } from "./arena.ts";
import { check, eventually, type Findings, inParallel, type Row, type Scale } from "./row.ts";

const delaySeconds = 2;

async function run(arena: Arena, scale: Scale): Promise<Findings> {
  const clients = scale === "full" ? 2_500 : 60;
  const watcher = await arena.attacker({ principal: "attacker-30", clientId: "watcher" });
  await watcher.subscribe("attack/will/#");
  await inParallel(clients, 16, async (index) => {
    await arena.attacker({
      principal: `attacker-${index % 8}`,
      clientId: `mortal-${index}`,
      properties: { sessionExpiryInterval: 60 },
      will: { topic: `attack/will/${index}`, payload: "gone", qos: 0, properties: { willDelayInterval: delaySeconds } },
    });
  });
  arena.leave({ but: watcher });
  const came = (): number => watcher.waiting("PUBLISH").length;
  await eventually(() => came() >= clients, (delaySeconds + 30) * 1_000);
  const topics = new Set(watcher.waiting("PUBLISH").map(({ topic }) => topic));
  return {
    load: `${clients} clients with a will delayed by ${delaySeconds} s, all cut at once`,
    checks: [check("every will comes once", topics.size === clients && came() === clients, `${came()} of ${clients}`)],
  };
}

export const willStorm: Row = {
  id: "15",
  title: "will storm",
  expected: "every will is published, and others wait no longer for it",
  options: { limits: { connectionsPerAddressMax: 20_000, connectsPerAddressPerSecond: 20_000 } },
  run,
};
