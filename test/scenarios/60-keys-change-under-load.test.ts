// Data key and key-encryption key change while publishers work and the process is killed: nothing acknowledged is lost (THREATS D11).
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { adminKeyOf, ask } from "../support/ask.ts";
import { mess, messAt } from "../support/cli.ts";
import { RawClient } from "../support/raw-client.ts";
import { Server } from "../support/server.ts";
import { lasting, unique } from "../support/suite.ts";

const publishers = 4;
const rounds = 5;
let server: Server;

beforeAll(async () => {
  server = await Server.start({ mode: "secure" });
}, 30_000);

afterAll(() => server.remove());

/** Data keys that the segments on disk name. */
function keysOnDisk(): ReadonlySet<number> {
  const names = readdirSync(server.dataDir).filter((name) => name.startsWith("segment-"));
  return new Set(names.map((name) => readFileSync(join(server.dataDir, name)).readUInt32LE(36)));
}

async function publishUntil(topic: string, isOver: () => boolean, acknowledged: string[]): Promise<void> {
  const { id, secret } = server.admin;
  const client = await RawClient.connect(server.mqtt, { username: id, password: secret, clientId: unique("p") });
  for (let index = 0; !isOver(); index += 1) {
    const payload = `${topic} ${index}`;
    try {
      await client.publish({ topic, payload, qos: 1 });
    } catch {
      return;
    }
    acknowledged.push(payload);
  }
}

it("loses nothing over rotations of both keys and kills", { timeout: 120_000 }, async () => {
  const { id, secret } = server.admin;
  const reader = { ...lasting(5), username: id, password: secret, clientId: unique("r") };
  const first = await RawClient.connect(server.mqtt, reader);
  await first.subscribe({ filter: "load/#", qos: 1 });
  await first.drop();
  const acknowledged: string[] = [];
  for (let round = 0; round < rounds; round += 1) {
    let over = false;
    const work = Array.from({ length: publishers }, (_, number) =>
      publishUntil(`load/${round}/${number}`, () => over, acknowledged),
    );
    const key = adminKeyOf(server);
    const paths = ["/v1/storage/rotate-data-key", "/v1/storage/rotate-kek", "/v1/storage/rotate-data-key"];
    for (const path of paths) {
      const { status, text } = await ask(server, path, { method: "POST", key });
      expect({ status, text }).toMatchObject({ status: 200 });
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    // The kill meets one more rotation at some point of its way.
    const last = ask(server, paths[round % 2] ?? "", { method: "POST", key }).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, round * 2));
    await server.kill();
    over = true;
    await Promise.all([...work, last]);
    await server.start();
  }
  expect(acknowledged.length).toBeGreaterThan(100);
  const again = await RawClient.connect(server.mqtt, { ...reader, cleanStart: false });
  const missing = new Set(acknowledged);
  // What was never acknowledged may come too.
  while (missing.size > 0) {
    const message = await again.next((packet) => packet.name === "PUBLISH").catch(() => undefined);
    if (message === undefined) break;
    missing.delete(Buffer.from(message["payload"] as Uint8Array).toString());
  }
  expect([...missing]).toEqual([]);
  await again.drop();
  expect(keysOnDisk().size).toBeGreaterThan(rounds);
  expect(existsSync(`${server.dataDir}.kek.next`)).toBe(false);
  expect(existsSync(`${server.dataDir}.kek.old-${rounds}`)).toBe(true);
});

it("changes both by command, and tells what it did", { timeout: 60_000 }, async () => {
  const rotated = await messAt(server, ["data-key", "rotate", "--json"]);
  expect(rotated).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\{"key":\d+\}\n$/u) });
  const { code, stdout } = await messAt(server, ["kek", "rotate", "--yes", "--json"]);
  expect(code).toBe(0);
  const { source, kept } = JSON.parse(stdout) as { source: string; kept: string };
  expect(source).toBe(`${server.dataDir}.kek`);
  const status = await ask(server, "/v1/storage", { key: adminKeyOf(server) });
  expect(JSON.parse(status.text)).toMatchObject({
    kek: "file",
    dataKey: { id: (JSON.parse(rotated.stdout) as { key: number }).key },
  });
  expect((await messAt(server, ["kek", "rotate", "--new-kek-file", "x", "--yes"])).code).toBe(64);
  await server.stop();
  // The key before opens nothing any more, the new one does.
  expect((await mess(["verify", server.dataDir, "--kek-file", kept])).code).toBe(78);
  expect((await mess(["verify", server.dataDir])).code).toBe(0);
});

it("moves to a key elsewhere while no server runs", { timeout: 60_000 }, async () => {
  const elsewhere = join(server.dataDir, "..", "elsewhere.kek");
  const moved = await mess([
    ...["kek", "rotate", "--offline", "--yes", "--data", server.dataDir],
    ...["--new-kek-file", elsewhere],
  ]);
  expect(moved).toMatchObject({ code: 0, stderr: expect.stringContaining(elsewhere) });
  expect((await mess(["verify", server.dataDir])).code).toBe(78);
  expect((await mess(["verify", server.dataDir, "--kek-file", elsewhere])).code).toBe(0);
  const command = ["kek", "rotate", "--offline", "--yes", "--data", server.dataDir];
  const back = await mess([
    ...command,
    "--kek-command",
    `cat '${elsewhere}'`,
    "--new-kek-command",
    `cat '${server.dataDir}.kek'`,
  ]);
  expect(back.code).toBe(0);
  rmSync(elsewhere);
  expect((await mess(["verify", server.dataDir])).code).toBe(0);
  await server.start();
  expect((await mess(command)).code).toBe(75);
});
