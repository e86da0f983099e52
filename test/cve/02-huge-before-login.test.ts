// LESSONS 2, Mosquitto CVE-2017-7651 and CVE-2023-0809, NATS 2026-25. Elsewhere a packet that claims hundreds of
// megabytes, or one that never ends, was buffered for somebody who had not logged in. Here what may be held before
// login is 16 KiB a connection: a larger claim is refused at its header, and what is not whole in time is ended.
import { expect, it } from "vitest";
import { unique } from "../support/names.ts";
import * as build from "../support/packets.ts";
import type { RawClient } from "../support/raw-client.ts";
import { useField } from "./support.ts";

const field = useField({ env: { MESS_LIMITS__CONNECT_DEADLINE_MS: "3s" } });

const count = 30;

/** Opens connections at both doors, each of which sends at once. */
function flood(bytes: Buffer): Promise<RawClient[]> {
  const { arena } = field;
  const all = Array.from({ length: count }, async (_, index) => {
    const client = await arena.open(arena.doors[index % 2]);
    if (!client.isClosed) client.send(bytes);
    return client;
  });
  return Promise.all(all);
}

it("a claim of 256 MiB is refused at its header", async () => {
  const seen = await field.arena.observe();
  const began = performance.now();
  for (const client of await flood(Buffer.from("10ffffff7f", "hex"))) await client.closed(2_000);
  expect(seen.memoryGrowth()).toBeLessThan(32);
  // not the deadline that ended them
  expect(await seen.counted('mess_limit_hits_total{limit="connectDeadlineMs"}')).toBe(0);
  expect(performance.now() - began).toBeLessThan(20_000);
});

it("15 of 16 KiB of a CONNECT cost no more than themselves, and are gone at the deadline", async () => {
  const seen = await field.arena.observe();
  const whole = build.connect({ clientId: unique("c"), username: "x", password: Buffer.alloc(16_000, 0x61) });
  const clients = await flood(whole.subarray(0, 15 * 1_024));
  await Promise.all(clients.map((client) => client.closed(5_000)));
  expect(seen.memoryGrowth()).toBeLessThan(32);
  expect(await seen.counted('mess_limit_hits_total{limit="connectDeadlineMs"}')).toBeGreaterThan(0);
});
