// What cannot be started or verified says so to programs too: code, segment, offset, sequence number (RELIABILITY D7).
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { mess } from "../support/cli.ts";
import { RawClient } from "../support/raw-client.ts";
import { Server } from "../support/server.ts";
import { unique } from "../support/suite.ts";
import type { Ran } from "../support/tools.ts";

const root = mkdtempSync(join(tmpdir(), "mess-where-"));
const original = join(root, "data");
const damaged = join(root, "damaged");
const serveArguments = ["--insecure-dev", "--mqtt-port", "0", "--http-port", "0"];
let server: Server;
let damagedSegment = 0;
let damagedByte = 0;

beforeAll(async () => {
  server = await Server.start({ dataDir: original });
  const publisher = await RawClient.connect(server.mqtt, { clientId: unique("c") });
  for (let index = 0; index < 50; index += 1) {
    await publisher.publish({ topic: "a/b", payload: "x".repeat(200), qos: 1, retain: true });
  }
  await server.kill();
  await server.start();
  cpSync(original, damaged, { recursive: true, filter: (path) => !/\.sock$|\/spare-/.test(path) });
  cpSync(`${original}.kek`, `${damaged}.kek`);
  // In the first segment, which a later one has sealed: no crash explains it.
  const name =
    readdirSync(damaged)
      .filter((each) => each.startsWith("segment-"))
      .toSorted()[0] ?? "";
  const path = join(damaged, name);
  const bytes = readFileSync(path);
  let end = bytes.length;
  while (bytes[end - 1] === 0) end -= 1;
  damagedSegment = Number(/\d+/.exec(name)?.[0]);
  damagedByte = Math.floor(end / 2);
  bytes[damagedByte] = (bytes[damagedByte] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}, 30_000);
afterAll(async () => {
  await server.remove();
  rmSync(root, { recursive: true, force: true });
});

/** Lines of NDJSON among the others. */
function jsonLines({ stderr }: Ran): Record<string, unknown>[] {
  return stderr
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

it("mess serve on damaged data: exit 65, one line for people, one for programs", async () => {
  const ran = await mess(["serve", "--data", damaged, ...serveArguments]);
  expect(ran.code).toBe(65);
  expect(ran.stdout).toBe("");
  expect(
    ran.stderr.split("\n").filter((line) => line.startsWith("mess: ") && !line.includes("--insecure-dev")),
  ).toHaveLength(1);
  const [line] = jsonLines(ran).filter(({ event }) => event === "start.failed");
  expect(line).toMatchObject({ level: "error", exitCode: 65, code: "damaged", detail: { segment: damagedSegment } });
  const { offset, seq } = (line?.["detail"] ?? {}) as { offset?: number; seq?: number };
  expect(offset).toBeGreaterThan(0);
  expect(offset).toBeLessThanOrEqual(damagedByte);
  expect(seq).toBeGreaterThan(0);
});

it("mess verify --json on damaged data: exit 65 and the same place", async () => {
  const ran = await mess(["verify", damaged, "--json"]);
  expect(ran.code).toBe(65);
  const report = JSON.parse(ran.stdout) as { ok: boolean; problem: { segment: number; offset: number; seq: number } };
  expect(report).toMatchObject({ ok: false, problem: { segment: damagedSegment } });
  expect(report.problem.offset).toBeLessThanOrEqual(damagedByte);
  const served = jsonLines(await mess(["serve", "--data", damaged, ...serveArguments])).find(
    ({ event }) => event === "start.failed",
  );
  expect(served?.["detail"]).toMatchObject({
    segment: report.problem.segment,
    offset: report.problem.offset,
    seq: report.problem.seq,
  });
});

it("on a running server's directory: exit 75, for programs too, and nothing is disturbed", async () => {
  const verified = await mess(["verify", original, "--json"]);
  expect(verified.code).toBe(75);
  expect(JSON.parse(verified.stdout)).toMatchObject({
    ok: false,
    error: { code: "in-use", detail: { file: original } },
  });
  expect(verified.stderr).toMatch(/^mess: .*in use.*\n$/);
  const served = await mess(["serve", "--data", original, ...serveArguments]);
  expect(served.code).toBe(75);
  expect(jsonLines(served).find(({ event }) => event === "start.failed")).toMatchObject({
    exitCode: 75,
    code: "in-use",
  });
  const client = await RawClient.connect(server.mqtt, { clientId: unique("c") });
  await client.ping();
});
