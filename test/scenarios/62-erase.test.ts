// One person's messages are destroyed: nobody is given them, they cannot be read from the disk, and the journal verifies (crypto-shredding).
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { adminKeyOf, ask } from "../support/ask.ts";
import { mess, messAt } from "../support/cli.ts";
import { RawClient } from "../support/raw-client.ts";
import { journalText } from "../support/read-journal.ts";
import { Server } from "../support/server.ts";
import { lasting, unique } from "../support/suite.ts";

let server: Server;

beforeAll(async () => {
  server = await Server.start({ mode: "secure" });
}, 30_000);

afterAll(() => server.remove());

it("ann's messages go, bob's stay", { timeout: 90_000 }, async () => {
  const { id, secret } = server.admin;
  const login = { username: id, password: secret };
  const created = await messAt(server, ["topic", "create", "people/#", "--erasure", "key"]);
  expect(created.code).toBe(0);
  const reader = await RawClient.connect(server.mqtt, { ...lasting(5), ...login, clientId: "reader" });
  await reader.subscribe({ filter: "people/#", qos: 1 });
  await reader.drop();
  const writer = await RawClient.connect(server.mqtt, { ...login, clientId: unique("w") });
  for (const person of ["ann", "bob"]) {
    for (let index = 0; index < 20; index += 1) {
      await writer.publish({
        topic: "people/address",
        payload: `MARKER of ${person} ${index}`,
        qos: 1 + (index % 2),
        retain: index === 19,
        properties: {
          userProperty: [
            ["mess-key", person],
            ["note", `NOTE of ${person}`],
          ],
        },
      });
    }
  }
  const backup = join(server.dataDir, "..", "before.tar");
  expect((await messAt(server, ["backup", backup])).code).toBe(0);
  const erased = await messAt(server, ["erase", "key", "people/#", "ann", "--yes", "--json"]);
  expect(erased).toMatchObject({ code: 0, stdout: '{"filter":"people/#","key":"ann","domains":1}\n' });
  expect((await messAt(server, ["erase", "key", "people/#", "ann", "--yes"])).code).not.toBe(0);
  const metrics = await ask(server, "/metrics", { key: adminKeyOf(server) });
  expect(metrics.text).toMatch(/^mess_erasure_domains 1$/mu);
  expect(server.stderr).toContain('"event":"erasure.erased"');
  await server.kill();
  await server.start();
  const again = await RawClient.connect(server.mqtt, {
    ...lasting(5),
    ...login,
    clientId: "reader",
    cleanStart: false,
  });
  const messages = await again.messages(20);
  expect(messages.map((packet) => Buffer.from(packet["payload"] as Uint8Array).toString())).toEqual(
    Array.from({ length: 20 }, (_, index) => `MARKER of bob ${index}`),
  );
  await again.expectNothing();
  await again.drop();
  await server.stop();
  const verified = await mess(["verify", server.dataDir, "--json"]);
  expect(JSON.parse(verified.stdout)).toMatchObject({ ok: true, erased: expect.any(Number) });
  const text = await journalText(server.dataDir);
  expect(text).toContain("MARKER of bob 7");
  expect(text).toContain("NOTE of bob");
  expect(text).not.toContain("MARKER of ann");
  expect(text).not.toContain("NOTE of ann");
  // The slot of the domain is zeros.
  const slots = readFileSync(join(server.dataDir, "erasure-keys"));
  expect(slots.subarray(0, 64).every((byte) => byte === 0)).toBe(true);
  expect(slots.subarray(64, 128).some((byte) => byte !== 0)).toBe(true);
  // A backup has the keys as they were: it restores, and verifies.
  const back = join(server.dataDir, "..", "back");
  const kek = ["--kek-file", `${server.dataDir}.kek`];
  expect((await mess(["restore", backup, "--data", back, ...kek])).code).toBe(0);
  expect(readdirSync(back)).toContain("erasure-keys");
  expect(JSON.parse((await mess(["verify", back, "--json", ...kek])).stdout)).toMatchObject({ ok: true, erased: 0 });
});
