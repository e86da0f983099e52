/** Packets that say they are larger than allowed. */
import { exchange } from "../support/exchange.ts";
import * as build from "../support/packets.ts";
import type { Arena } from "./arena.ts";
import { residentBytes } from "./resident-memory.ts";
import { check, type Findings, inParallel, type Row, type Scale } from "./row.ts";

const declared256MiB = [0xff, 0xff, 0xff, 0x7f];
/** A CONNECT as far as its protocol name. */
const hugeConnect = Buffer.from([0x10, ...declared256MiB, 0, 4, 0x4d, 0x51, 0x54, 0x54]);
const fiveByteLength = Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff, 0x7f]);

async function refusedAtOnce(arena: Arena, bytes: Buffer): Promise<boolean> {
  return (await exchange(arena.server.mqtt, bytes, 2_000)).closed;
}

/** The reason code of the DISCONNECT that follows these bytes after CONNECT. */
async function codeAfter(arena: Arena, clientId: string, bytes: Buffer): Promise<number> {
  const client = await arena.attacker({ clientId });
  client.send(bytes);
  return (await client.closed(5_000)).packets.at(-1)?.code ?? 0;
}

async function run(arena: Arena, scale: Scale): Promise<Findings> {
  const count = scale === "full" ? 500 : 20;
  const before = residentBytes(arena.server.pid);
  let refused = 0;
  await inParallel(count, 16, async (index) => {
    if (await refusedAtOnce(arena, index % 2 === 0 ? hugeConnect : fiveByteLength)) refused += 1;
  });
  const codes = [
    await codeAfter(arena, "a", Buffer.from([0x30, ...declared256MiB, 0, 1, 0x61])),
    await codeAfter(
      arena,
      "b",
      build.publish({ topic: "attack/o", payload: Buffer.alloc(1_048_576) }).subarray(0, 100),
    ),
    await codeAfter(arena, "c", Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0x7f])),
  ];
  const grown = residentBytes(arena.server.pid) - before;
  const shown = codes.map((code) => `0x${code.toString(16)}`).join(" ");
  return {
    load: `${count} CONNECT of declared 256 MiB or a length of five bytes; PUBLISH of 256 MiB, 1 MiB + 1`,
    checks: [
      check("a CONNECT is refused by its declared length", refused === count, `${refused} of ${count}`),
      check("a PUBLISH is refused by its declared length: 0x95, 0x95, 0x81", shown === "0x95 0x95 0x81", shown),
      check("nothing is held for it", grown < 32 * 1_048_576, `${Math.round(grown / 1_048_576)} MiB more`),
    ],
  };
}

export const oversize: Row = {
  id: "11",
  title: "oversize",
  expected: "0x95 by the declared length, before anything is held; 0x81 for a length of five bytes",
  options: { limits: { connectsPerAddressPerSecond: 10_000 } },
  run,
};
