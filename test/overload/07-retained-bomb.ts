/** Retained messages on more topics than anybody needs. */
import type { Arena } from "./arena.ts";
import { blast } from "./blast.ts";
import { residentBytes } from "./resident-memory.ts";
import { check, type Findings, type Row, type Scale } from "./row.ts";

const smokeQuota = 300;
/** Of the index alone; names and the numbers of the journal come to it. */
const perTopicBytesMax = 400;

async function run(arena: Arena, scale: Scale): Promise<Findings> {
  const [quota, topics] = scale === "full" ? [100_000, 101_000] : [smokeQuota, 400];
  const large = scale === "full" ? 20_000 : 100;
  const filler = Buffer.alloc(1_024, 0x61);
  const attacker = await arena.attacker({ principal: "attacker-0", clientId: "retainer" });
  const first = await blast(attacker, {
    count: large,
    fields: (index) => ({ topic: `attack/r/${index}`, payload: filler, retain: true }),
  });
  const before = residentBytes(arena.server.pid);
  const rest = await blast(attacker, {
    count: topics - large,
    fields: (index) => ({ topic: `attack/r/${large + index}`, payload: "x", retain: true }),
  });
  const perTopic = (residentBytes(arena.server.pid) - before) / Math.max(rest.accepted, 1);
  const accepted = first.accepted + rest.accepted;
  const other = await arena.attacker({ principal: "attacker-1", clientId: "other" });
  const puback = await other.publish({ topic: "attack/other", payload: "x", qos: 1, retain: true });
  const kept = await arena.metric("mess_retained_messages");
  const hasRoom = scale === "full" ? perTopic <= perTopicBytesMax : true;
  return {
    load: `${large} of 1 KiB, then ${topics - large} more topics`,
    checks: [
      check(
        "past the quota of the principal the answer is 0x97",
        accepted === quota && rest.refused > 0,
        `${accepted} accepted, ${rest.refused} refused`,
      ),
      check("as many are kept as were accepted", kept === quota + 1, kept),
      check("another principal still has room", (puback?.code ?? 0x80) < 0x80),
      check("a topic takes 400 bytes of memory at most", hasRoom, `${Math.round(perTopic)} bytes`),
    ],
  };
}

export const retainedBomb: Row = {
  id: "07",
  title: "retained bomb",
  expected: "100,000 a principal, then 0x97; payloads are on disk",
  smokeOptions: { limits: { retainedPerPrincipalMax: smokeQuota } },
  run,
};
