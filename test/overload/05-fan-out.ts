/** One publisher, thousands of subscribers: 1 KiB a hundred times a second. */
import type { Arena } from "./arena.ts";
import { residentBytes } from "./resident-memory.ts";
import { check, type Findings, inParallel, type Row, type Scale, sleep } from "./row.ts";

const topic = "attack/fan-out";
const perSubscriberBytesMax = 2 * 1_024;

async function run(arena: Arena, scale: Scale): Promise<Findings> {
  const [subscribers, seconds] = scale === "full" ? [2_500, 20] : [100, 2];
  let received = 0;
  await inParallel(subscribers, 16, async (index) => {
    const client = await arena.attacker({ principal: `attacker-${index % 8}`, clientId: `fan-${index}` });
    await client.subscribe({ filter: topic, qos: 0 });
    client.stream.socket.removeAllListeners("data");
    client.stream.socket.on("data", (bytes: Buffer) => {
      received += bytes.length;
    });
  });
  const publisher = await arena.attacker({ principal: "attacker-9", clientId: "publisher" });
  await sleep(1_000);
  const before = residentBytes(arena.server.pid);
  const payload = Buffer.alloc(1_024, 0x61);
  const began = performance.now();
  let published = 0;
  while (performance.now() - began < seconds * 1_000) {
    const due = Math.floor((performance.now() - began) / 10);
    for (; published < due; published += 1) await publisher.publish({ topic, payload, qos: 0 });
    await sleep(10);
  }
  const seenMb = Math.round(received / 1_048_576);
  const dropped = await arena.metric("mess_slow_consumer_dropped_total");
  await sleep(1_000);
  const grown = residentBytes(arena.server.pid) - before;
  const seen = `${Math.round(grown / 1_024)} KiB more, ${seenMb} MiB received, ${dropped} dropped`;
  return {
    load: `${published} messages of 1 KiB to ${subscribers} subscribers in ${seconds} s`,
    checks: [
      check(
        "2 KiB more a subscriber at most, or 64 MiB",
        grown <= Math.max(64 * 1_048_576, subscribers * perSubscriberBytesMax),
        seen,
      ),
    ],
  };
}

export const fanOut: Row = {
  id: "05",
  title: "huge fan-out",
  expected: "a payload is shared by all who receive it; 2 KiB more a subscriber at most",
  options: { limits: { connectionsPerAddressMax: 20_000, connectsPerAddressPerSecond: 20_000 } },
  run,
};
