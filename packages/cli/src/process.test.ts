/** What only a process can show: the launcher, signals, pipes, time to start. Runs what `npm run build` made. */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { PacketType } from "@mess/wire";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { TestServer } from "../../client/src/test-server.test-data.ts";

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const mess = path("../bin/mess");

let server: TestServer;
let url: string;
beforeEach(async () => {
  server = new TestServer();
  url = await server.listen();
});
afterEach(() => server.close());

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function start(
  file: string,
  words: readonly string[],
): { kill: (signal: NodeJS.Signals) => void; ended: Promise<Ended> } {
  const { PATH, HOME } = process.env;
  const child = spawn(file, words, { env: { PATH, HOME, MESS_URL: url }, stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  const ended = new Promise<Ended>((resolve) => child.on("close", (code) => resolve({ code, out, err })));
  return { kill: (signal) => child.kill(signal), ended };
}

describe.skipIf(!existsSync(path("../dist/main.js")))("the mess process", () => {
  it("prints its version", async () => {
    const { version } = JSON.parse(readFileSync(path("../package.json"), "utf8"));
    expect(await start(mess, ["--version"]).ended).toEqual({ code: 0, out: `${version}\n`, err: "" });
  });

  it("loads neither client nor broker for help", async () => {
    const script = `
      process.argv = [process.argv[0], "mess", "pub", "--help"];
      process.on("exit", () => console.error(process.moduleLoadList.join(" ")));
      await import(${JSON.stringify(path("../dist/main.js"))});`;
    const { code, err, out } = await start(process.execPath, ["--input-type=module", "-e", script]).ended;
    expect(code).toBe(0);
    expect(out).toContain("Usage: mess pub");
    expect(err).toContain("NativeModule fs");
    expect(err).not.toContain("NativeModule tls");
  });

  it("ends with 64 and 69 as the shell sees it", async () => {
    expect((await start(mess, ["nonsense"]).ended).code).toBe(64);
    await server.close();
    expect((await start(mess, ["pub", "t", "x"]).ended).code).toBe(69);
    server = new TestServer();
    await server.listen();
  });

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("says goodbye on %s and ends with %s", async (signal, code) => {
    const { kill, ended } = start(mess, ["sub", "t"]);
    await vi.waitFor(() => expect(server.connections[0]?.subscriptions.length).toBe(1), 10_000);
    kill(signal);
    expect(await ended).toMatchObject({ code, out: "", err: "subscribed to t\n" });
    expect(server.connection.received.at(-1)?.type).toBe(PacketType.DISCONNECT);
  });

  it("ends quietly when its reader has had enough", async () => {
    const pipe = `${mess} sub t | head -n 1; echo "\${PIPESTATUS[0]}"`;
    const { ended } = start("bash", ["-c", pipe]);
    await vi.waitFor(() => expect(server.connections[0]?.subscriptions.length).toBe(1), 10_000);
    const timer = setInterval(() => {
      server.connection.send({
        type: PacketType.PUBLISH,
        topic: "t",
        payload: Buffer.from("line"),
        qos: 0,
        retain: false,
        dup: false,
      });
    }, 20);
    const { out, err } = await ended;
    clearInterval(timer);
    expect(out).toBe("line\n0\n");
    expect(err).toBe("subscribed to t\n");
  });

  it("writes out everything before it ends", async () => {
    const { out } = await start("bash", ["-c", `${mess} completion bash | (sleep 0.3; cat)`]).ended;
    expect(out).toMatch(/complete -o default -F _mess mess\n$/u);
  });
});
