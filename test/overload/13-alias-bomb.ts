/** Topic aliases that are not allowed, and one that is set again and again. */
import * as build from "../support/packets.ts";
import type { Arena } from "./arena.ts";
import { drained } from "./blast.ts";
import { residentBytes } from "./resident-memory.ts";
import { check, type Findings, type Row, type Scale, sleep } from "./row.ts";

async function codeOfAlias(arena: Arena, topicAlias: number): Promise<number> {
  const client = await arena.attacker({ clientId: `alias-${topicAlias}` });
  client.send(build.publish({ topic: "attack/a", properties: { topicAlias } }));
  return (await client.closed(5_000)).packets.at(-1)?.code ?? 0;
}

async function run(arena: Arena, scale: Scale): Promise<Findings> {
  const [rebinds, width] = scale === "full" ? [1_000_000, 10_000] : [5_000, 1_000];
  const codes = [await codeOfAlias(arena, 0), await codeOfAlias(arena, 65), await codeOfAlias(arena, 65_535)];
  const before = residentBytes(arena.server.pid);
  const client = await arena.attacker({ clientId: "rebinder" });
  for (let at = 0; at < rebinds && !client.isClosed; at += width) {
    const packets = Array.from({ length: width }, (_, index) =>
      build.publish({ topic: `attack/${at + index}`, properties: { topicAlias: 1 + (index % 64) } }),
    );
    client.send(...packets);
    await drained(client);
    // Within the rate of one client, which is not what is looked at here.
    await sleep((width / 15_000) * 1_000);
  }
  await client.ping();
  const grown = residentBytes(arena.server.pid) - before;
  const identifier = await arena.attacker({ clientId: "identifiers" });
  identifier.send(build.subscribe({ filters: ["attack/i"], properties: { subscriptionIdentifier: [0] } }));
  const subscriptionCode = (await identifier.closed(5_000)).packets.at(-1)?.code ?? 0;
  const shown = codes.map((code) => `0x${code.toString(16)}`).join(" ");
  return {
    load: `aliases 0, 65 and 65,535; ${rebinds} times an alias is set anew; subscription identifier 0`,
    checks: [
      check("aliases that are not allowed end with 0x94", shown === "0x94 0x94 0x94", shown),
      check(
        "setting an alias anew takes no memory",
        grown < 48 * 1_048_576,
        `${Math.round(grown / 1_048_576)} MiB more`,
      ),
      check("subscription identifier 0 is refused", subscriptionCode >= 0x80, `0x${subscriptionCode.toString(16)}`),
    ],
  };
}

export const aliasBomb: Row = {
  id: "13",
  title: "alias and identifier bomb",
  expected: "0x94; memory for 64 aliases",
  run,
};
