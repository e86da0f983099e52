/** Consumers that stop reading, on a busy topic, QoS 0 and QoS 1. */
import type { RawClient } from "../support/raw-client.ts";
import type { Arena } from "./arena.ts";
import { residentBytes } from "./resident-memory.ts";
import { check, type Findings, inParallel, type Row, type Scale, sleep } from "./row.ts";

const payloadBytes = 10_000;
const topic = "attack/slow-consumers";
/** What is held for one of them at most, in memory: `outboundBytesMax` and some frames of TLS. */
const perConsumerBytesMax = 1_024 * 1_024 + 128 * 1_024;

async function stoppedReader(arena: Arena, index: number): Promise<RawClient> {
  const client = await arena.attacker({ principal: `attacker-${index % 8}`, clientId: `stopped-${index}` });
  await client.subscribe({ filter: topic, qos: index % 2 });
  client.stream.socket.pause();
  return client;
}

async function run(arena: Arena, scale: Scale): Promise<Findings> {
  const [consumers, seconds] = scale === "full" ? [500, 30] : [20, 3];
  await inParallel(consumers, 16, async (index) => void (await stoppedReader(arena, index)));
  const publisher = await arena.attacker({ principal: "attacker-9", clientId: "publisher" });
  const before = residentBytes(arena.server.pid);
  const payload = Buffer.alloc(payloadBytes, 0x61);
  let published = 0;
  const until = performance.now() + seconds * 1_000;
  // 100 KB/s of each QoS.
  while (performance.now() < until) {
    await publisher.publish({ topic, payload, qos: 1 });
    await publisher.publish({ topic, payload, qos: 0 });
    published += 2;
    await sleep(100);
  }
  const grown = residentBytes(arena.server.pid) - before;
  const dropped = await arena.metric("mess_slow_consumer_dropped_total");
  const late = await arena.attacker({ principal: "attacker-10", clientId: "late" });
  await late.subscribe(topic);
  await publisher.publish({ topic, payload: "after", qos: 0 });
  const message = await late.message(5_000);
  return {
    load: `${consumers} stopped readers, ${published} messages of ${payloadBytes} bytes in ${seconds} s`,
    checks: [
      check(
        "each is held within 1 MiB",
        grown <= consumers * perConsumerBytesMax,
        `${Math.round(grown / 1_024)} KiB in all`,
      ),
      check("others still get messages", message.payload.toString() === "after", `${dropped} of QoS 0 dropped`),
    ],
  };
}

export const slowConsumers: Row = {
  id: "04",
  title: "slow consumers",
  expected: "at most 1 MiB of memory each; QoS 1 waits on disk, QoS 0 is dropped and counted",
  run,
};
