/** One client that publishes as fast as it can, far beyond its rate. */
import * as build from "../support/packets.ts";
import type { Arena } from "./arena.ts";
import { drained } from "./blast.ts";
import { check, type Findings, type Row, type Scale } from "./row.ts";

const rate = 1_000;
/** The burst, and what had arrived when time was up. */
const slackShare = 0.05;

/** QoS 1 for some seconds, ten times as fast as allowed. */
async function flood(arena: Arena, seconds: number): Promise<{ accepted: number; refused: number; sent: number }> {
  const client = await arena.attacker({ clientId: "flood" });
  const seen = { accepted: 0, refused: 0, sent: 0 };
  const began = performance.now();
  let underWay = 0;
  let id = 0;
  while (performance.now() - began < seconds * 1_000) {
    const due = Math.floor(((performance.now() - began) / 1_000) * rate * 10);
    const packets: Buffer[] = [];
    for (; seen.sent < due && underWay < 90; underWay += 1, seen.sent += 1) {
      id = (id % 60_000) + 1;
      packets.push(build.publish({ topic: "attack/flood", payload: "x".repeat(100), qos: 1, id }));
    }
    if (packets.length > 0) client.send(...packets);
    const puback = await client.take("PUBACK", 2).catch(() => undefined);
    if (puback === undefined) continue;
    for (const each of [puback, ...(await takeAll(client.waiting("PUBACK").length, () => client.take("PUBACK")))]) {
      underWay -= 1;
      if (each.code < 0x80) seen.accepted += 1;
      else if (each.code === 0x97) seen.refused += 1;
    }
  }
  return seen;
}

async function takeAll<T>(count: number, take: () => Promise<T>): Promise<T[]> {
  const all: T[] = [];
  while (all.length < count) all.push(await take());
  return all;
}

/** QoS 0 of 5.0 without a pause: the code it ends with, and after how many seconds. */
async function pourUntilTheEnd(arena: Arena, seconds: number): Promise<{ code: number; after: number }> {
  const client = await arena.attacker({ principal: "attacker-1", clientId: "pour" });
  const packets = Buffer.concat(
    Array.from({ length: 200 }, () => build.publish({ topic: "attack/flood", payload: "x".repeat(100) })),
  );
  const began = performance.now();
  while (!client.isClosed && performance.now() - began < seconds * 1_000) {
    client.send(packets);
    await Promise.race([drained(client), new Promise((resolve) => setTimeout(resolve, 100))]);
  }
  const after = (performance.now() - began) / 1_000;
  const code = client.isClosed ? ((await client.closed()).packets.at(-1)?.code ?? 0) : 0;
  return { code, after };
}

async function run(arena: Arena, scale: Scale): Promise<Findings> {
  const seconds = scale === "full" ? 30 : 3;
  const { accepted, refused, sent } = await flood(arena, seconds);
  const most = rate * (seconds + 1) * (1 + slackShare);
  const least = scale === "full" ? rate * seconds * (1 - slackShare) : 0;
  const checks = [
    check(
      "within 5 % of the rate is taken",
      accepted <= most && accepted >= least,
      `${accepted} in ${seconds} s at ${rate}/s`,
    ),
    check("the rest is refused with 0x97", refused > 0 && sent > accepted, `${refused} refused`),
  ];
  if (scale === "full") {
    const { code, after } = await pourUntilTheEnd(arena, 40);
    checks.push(
      check(
        "QoS 0 without end is told 0x96",
        code === 0x96 && after > 9,
        `0x${code.toString(16)} after ${after.toFixed(1)} s`,
      ),
    );
  }
  return {
    load: `${sent} QoS 1 publishes in ${seconds} s, where ${rate} a second are allowed; QoS 0 without a pause`,
    checks,
  };
}

export const publishFlood: Row = {
  id: "20",
  title: "publish flood",
  expected: "the rate is kept to within 5 %; 0x97, and 0x96 at QoS 0; nobody else notices",
  options: { limits: { clientMessagesPerSecondMax: rate } },
  run,
};
