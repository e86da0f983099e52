// Whoever guesses credentials has one number of tries, whichever doors it knocks at (THREATS A1); limits are counted from 0.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { adminKeyOf, ask } from "../support/ask.ts";
import * as build from "../support/packets.ts";
import { RawClient } from "../support/raw-client.ts";
import { Server } from "../support/server.ts";
import { unique } from "../support/suite.ts";

const root = mkdtempSync(join(tmpdir(), "mess-throttle-"));
let server: Server;

beforeAll(async () => {
  const config = join(root, "mess.toml");
  writeFileSync(
    config,
    "[limits]\nauthFailuresPerAddressPerMinute = 4\nconnectDeadlineMs = 300\nsubscriptionsPerSessionMax = 1\nsubscriptionsPerPacketMax = 1\n",
  );
  server = await Server.start({ mode: "secure", dataDir: join(root, "data"), args: ["--config", config] });
}, 30_000);
afterAll(async () => {
  await server.remove();
  rmSync(root, { recursive: true, force: true });
});

async function limitHits(): Promise<Record<string, number>> {
  const { text } = await ask(server, "/metrics", { key: adminKeyOf(server) });
  const found = text.matchAll(/^mess_limit_hits_total\{limit="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries([...found].map(([, limit, value]) => [limit ?? "", Number(value)]));
}

async function connectCode(username: string, password: string): Promise<number | undefined> {
  const client = await RawClient.open(server.mqtt);
  client.send(build.connect({ clientId: unique("c"), username, password }));
  return (await client.next("CONNACK")).code;
}

it("shows each limit from the start, and counts hits at the door and in the core by the names of the settings", async () => {
  const before = await limitHits();
  expect(Object.keys(before)).toEqual(
    expect.arrayContaining(["connectionsMax", "preAuthBytesMax", "subscriptionsMax", "backlogMessagesMax"]),
  );
  expect(Object.values(before).every((hits) => hits === 0)).toBe(true);
  const { id, secret } = server.admin;
  const client = await RawClient.connect(server.mqtt, { clientId: unique("c"), username: id, password: secret });
  await client.subscribe({ filter: "a", qos: 0 });
  await client.subscribe({ filter: "b", qos: 0 }, { refusable: true });
  const silent = await RawClient.open(server.mqtt);
  await silent.closed();
  expect(await limitHits()).toMatchObject({ connectDeadlineMs: 1, subscriptionsPerSessionMax: 1, connectionsMax: 0 });
});

it("gives a guesser no further tries at the other door", async () => {
  const { id, secret } = server.admin;
  const key = adminKeyOf(server);
  for (const wrong of ["a", "b"]) expect((await ask(server, "/v1/whoami", { key: `${id}.${wrong}` })).status).toBe(401);
  for (const wrong of ["c", "d"]) expect(await connectCode(id, wrong)).toBe(0x86);
  // Now the right one too is not looked at.
  expect((await ask(server, "/v1/whoami", { key })).status).toBe(429);
  expect(await connectCode(id, secret)).toBe(0x9f);
});
