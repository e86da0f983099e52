/** QoS 2 publishes that are never released: many, and large. */
import * as build from "../support/packets.ts";
import type { Arena } from "./arena.ts";
import { check, type Findings, type Row, type Scale } from "./row.ts";

async function run(arena: Arena, scale: Scale): Promise<Findings> {
  const clients = scale === "full" ? 20 : 3;
  const modern = await arena.attacker({ clientId: "many-5" });
  const publish = (version: 4 | 5, id: number, payload: string | Buffer): Buffer =>
    build.publish({ version, topic: "attack/q2", qos: 2, id, payload });
  modern.send(...Array.from({ length: 65_535 }, (_, index) => publish(5, index + 1, "x")));
  const code = (await modern.closed(20_000)).packets.at(-1)?.code ?? 0;
  const old = await arena.attacker({ clientId: "many-4", version: 4 });
  old.send(...Array.from({ length: 65_535 }, (_, index) => publish(4, index + 1, "x")));
  const oldReceived = (await old.closed(20_000)).packets.filter(({ name }) => name === "PUBREC").length;
  const payload = Buffer.alloc(1_000_000, 0x61);
  let held = 0;
  let refused = 0;
  for (let index = 0; index < clients; index += 1) {
    const client = await arena.attacker({ principal: `attacker-${1 + (index % 8)}`, clientId: `large-${index}` });
    for (let id = 1; id <= 10; id += 1) {
      client.send(publish(5, id, payload));
      const pubrec = await client.take("PUBREC", 20_000);
      if (pubrec.code < 0x80) held += 1;
      else refused += 1;
    }
  }
  const last = await arena.attacker({ principal: "attacker-20", clientId: "last" });
  const puback = await last.publish({ topic: "attack/q1", qos: 1, payload: "x" });
  const isFull = scale === "smoke" || refused > 0;
  return {
    load: `65,535 QoS 2 publishes of each version without PUBREL; ${clients * 10} of 1 MB`,
    checks: [
      check("5.0 ends with 0x93 past Receive Maximum", code === 0x93, `0x${code.toString(16)}`),
      check("3.1.1 ends after 1,000", oldReceived <= 1_000, `${oldReceived} PUBREC`),
      check("what is held is bounded, then 0x97", held <= 67 && isFull, `${held} held, ${refused} refused`),
      check("others publish on", (puback?.code ?? 0x80) < 0x80),
    ],
  };
}

export const unreleasedBomb: Row = {
  id: "10",
  title: "QoS 2 in-flight bomb",
  expected: "5.0: 0x93 past Receive Maximum; 3.1.1: the end after 1,000; 64 MiB held in all",
  run,
};
