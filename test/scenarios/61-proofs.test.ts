// The journal as a log: checkpoints, proofs over kills, and a directory that was put back (THREATS A10, D10).
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { mess, messAt } from "../support/cli.ts";
import { RawClient } from "../support/raw-client.ts";
import { Server } from "../support/server.ts";
import { unique } from "../support/suite.ts";
import type { Ran } from "../support/tools.ts";

const root = mkdtempSync(join(tmpdir(), "mess-proofs-"));
const outside = join(root, "checkpoint");
const data = join(root, "data");
const at = (name: string): string => join(root, name);
let server: Server;

beforeAll(async () => {
  server = await Server.start({ mode: "secure", dataDir: data, args: ["--checkpoint-file", outside] });
}, 30_000);

afterAll(async () => {
  await server.remove();
  rmSync(root, { recursive: true, force: true });
});

async function publish(count: number): Promise<void> {
  const { id, secret } = server.admin;
  const client = await RawClient.connect(server.mqtt, { username: id, password: secret, clientId: unique("p") });
  for (let i = 0; i < count; i += 1) await client.publish({ topic: "a/b", payload: `message ${i}`, qos: 1 });
  await client.drop();
}

async function right(words: readonly string[]): Promise<Ran> {
  const ran = await messAt(server, words);
  expect(ran, words.join(" ")).toMatchObject({ code: 0 });
  return ran;
}

const sizeIn = (path: string): number => Number(readFileSync(path, "utf8").split("\n")[1]);

function copy(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true });
  cpSync(from, to, { recursive: true, filter: (path) => !/\.sock$|\/spare-/.test(path) });
}

it("proves over kills that it only grew, and what was in it; a directory that is put back is refused", {
  timeout: 120_000,
}, async () => {
  writeFileSync(at("log.key"), (await right(["proof", "key"])).stdout);
  const logKey = ["--log-key", at("log.key")];
  await publish(20);
  await right(["proof", "checkpoint", "--out", at("first")]);
  await right(["proof", "10", "--out", at("10.tlog-proof")]);
  await right(["topic", "create", "signed/#", "--proofs", "message"]);
  const receipt = JSON.parse((await right(["pub", "signed/x", "pay 10", "--json"])).stdout) as { offset: number };
  await right(["proof", String(receipt.offset), "--out", at("message.tlog-proof")]);
  for (let life = 0; life < 3; life += 1) {
    await publish(10);
    await server.kill();
    await server.start();
    const ran = await right(["proof", "since", at("first"), ...logKey, "--json"]);
    const { from, to } = JSON.parse(ran.stdout) as { from: number; to: number };
    expect(from).toBe(sizeIn(at("first")));
    expect(to).toBeGreaterThan(from);
    await right(["proof", "10"]);
  }
  expect(await server.stop()).toMatchObject({ code: 0 });
  expect(readFileSync(outside, "utf8")).toBe(readFileSync(join(data, "checkpoint"), "utf8"));
  copy(data, at("monday"));
  const monday = sizeIn(outside);

  await server.start();
  await publish(15);
  await server.stop();
  expect(sizeIn(outside)).toBeGreaterThan(monday);
  const verified = await mess(["verify", "--checkpoint", outside, data]);
  expect(verified).toMatchObject({ code: 0, stdout: expect.stringContaining(`(${outside}) continued`) });

  // Everything of the directory, its own checkpoint too, is as it was.
  copy(at("monday"), data);
  const refused = await mess([
    "serve",
    "--data",
    data,
    "--mqtt-port",
    "0",
    "--http-port",
    "0",
    "--checkpoint-file",
    outside,
  ]);
  expect(refused).toMatchObject({ code: 65, stderr: expect.stringContaining("was rolled back") });
  const found = await mess(["verify", "--checkpoint", outside, data]);
  expect(found).toMatchObject({ code: 65, stderr: expect.stringContaining("it was rolled back") });
  expect(await mess(["verify", data])).toMatchObject({ code: 0 });

  // Without the server, and without the data.
  expect(await mess(["proof", "verify", at("10.tlog-proof"), ...logKey])).toMatchObject({ code: 0 });
  const message = await mess(["proof", "verify", at("message.tlog-proof"), ...logKey]);
  expect(message).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/is this message: signed\/x by admin at .*: pay 10/),
  });
  const note = readFileSync(at("first"), "utf8");
  writeFileSync(at("forged"), note.replace(/\n\d+\n/, "\n1\n"));
  expect(await mess(["proof", "verify", at("forged"), ...logKey])).toMatchObject({ code: 65 });
});
