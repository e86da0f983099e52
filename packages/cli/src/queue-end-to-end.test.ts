/** Queues by the command line alone, against a real server: declared, filled, worked, failed, redriven. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runMess, type TestRun, withDirectory } from "./test-io.test-data.ts";

const mess = fileURLToPath(new URL("../bin/mess", import.meta.url));
const built = existsSync(fileURLToPath(new URL("../dist/main.js", import.meta.url)));

let cwd: string;
let server: ChildProcess;
let leave: () => void = () => undefined;
let left: Promise<void>;

async function serve(): Promise<void> {
  const { PATH } = process.env;
  const words = ["serve", "--mqtt-port", "0", "--http-port", "0", "--log-level", "fatal"];
  server = spawn(mess, words, { cwd, env: { PATH, HOME: cwd }, stdio: ["ignore", "pipe", "inherit"] });
  await new Promise<void>((resolve, reject) => {
    server.stdout?.on("data", (chunk: Buffer) => chunk.includes("mess ready ") && resolve());
    server.once("exit", (code) => reject(new Error(`mess serve ended with ${code}`)));
  });
}

function stop(): Promise<number | null> {
  if (server.exitCode !== null) return Promise.resolve(server.exitCode);
  const ended = new Promise<number | null>((resolve) => server.once("exit", resolve));
  server.kill("SIGTERM");
  return ended;
}

const run = (...words: string[]): Promise<TestRun> => runMess(words, { cwd });

async function ok(...words: string[]): Promise<string> {
  const { code, out, err } = await run(...words);
  expect({ code, err: code === 0 ? "" : err }, words.join(" ")).toEqual({ code: 0, err: "" });
  return out;
}

async function json(...words: string[]): Promise<Record<string, unknown>[]> {
  const out = await ok(...words, "--json");
  return out
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe.skipIf(!built)("queues by the command line", () => {
  beforeAll(async () => {
    await new Promise<void>((ready) => {
      left = withDirectory(async (directory) => {
        cwd = directory;
        ready();
        await new Promise<void>((resolve) => {
          leave = resolve;
        });
      });
    });
    await serve();
  });
  afterAll(async () => {
    await stop();
    leave();
    await left;
  });

  it("declares topics, and holds publishers to them", async () => {
    await ok("topic", "create", "orders/#", "--max-message-size", "1KiB", "--key", "orders/{id}/#");
    expect(await run("topic", "create", "orders/#")).toMatchObject({
      code: 64,
      err: expect.stringContaining("--replace"),
    });
    expect(await ok("topic", "ls")).toMatch(/^orders\/# +admin +1KiB +orders\/\{id\}\/#$/mu);
    expect(await ok("topic", "describe", "orders/#")).toContain("maxMessageSize  1KiB");
    const large = await runMess(["pub", "orders/1/created", "-"], { cwd, stdin: "x".repeat(2000) });
    expect(large).toMatchObject({ code: 74, err: expect.stringContaining("1024") });
    await ok("topic", "create", "scratch/+");
    await ok("topic", "delete", "scratch/+", "--yes");
    expect(await run("topic", "describe", "scratch/+")).toMatchObject({ code: 64 });
  });

  it("fills a subscription and works it over MQTT", async () => {
    const declare = [
      "subscription",
      "create",
      "billing",
      "-f",
      "orders/+/created",
      "--ordering",
      "key",
      "--max-deliveries",
      "2",
    ];
    await ok(...declare, "--backoff", "10ms,20ms");
    await ok("pub", "orders/1/created", '{"id":1}', "--id", "o1");
    expect(await ok("pub", "orders/1/created", '{"id":1}', "--id", "o1")).toContain("published before");
    await ok("pub", "orders/2/created", '{"id":2}', "--key", "c2", "-H", "source=web");
    expect(await ok("subscription", "ls")).toMatch(/^billing +orders\/\+\/created +key +0 +≤?2 +0 +0 +0 +\d+$/mu);
    const [first, second] = await json("sub", "--queue", "billing", "--limit", "2", "--quiet");
    expect(first).toMatchObject({ topic: "orders/1/created", payload: { id: 1 }, key: "1", attempt: 1 });
    expect(second).toMatchObject({ key: "c2", properties: { userProperties: [["source", "web"]] } });
    expect(await ok("subscription", "describe", "billing")).toMatch(/^ready +0$/mu);
  });

  it("publishes batches, all or nothing too, and pulls them over HTTP", async () => {
    const lines = Array.from({ length: 30 }, (_, i) =>
      JSON.stringify({ topic: `orders/${i}/created`, json: { id: i } }),
    );
    const batch = (text: string, ...words: string[]): Promise<TestRun> =>
      runMess(["pub", "--batch", ...words], { cwd, stdin: text });
    expect(await batch(`${lines.slice(0, 15).join("\n")}\n`)).toMatchObject({ code: 0 });
    const refused = await batch(
      `${lines[15]}\n{"topic":"orders/x/created","payload":"${"x".repeat(2000)}"}\n`,
      "--atomic",
    );
    expect(refused).toMatchObject({ out: "", err: expect.stringContaining("line 2") });
    expect(refused.code).not.toBe(0);
    expect(await batch(`${lines.slice(15).join("\n")}\n`, "--atomic")).toMatchObject({
      code: 0,
      out: expect.stringContaining("durable 15 messages, all at once"),
    });
    const pulled = await json("subscription", "pull", "billing", "--limit", "30");
    expect(pulled.map(({ payload }) => (payload as { id: number }).id).sort((a, b) => a - b)).toEqual(
      lines.map((_, i) => i),
    );
    expect(await json("subscription", "pull", "billing")).toEqual([]);
  });

  it("keeps what failed as dead letters, over a restart, and redrives them", async () => {
    await ok("pub", "orders/7/created", "poison");
    await ok("sub", "--queue", "billing", "--nack", "--limit", "2");
    await ok("pub", "orders/8/created", "refused");
    await ok("sub", "--queue", "billing", "--reject", "--limit", "1");
    expect(await stop()).toBe(0);
    await serve();
    const letters = await json("dead", "ls", "billing");
    expect(letters.map(({ payload }) => payload)).toEqual(["poison", "refused"]);
    expect(letters[0]).toMatchObject({ dead: { attempts: 2, topic: "orders/7/created" } });
    const offset = String(letters[0]?.["offset"]);
    expect(await ok("dead", "show", "billing", offset)).toMatch(/attempts +2[\s\S]*\n\npoison\n$/u);
    expect(await run("subscription", "delete", "billing", "--yes")).toMatchObject({
      code: 64,
      err: expect.stringContaining("--force"),
    });
    expect(await ok("dead", "redrive", "billing", "--offset", offset, "--yes")).toBe("redriven 1\n");
    const [again] = await json("subscription", "pull", "billing");
    expect(again).toMatchObject({ payload: "poison", attempt: 1 });
    expect(await ok("dead", "purge", "billing", "--all", "--yes")).toBe("purged 1\n");
    expect(await json("dead", "ls", "billing")).toEqual([]);
  });

  it("lists and cancels what is delayed", async () => {
    await ok("pub", "orders/9/created", "later", "--delay", "1h");
    await ok("pub", "orders/9/created", "never", "--at", new Date(Date.now() + 7_200_000).toISOString());
    await ok("pub", "orders/9/created", "soon", "--delay", "300ms");
    const delayed = await json("delayed", "ls");
    expect(delayed.length).toBeGreaterThanOrEqual(2);
    await ok("delayed", "cancel", String(delayed.at(-1)?.["offset"]), "--yes");
    expect(await ok("delayed", "ls")).toMatch(/orders\/9\/created +\S+ \S+ +59m/u);
    expect(await ok("subscription", "pull", "billing", "--wait", "10s")).toBe("soon\n");
    expect(await run("delayed", "cancel", "999999999", "--yes")).toMatchObject({ code: 64 });
  });

  it("reads again what was read", async () => {
    await ok("topic", "create", "orders/#", "--retention-age", "1h", "--replace");
    await ok("pub", "orders/5/created", "once");
    expect(await ok("subscription", "pull", "billing", "--wait", "5s")).toBe("once\n");
    const [receipt] = await json("pub", "orders/5/created", "twice");
    await ok("subscription", "pull", "billing", "--wait", "5s");
    await ok("subscription", "reset", "billing", "--to", String(receipt?.["offset"]), "--yes");
    expect(await ok("subscription", "pull", "billing", "--wait", "5s")).toBe("twice\n");
    const replayed = await ok(
      "sub",
      "orders/5/created",
      "--from",
      String(receipt?.["offset"]),
      "--limit",
      "1",
      "--timeout",
      "5s",
    );
    expect(replayed).toBe("twice\n");
    await ok("subscription", "delete", "billing", "--force", "--yes");
    expect(await ok("subscription", "ls")).not.toContain("billing");
  });

  it("holds others to their rights", async () => {
    await ok("key", "create", "stranger", "--out", "stranger.key");
    const stranger = (...words: string[]): Promise<TestRun> => run(...words, "--key-file", "stranger.key");
    expect(await stranger("topic", "create", "orders/#", "--replace")).toMatchObject({ code: 77 });
    expect(await stranger("subscription", "create", "x", "-f", "orders/#")).toMatchObject({ code: 77 });
    expect(await stranger("sub", "--queue", "x")).toMatchObject({ code: 77 });
    expect(await stranger("backup", "stolen.tar")).toMatchObject({
      code: 77,
      err: expect.stringContaining("admin.storage"),
    });
    expect((await stranger("subscription", "ls")).out).toBe("");
  });
});
