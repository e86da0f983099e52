// A bit that rots on disk while the broker serves is found by the scrub and told: audit, metric, readiness (RELIABILITY F4).
import { closeSync, openSync, readdirSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { adminKeyOf, ask } from "../support/ask.ts";
import { RawClient } from "../support/raw-client.ts";
import { Server } from "../support/server.ts";
import { unique } from "../support/suite.ts";

let server: Server;

beforeAll(async () => {
  server = await Server.start({ mode: "secure" });
}, 30_000);

afterAll(() => server.remove());

function flip(path: string, at: number): void {
  const file = openSync(path, "r+");
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, at);
  writeSync(file, Buffer.of((byte[0] ?? 0) ^ 0x10), 0, 1, at);
  closeSync(file);
}

interface Scrub {
  readonly passes: number;
  readonly corrupt: readonly { segment: number; offset: number }[];
}

async function scrubbed(passes: number): Promise<Scrub> {
  const key = adminKeyOf(server);
  expect((await ask(server, "/v1/storage/scrub", { method: "POST", key })).status).toBe(204);
  for (;;) {
    const { scrub } = JSON.parse((await ask(server, "/v1/storage", { key })).text) as { scrub: Scrub };
    if (scrub.passes >= passes) return scrub;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

it("says where", { timeout: 60_000 }, async () => {
  const { id, secret } = server.admin;
  const key = adminKeyOf(server);
  const client = await RawClient.connect(server.mqtt, { username: id, password: secret, clientId: unique("c") });
  for (let index = 0; index < 40; index += 1) await client.publish({ topic: "t", payload: "x".repeat(5_000), qos: 1 });
  expect((await ask(server, "/v1/storage/rotate-data-key", { method: "POST", key })).status).toBe(200);
  expect((await scrubbed(1)).corrupt).toEqual([]);
  expect((await ask(server, "/readyz?verbose", { key })).text).toContain("stored: ok");
  const [oldest = ""] = readdirSync(server.dataDir)
    .filter((name) => name.startsWith("segment-"))
    .sort();
  flip(join(server.dataDir, oldest), 4_096 + 50_000);
  const { corrupt } = await scrubbed(2);
  expect(corrupt).toMatchObject([{ segment: 1 }]);
  expect(corrupt[0]?.offset).toBeGreaterThan(4_096);
  expect((await ask(server, "/readyz?verbose", { key })).text).toContain(`stored: damaged: ${oldest}, byte`);
  expect((await ask(server, "/metrics", { key })).text).toMatch(/^mess_journal_corrupt 1$/mu);
  expect(server.stderr).toContain('"event":"journal.corrupt"');
  // What is whole goes on.
  await client.publish({ topic: "t", payload: "still", qos: 1 });
  await client.drop();
});
