// A damaged journal goes on with what is left, when somebody asks for it: copy kept, loss told and signed (RELIABILITY D7).
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { mess } from "../support/cli.ts";
import { RawClient } from "../support/raw-client.ts";
import { Server } from "../support/server.ts";
import { lasting, unique } from "../support/suite.ts";

let server: Server;

beforeAll(async () => {
  server = await Server.start({ mode: "secure" });
}, 30_000);

afterAll(() => server.remove());

const total = 60;
const text = (index: number): string => `message ${index} `.padEnd(3_000, ".");

/** Rots a byte in the middle of what was written, of the segment that has the most. */
function rot(): void {
  const names = readdirSync(server.dataDir).filter((name) => name.startsWith("segment-"));
  const ends = names.map((name) => ({ name, end: endOf(join(server.dataDir, name)) }));
  const { name, end } = ends.toSorted((a, b) => b.end - a.end)[0] ?? { name: "", end: 0 };
  const file = openSync(join(server.dataDir, name), "r+");
  const byte = Buffer.alloc(1);
  const at = Math.floor(end / 2);
  readSync(file, byte, 0, 1, at);
  writeSync(file, Buffer.of((byte[0] ?? 0) ^ 0x20), 0, 1, at);
  closeSync(file);
}

function endOf(path: string): number {
  const bytes = readFileSync(path);
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return end;
}

it("starts again, and delivers everything but what is lost", { timeout: 90_000 }, async () => {
  const { id, secret } = server.admin;
  const login = { username: id, password: secret };
  const session = { ...lasting(5), ...login, clientId: "reader" };
  const reader = await RawClient.connect(server.mqtt, session);
  await reader.subscribe({ filter: "t/#", qos: 1 });
  await reader.drop();
  const writer = await RawClient.connect(server.mqtt, { ...login, clientId: unique("w") });
  for (let index = 0; index < total; index += 1) await writer.publish({ topic: "t/x", payload: text(index), qos: 1 });
  await server.kill();
  const data = server.dataDir;
  expect((await mess(["repair", data, "--yes"])).stdout).toBe("nothing is damaged, and nothing was changed\n");
  rot();
  expect((await mess(["verify", data])).code).toBe(65);
  const dry = await mess(["repair", data, "--dry-run"]);
  expect(dry).toMatchObject({ code: 0, stdout: expect.stringContaining("would be lost") });
  expect(readdirSync(dirname(data)).filter((name) => name.includes("damaged"))).toEqual([]);
  expect((await mess(["repair", data])).code).toBe(64);
  const repaired = await mess(["repair", data, "--yes", "--json"]);
  expect(repaired.code).toBe(0);
  const outcome = JSON.parse(repaired.stdout) as {
    lost: { first: number; last: number }[];
    kept: string;
    note: string;
    snapshotSeq: number;
  };
  expect(outcome.lost.length).toBe(1);
  expect((await mess(["verify", outcome.kept, "--kek-file", `${data}.kek`])).code).toBe(65);
  expect((await mess(["verify", data])).code).toBe(0);
  const note = readFileSync(outcome.note, "utf8");
  const [range] = outcome.lost;
  expect(note).toContain(`\n${range?.first}-${range?.last}\n`);
  // Signed by the log that ends here, as its checkpoints are.
  if (existsSync(join(outcome.kept, "checkpoint.key.sealed")))
    expect(note).toMatch(/\n— mess\/[0-9a-f]{32} [A-Za-z0-9+/=]+\n$/u);
  await server.start();
  const again = await RawClient.connect(server.mqtt, { ...session, cleanStart: false });
  const found: string[] = [];
  for (;;) {
    const packet = await again.message(1_000).catch(() => undefined);
    if (packet === undefined) break;
    found.push(Buffer.from(packet["payload"] as Uint8Array).toString());
  }
  expect(found.length).toBeGreaterThan(total - 4);
  expect(found.length).toBeLessThan(total);
  const all = Array.from({ length: total }, (_, index) => text(index));
  expect(all.filter((one) => found.includes(one))).toEqual(found);
  expect(await again.publish({ topic: "t/y", payload: "on it goes", qos: 1 })).toBeDefined();
  await again.drop();
});
