// Damage is reported with its place and exit 65, never repaired by deletion; a torn tail is cut and told (RELIABILITY F1, F4, D7).
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { mess } from "../support/cli.ts";
import { RawClient } from "../support/raw-client.ts";
import { Server } from "../support/server.ts";
import { lasting, topic, unique } from "../support/suite.ts";

const root = mkdtempSync(join(tmpdir(), "mess-damage-"));
const original = join(root, "data");
const name = topic();
const clientId = unique("c");
const count = 200;

beforeAll(async () => {
  const server = await Server.start({ dataDir: original });
  const reader = await RawClient.connect(server.mqtt, { ...lasting(5), clientId });
  await reader.subscribe({ filter: name, qos: 1 });
  await reader.drop();
  const publisher = await RawClient.connect(server.mqtt, { clientId: unique("c") });
  for (let index = 0; index < count; index += 1)
    await publisher.publish({ topic: name, payload: `${index} ${"x".repeat(100)}`, qos: 1 });
  // a crash, so that what was acknowledged last is the end of the journal
  await server.kill();
}, 30_000);

afterAll(() => rmSync(root, { recursive: true, force: true }));

let copies = 0;
function copy(): string {
  copies += 1;
  const to = join(root, `copy${copies}`);
  cpSync(original, to, { recursive: true, filter: (path) => !/\.sock$|\/spare-/.test(path) });
  cpSync(`${original}.kek`, `${to}.kek`);
  return to;
}

const segmentOf = (dataDir: string): string => {
  const file = readdirSync(dataDir)
    .filter((each) => each.startsWith("segment-"))
    .toSorted()
    .at(-1);
  if (file === undefined) throw new Error("no segment");
  return join(dataDir, file);
};

/** Where the written part of a segment ends. */
function written(bytes: Buffer): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return end;
}

const start = (dataDir: string): ReturnType<typeof mess> =>
  mess(["serve", "--insecure-dev", "--data", dataDir, "--mqtt-port", "0", "--http-port", "0"], { timeout: 10_000 });

async function received(dataDir: string): Promise<number[]> {
  const server = await Server.start({ dataDir });
  try {
    const back = await RawClient.connect(server.mqtt, { ...lasting(5), clientId });
    back.autoAck = true;
    const all: number[] = [];
    while (all.length < count) {
      const message = await back.message(1_500).catch(() => undefined);
      if (message === undefined) break;
      all.push(Number(message.payload.toString().split(" ")[0]));
    }
    return all;
  } finally {
    await server.remove();
  }
}

it("an undamaged copy starts and has everything", async () => {
  expect(await received(copy())).toEqual(Array.from({ length: count }, (_, index) => index));
});

it.each([0.2, 0.5, 0.8])(
  "a flipped bit in the middle (%s) refuses the start with 65 and names segment and place",
  async (share) => {
    const dataDir = copy();
    const path = segmentOf(dataDir);
    const bytes = readFileSync(path);
    const at = Math.floor(written(bytes) * share);
    bytes[at] = (bytes[at] ?? 0) ^ 0x10;
    writeFileSync(path, bytes);
    const ran = await start(dataDir);
    expect(ran.code).toBe(65);
    expect(ran.stdout).toBe("");
    expect(ran.stderr).toMatch(/segment/);
    expect(ran.stderr).toMatch(/\d+/);
    // nothing was changed by the attempt
    expect(readFileSync(path).equals(bytes)).toBe(true);
    const verified = await mess(["verify", dataDir]);
    expect(verified.code).toBe(65);
  },
);

it("a missing segment, or one replaced by zeros, refuses the start with 65", async () => {
  const missing = copy();
  rmSync(segmentOf(missing));
  expect((await start(missing)).code).toBe(65);
  const zeros = copy();
  const path = segmentOf(zeros);
  writeFileSync(path, Buffer.alloc(readFileSync(path).length));
  expect((await start(zeros)).code).toBe(65);
});

it("a torn tail that was never acknowledged is cut and reported", async () => {
  const dataDir = copy();
  const path = segmentOf(dataDir);
  const bytes = readFileSync(path);
  const end = written(bytes);
  // the beginning of a frame that a crash cut: what follows keeps its zeros
  Buffer.from("torn-by-a-crash-before-its-sync").copy(bytes, Math.ceil(end / 512) * 512);
  writeFileSync(path, bytes);
  const server = await Server.start({ dataDir }).catch((error: Error) => error);
  if (server instanceof Error) {
    expect(server.message).toContain('"code":65');
  } else {
    expect(server.stderr).toMatch(/torn|cut/);
    await server.remove();
  }
});

it("cutting off what was acknowledged refuses the start, or is found by the head file", async () => {
  const dataDir = copy();
  const path = segmentOf(dataDir);
  truncateSync(path, Math.floor(written(readFileSync(path)) / 2));
  expect((await start(dataDir)).code).toBe(65);
});

it("without its key-encryption key the start is refused, and no new key is made", async () => {
  const dataDir = copy();
  rmSync(`${dataDir}.kek`, { force: true });
  const ran = await start(dataDir);
  expect([65, 78]).toContain(ran.code);
  expect(ran.stderr).toMatch(/key/);
  expect(readdirSync(root)).not.toContain(`${dataDir.split("/").at(-1)}.kek`);
});

it("with another key-encryption key the start is refused, and the data is not touched", async () => {
  const dataDir = copy();
  const path = segmentOf(dataDir);
  const before = readFileSync(path);
  rmSync(`${dataDir}.kek`, { force: true });
  const other = await Server.start();
  cpSync(`${other.dataDir}.kek`, `${dataDir}.kek`);
  await other.remove();
  const ran = await start(dataDir);
  expect([65, 78]).toContain(ran.code);
  expect(readFileSync(path).equals(before)).toBe(true);
});
