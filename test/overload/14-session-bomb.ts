/** One principal, ever new client ids, sessions for ever. */

import * as build from "../support/packets.ts";
import { RawClient } from "../support/raw-client.ts";
import type { Arena } from "./arena.ts";
import { check, type Findings, inParallel, type Row, type Scale } from "./row.ts";

const smokeQuota = 20;

async function run(arena: Arena, scale: Scale): Promise<Findings> {
  const [quota, count] = scale === "full" ? [1_000, 5_000] : [smokeQuota, 40];
  const credentials = await arena.key("attacker-0");
  let accepted = 0;
  let refused = 0;
  let longest = 0;
  await inParallel(count, 16, async (index) => {
    const client = await RawClient.open(arena.server.mqtt);
    const properties = { sessionExpiryInterval: 0xffff_ffff };
    client.send(build.connect({ clientId: `session-${index}`, cleanStart: false, ...credentials, properties }));
    const connack = await client.take("CONNACK", 20_000);
    if (connack.code === 0) accepted += 1;
    else if (connack.code === 0x97) refused += 1;
    longest = Math.max(longest, connack.properties.sessionExpiryInterval ?? 0);
    await client.drop();
  });
  const other = await arena.attacker({ principal: "attacker-1", clientId: "other", cleanStart: false });
  const hits = await arena.limitHits("sessionsPerPrincipalMax");
  return {
    load: `${count} client ids of one principal with a session that never expires`,
    checks: [
      check(
        "as many as the quota are kept, then 0x97",
        accepted === quota && refused === count - quota,
        `${accepted} accepted, ${refused} refused`,
      ),
      check("no session is kept for more than 30 days", longest <= 30 * 86_400, `${longest} s`),
      check("other principals are not touched", !other.isClosed),
      check("it is counted", hits > 0, hits),
    ],
  };
}

export const sessionBomb: Row = {
  id: "14",
  title: "session bomb",
  expected: "1,000 sessions a principal, then 0x97; 30 days at most",
  options: { limits: { connectsPerAddressPerSecond: 10_000 } },
  smokeOptions: { limits: { sessionsPerPrincipalMax: smokeQuota } },
  run,
};
