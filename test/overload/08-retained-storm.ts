/** Many clients ask at once for all that is retained; half of them never acknowledge. */
import type { Arena } from "./arena.ts";
import { blast } from "./blast.ts";
import { check, eventually, type Findings, inParallel, type Row, type Scale } from "./row.ts";

const payload = Buffer.alloc(64, 0x61);

async function run(arena: Arena, scale: Scale): Promise<Findings> {
  const [topics, clients, seconds] = scale === "full" ? [100_000, 100, 120] : [500, 10, 15];
  const publishers = 2;
  await inParallel(publishers, publishers, async (part) => {
    const publisher = await arena.attacker({ principal: `attacker-${part}`, clientId: `retainer-${part}` });
    const each = topics / publishers;
    await blast(publisher, {
      count: each,
      fields: (index) => ({ topic: `attack/s/${part * each + index}`, payload, retain: true }),
    });
  });
  const bytes = new Array<number>(clients).fill(0);
  const least = topics * payload.length;
  await inParallel(clients, 16, async (index) => {
    const client = await arena.attacker({ principal: `attacker-${2 + (index % 8)}`, clientId: `storm-${index}` });
    client.stream.socket.removeAllListeners("data");
    client.stream.socket.on("data", (more: Buffer) => {
      bytes[index] = (bytes[index] ?? 0) + more.length;
    });
    void client.subscribe({ filter: "attack/s/#", qos: index % 2 }).catch(() => {});
  });
  const readers = bytes.map((_, index) => index).filter((index) => index % 2 === 0);
  const whole = await eventually(() => readers.every((index) => (bytes[index] ?? 0) >= least), seconds * 1_000);
  const unacknowledged = bytes.filter((count, index) => index % 2 === 1 && count > 0 && count < 4_096 * 250).length;
  return {
    load: `${clients} clients ask for ${topics} retained messages at once, half of them never acknowledge`,
    checks: [
      check(
        "those who read get all",
        whole,
        `${readers.filter((index) => (bytes[index] ?? 0) >= least).length} of ${readers.length}`,
      ),
      check(
        "who does not acknowledge gets in-flight messages alone",
        unacknowledged === clients / 2 || scale === "smoke",
        unacknowledged,
      ),
    ],
  };
}

export const retainedStorm: Row = {
  id: "08",
  title: "retained storm",
  expected: "paced by acknowledgements and by what sockets take",
  run,
};
