// A defect ends the process there and then (LESSONS, class 4); readers of its output that go away do not.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import * as build from "../support/packets.ts";
import { RawClient } from "../support/raw-client.ts";
import { cleanEnvironment, messCommand, Server } from "../support/server.ts";
import { lasting, unique } from "../support/suite.ts";

const root = mkdtempSync(join(tmpdir(), "mess-defect-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Loaded into the server: a defect that strikes on SIGUSR2, with work to follow in the same turn of the loop. */
function plantedDefect(how: string): Record<string, string> {
  const file = join(root, `${unique("defect")}.mjs`);
  writeFileSync(file, `process.on("SIGUSR2", () => { ${how} });\n`);
  return { NODE_OPTIONS: `--import=${file}` };
}

describe("a defect", () => {
  it.each([
    ["an uncaught exception", 'throw new Error("planted")'],
    ["an unhandled rejection", 'Promise.reject(new Error("planted"))'],
    ["something thrown that is no error", 'throw "planted"'],
    ["an error in a timer", 'setTimeout(() => { throw new Error("planted") }, 1)'],
  ])("%s: exit 70, one line, nothing acknowledged after it", async (_what, how) => {
    const server = await Server.start({ env: plantedDefect(how) });
    const id = unique("c");
    const reader = await RawClient.connect(server.mqtt, { ...lasting(5), clientId: id });
    await reader.subscribe({ filter: "d/#", qos: 1 });
    await reader.drop();
    const publisher = await RawClient.connect(server.mqtt, { clientId: unique("c") });
    await publisher.publish({ topic: "d/1", payload: "before", qos: 1 });
    server.signal("SIGUSR2");
    let sent = 0;
    while (!publisher.isClosed && sent < 1_000) {
      sent += 1;
      publisher.send(build.publish({ topic: "d/2", payload: `${sent}`, qos: 1, id: sent + 10 }));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(await server.exited()).toEqual({ code: 70, signal: null });
    const lines = server.stderr.split("\n").filter((line) => line.includes("planted"));
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ level: "error", event: "process.defect", reason: "planted" });
    const { packets } = await publisher.closed();
    const acknowledged = packets.filter(({ name }) => name === "PUBACK").map((packet) => packet.id - 10);
    await server.start();
    const back = await RawClient.connect(server.mqtt, { ...lasting(5), clientId: id });
    back.autoAck = true;
    await back.ping();
    expect((await back.message()).payload.toString()).toBe("before");
    for (const each of acknowledged) expect((await back.message()).payload.toString()).toBe(`${each}`);
    await server.remove();
  });
});

/** Of a server whose ready line nobody can read. */
async function addressIn(file: string): Promise<string> {
  for (let tries = 0; tries < 500; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (existsSync(file)) return (JSON.parse(readFileSync(file, "utf8")) as { mqtt: string }).mqtt;
  }
  throw new Error("the server did not get ready");
}

describe("output that nobody reads", () => {
  it.each(["stdout", "stderr"] as const)("goes on serving after the reader of %s is gone", async (gone) => {
    const args = [
      "serve",
      "--insecure-dev",
      "--data",
      join(root, gone),
      "--mqtt-port",
      "0",
      "--http-port",
      "0",
      "--log-level",
      "debug",
    ];
    const child = spawn(messCommand, args, { stdio: ["ignore", "pipe", "pipe"], env: cleanEnvironment() });
    const exit = new Promise<number | null>((resolve) => child.once("close", resolve));
    child[gone].destroy();
    child[gone === "stdout" ? "stderr" : "stdout"].resume();
    const address = await addressIn(join(root, gone, "server.json"));
    const port = Number(/:(\d+)$/.exec(address)?.[1]);
    for (let each = 0; each < 3; each += 1) {
      // A reload is logged.
      child.kill("SIGHUP");
      const client = await RawClient.connect({ kind: "tcp", host: "127.0.0.1", port }, { clientId: unique("c") });
      await client.ping();
      await client.disconnect();
    }
    expect(child.exitCode).toBeNull();
    child.kill("SIGTERM");
    expect(await exit).toBe(0);
  });
});

it.runIf(process.getuid?.() === 0)("warns when it runs as root", async () => {
  const server = await Server.start();
  expect(server.stderr).toContain('"event":"process.root"');
  await server.remove();
});
