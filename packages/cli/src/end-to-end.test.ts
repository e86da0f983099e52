/** The command line and the broker together, as on a machine that serves: no options but the data directory's place. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, cp, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Broker } from "@mess/broker";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runMess, type TestRun, withDirectory } from "./test-io.test-data.ts";

const mess = fileURLToPath(new URL("../bin/mess", import.meta.url));
const built = existsSync(fileURLToPath(new URL("../dist/main.js", import.meta.url)));

let cwd: string;
let server: ChildProcess;
let leave: () => void = () => undefined;
let left: Promise<void>;

/** Starts `mess serve` in the directory and resolves at its ready line. */
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

describe.skipIf(!built)("a server and its command line", () => {
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

  it("publishes and subscribes without options", async () => {
    // Retained, so that it arrives whichever of the two is first.
    const subscribed = run("sub", "a/#", "-v", "--limit", "1");
    expect(await run("pub", "a/b", "hello", "--retain")).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^durable at offset \d+ \(/u),
    });
    expect(await subscribed).toMatchObject({ code: 0, out: "a/b hello\n" });
  });

  it("keeps what came while a session was away", async () => {
    await run("sub", "jobs/#", "--session", "worker", "--timeout", "100ms");
    expect(await run("pub", "jobs/1", "one", "--count", "3", "--qos", "2")).toMatchObject({ code: 0 });
    expect(await run("sub", "jobs/#", "--session", "worker", "--limit", "3", "--qos", "2")).toMatchObject({
      code: 0,
      out: "one\none\none\n",
    });
  });

  it("gives, explains, uses and revokes rights", async () => {
    await writeFile(join(cwd, "policy.toml"), '[roles.device]\nallow = [{ publish = "plant/{principal}/#" }]\n');
    expect(await run("policy", "apply", "policy.toml", "--yes")).toMatchObject({
      code: 0,
      out: expect.stringContaining("+ role device"),
    });
    expect(await run("policy", "show")).toMatchObject({ code: 0, out: expect.stringContaining("[roles.device]") });
    expect(await run("key", "create", "dev7", "--role", "device", "--out", "dev7.key")).toMatchObject({ code: 0 });
    expect(await run("key", "list")).toMatchObject({ code: 0, out: expect.stringContaining("dev7") });
    expect(await run("why", "dev7", "publish", "plant/8/t")).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^DENY/u),
    });
    expect(await run("pub", "plant/dev7/t", "x", "--key-file", "dev7.key")).toMatchObject({ code: 0 });
    expect(await run("pub", "plant/8/t", "x", "--key-file", "dev7.key")).toMatchObject({ code: 77 });
    expect(await run("key", "list", "--key-file", "dev7.key")).toMatchObject({ code: 77 });
    expect(await run("key", "create", "dev8", "--role", "nosuch")).toMatchObject({ code: 64 });
    const [id = ""] = (await readFile(join(cwd, "dev7.key"), "utf8")).split(".");
    expect(await run("key", "revoke", id, "--yes")).toMatchObject({ code: 0 });
    expect(await run("pub", "plant/dev7/t", "x", "--key-file", "dev7.key")).toMatchObject({ code: 77 });
  });

  it("is found healthy, and can be paired with", async () => {
    const { code, out } = await run("doctor", "--json");
    const failed = out.split("\n").filter((line) => line.includes('"fail"'));
    expect({ code, failed }).toEqual({ code: 0, failed: [] });
    expect(await run("pair", "--context", "here")).toMatchObject({ code: 0 });
    await copyFile(join(cwd, "mess-data", "admin.key"), join(cwd, "moved.key"));
    await rm(join(cwd, "mess-data", "admin.key"));
    expect(await run("pub", "t", "x", "--context", "here")).toMatchObject({ code: 0 });
    expect(await run("pub", "t", "x")).toMatchObject({ code: 77 });
    await copyFile(join(cwd, "moved.key"), join(cwd, "mess-data", "admin.key"));
  });

  it("loses and repeats nothing under load", async () => {
    const { code, out } = await run(
      "bench",
      "--publishers",
      "2",
      "--subscribers",
      "2",
      "--duration",
      "500ms",
      "--json",
    );
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ lost: 0, duplicated: 0, outOfOrder: 0, failed: 0 });
  });

  it("is backed up while it serves, and comes back with all that was acknowledged before", async () => {
    await run("sub", "kept/#", "--session", "keeper", "--timeout", "100ms");
    const texts = Array.from({ length: 2000 }, (_, i) => `message ${i}`);
    const lines = await runMess(["pub", "kept/x", "--lines"], { cwd, stdin: `${texts.join("\n")}\n` });
    expect(lines).toMatchObject({ code: 0 });
    const load = run("bench", "--publishers", "2", "--duration", "1s", "--json");
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await run("backup", "backup.tar")).toMatchObject({ code: 0, out: "" });
    expect(JSON.parse((await load).out)).toMatchObject({ lost: 0, duplicated: 0, failed: 0 });
    const kekFile = join(cwd, "mess-data.kek");
    const restored = await run("restore", "backup.tar", "--data", "restored", "--kek-file", kekFile);
    expect(restored).toMatchObject({ code: 0, err: expect.stringContaining("restored to ") });
    expect(await readdir(join(cwd, "restored"))).not.toContain("admin.key");
    await using broker = await Broker.open({ data: join(cwd, "restored"), kekFile, log: "silent" });
    const client = await broker.connectMqtt("admin", { clientId: "keeper", cleanStart: false });
    const found: string[] = [];
    for await (const { payload } of client) {
      found.push(Buffer.from(payload).toString());
      if (found.length === texts.length) break;
    }
    expect(found).toEqual(texts);
    await client.disconnect();
  });

  it("keeps its data from others while it runs, and lets it be verified after", async () => {
    expect(await run("verify")).toMatchObject({ code: 75 });
    expect(await run("key", "reset", "--offline", "--yes")).toMatchObject({ code: 75 });
    expect(await stop()).toBe(0);
    expect(await run("verify")).toMatchObject({ code: 0, out: expect.stringMatching(/^chain ok · /u) });
    expect(await run("key", "reset", "--offline", "--yes")).toMatchObject({ code: 0 });
    await serve();
    expect(await run("pub", "t", "x")).toMatchObject({ code: 0 });
    expect(await stop()).toBe(0);
  });

  it("names damage, and makes no new key for old data", async () => {
    await cp(join(cwd, "mess-data"), join(cwd, "copy"), { recursive: true, filter: (path) => !path.endsWith(".sock") });
    expect(await run("verify", "copy")).toMatchObject({ code: 78, err: expect.stringContaining("key-encryption key") });
    const names = await readdir(join(cwd, "copy"));
    const [first = ""] = names.filter((name) => name.startsWith("segment-")).sort();
    const file = await open(join(cwd, "copy", first), "r+");
    await file.write(Buffer.from([0xff, 0xff]), 0, 2, 9000);
    await file.close();
    const kek = join(cwd, "mess-data.kek");
    expect(await run("verify", "copy", "--kek-file", kek)).toMatchObject({
      code: 65,
      err: expect.stringContaining(first),
    });
  });
});
