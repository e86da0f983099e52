// The README's first minutes: serve, sub and pub with no options, in a fresh directory.
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { mess } from "../support/cli.ts";
import { Server } from "../support/server.ts";
import type { Ran } from "../support/tools.ts";

const directory = mkdtempSync(join(tmpdir(), "mess-first-"));
const dataDir = join(directory, "mess-data");
let server: Server | undefined;

beforeAll(async () => {
  server = await Server.start({ mode: "secure", dataDir });
}, 30_000);

afterAll(async () => {
  await server?.remove();
  rmSync(directory, { recursive: true, force: true });
});

it("prints one ready line, and starts in well under two seconds", () => {
  expect(server?.stdout).toMatch(/^mess ready mqtts:\/\/\S+:\d+ https:\/\/\S+:\d+\n$/);
  // the first start also makes keys and certificates; the bound is wide for a busy machine
  expect(server?.startedIn).toBeLessThan(5_000);
});

it("makes the authority and one admin key, and shows the secret to nobody", () => {
  expect(readFileSync(join(dataDir, "ca.pem"), "utf8")).toContain("BEGIN CERTIFICATE");
  const key = readFileSync(join(dataDir, "admin.key"), "utf8").trim();
  expect(key).toMatch(/^[\w-]+\.[\w-]+$/);
  expect(statSync(join(dataDir, "admin.key")).mode & 0o777).toBe(0o600);
  expect((server?.stdout ?? "") + (server?.stderr ?? "")).not.toContain(key.split(".")[1]);
});

it("delivers with no options: mess sub 'a/#' and mess pub a/b hello", async () => {
  let published: Promise<Ran> | undefined;
  const subscribed = await new Promise<Ran>((resolve, reject) => {
    const subscribing = mess(["sub", "a/#", "--limit", "1", "--verbose", "--timeout", "15s"], { cwd: directory });
    subscribing.then(resolve, reject);
    const publish = async (): Promise<void> => {
      let ended = false;
      void subscribing.finally(() => {
        ended = true;
      });
      while (!ended) {
        published = mess(["pub", "a/b", "hello"], { cwd: directory });
        await published;
      }
    };
    publish().catch(reject);
  });
  expect(subscribed).toMatchObject({ code: 0, stdout: "a/b hello\n" });
  expect(await published).toMatchObject({ code: 0 });
});

it("tells where nothing listens, with exit code 69, and wrong use, with 64", async () => {
  const unreachable = await mess(["pub", "a/b", "x", "--url", "mqtts://127.0.0.1:1"], { cwd: directory });
  expect(unreachable.code).toBe(69);
  expect(unreachable.stderr).not.toBe("");
  const usage = await mess(["pub"], { cwd: directory });
  expect(usage.code).toBe(64);
  const unknown = await mess(["no-such-command"], { cwd: directory });
  expect(unknown.code).toBe(64);
});

it("answers health without a key, and everything else not", async () => {
  const { ca } = server ?? { ca: "" };
  const { Agent, get } = await import("node:https");
  const agent = new Agent({ ca });
  const status = (path: string): Promise<number> =>
    new Promise((resolve, reject) => {
      get(`${server?.httpUrl}${path}`, { agent }, (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      }).on("error", reject);
    });
  expect(await status("/livez")).toBe(200);
  expect(await status("/readyz")).toBe(200);
  expect(await status("/metrics")).toBe(401);
  agent.destroy();
});
