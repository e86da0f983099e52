/** Thousands of user properties, and long ones, in CONNECT, its will, and PUBLISH. */

import * as build from "../support/packets.ts";
import { RawClient } from "../support/raw-client.ts";
import type { Arena } from "./arena.ts";
import { type Check, check, type Findings, type Row, type Scale } from "./row.ts";

const many: build.PropertiesInput = {
  userProperty: Array.from({ length: 20_000 }, (): [string, string] => ["k", "v"]),
};
const long: build.PropertiesInput = { userProperty: [["k", "v".repeat(65_535)]] };

const notAnswered = -1;

async function connectCode(arena: Arena, fields: build.ConnectFields): Promise<number> {
  const client = await RawClient.open(arena.server.mqtt);
  client.send(build.connect({ clientId: "properties", ...(await arena.key("attacker-0")), ...fields }));
  // A CONNECT that is too large is not read as far as its version: there is no CONNACK that could be sent.
  return (await client.closed(5_000)).packets.at(-1)?.code ?? notAnswered;
}

async function publishCode(arena: Arena, properties: build.PropertiesInput): Promise<number> {
  const client = await arena.attacker({ clientId: "properties" });
  client.send(build.publish({ topic: "attack/p", qos: 1, id: 1, properties }));
  const answer = await client.take((packet) => packet.name === "PUBACK" || packet.name === "DISCONNECT", 5_000);
  return answer.code;
}

async function run(arena: Arena, scale: Scale): Promise<Findings> {
  const rounds = scale === "full" ? 100 : 2;
  const checks: Check[] = [];
  const kinds: readonly (readonly [string, () => Promise<number>])[] = [
    ["20,000 in CONNECT", () => connectCode(arena, { properties: many })],
    ["20,000 in a will", () => connectCode(arena, { will: { topic: "attack/w", properties: many } })],
    ["64 KiB in CONNECT", () => connectCode(arena, { properties: long })],
    ["20,000 in PUBLISH", () => publishCode(arena, many)],
    ["64 KiB in PUBLISH", () => publishCode(arena, long)],
  ];
  for (const [what, send] of kinds) {
    const codes = new Set<number>();
    const began = performance.now();
    for (let round = 0; round < rounds; round += 1) codes.add(await send());
    const each = (performance.now() - began) / rounds;
    const isRefused = [...codes].every((code) => [0x95, 0x97, 0x82, 0x81, notAnswered].includes(code));
    const shown = [...codes].map((code) => (code === notAnswered ? "closed" : `0x${code.toString(16)}`)).join(" ");
    checks.push(check(`${what} is refused`, isRefused, `${shown}, ${each.toFixed(1)} ms with its handshake`));
  }
  return { load: `${rounds} of each: ${kinds.map(([what]) => what).join(", ")}`, checks };
}

export const propertyBomb: Row = {
  id: "12",
  title: "property bomb",
  expected: "0x95 or 0x97, in a few milliseconds",
  run,
};
