// Signals at bad moments: before the start is finished, twice, a reload of what is broken (DESIGN section 8, LESSONS 3).
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { afterAll, describe, expect, it } from "vitest";
import { testCertificates } from "../../packages/client/src/test-certificates.test-data.ts";
import { adminKeyOf, ask } from "../support/ask.ts";
import * as build from "../support/packets.ts";
import { RawClient } from "../support/raw-client.ts";
import { cleanEnvironment, type Exit, messCommand, Server } from "../support/server.ts";
import { unique } from "../support/suite.ts";

const root = mkdtempSync(join(tmpdir(), "mess-signals-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error("it did not come to be");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

interface EarlyEnd extends Exit {
  readonly stdout: string;
  readonly tookMs: number;
}

/** A start that gets SIGTERM so many milliseconds after it began. */
function endedAfter(dataDir: string, milliseconds: number, signals = 1): Promise<EarlyEnd> {
  return new Promise((resolve) => {
    const args = ["serve", "--data", dataDir, "--mqtt-port", "0", "--http-port", "0"];
    const child = spawn(messCommand, args, { stdio: ["ignore", "pipe", "ignore"], env: cleanEnvironment() });
    let stdout = "";
    let asked = 0;
    child.stdout.on("data", (bytes: Buffer) => {
      stdout += bytes.toString();
    });
    setTimeout(() => {
      asked = performance.now();
      for (let each = 0; each < signals; each += 1) child.kill("SIGTERM");
    }, milliseconds);
    child.once("close", (code, signal) => resolve({ code, signal, stdout, tookMs: performance.now() - asked }));
  });
}

describe("SIGTERM", () => {
  it("within the first second ends in order or before anything was begun, and the next start has all it needs", async () => {
    const dataDir = join(root, "early");
    for (const wait of [0, 60, 150, 250, 350, 500, 700, 1_000]) {
      const { code, signal, stdout, tookMs } = await endedAfter(dataDir, wait);
      // Before the program runs at all, the system ends it.
      if (signal === "SIGTERM") expect(stdout).toBe("");
      else expect({ wait, code, signal }).toEqual({ wait, code: 0, signal: null });
      expect(tookMs).toBeLessThan(5_000);
    }
    const server = await Server.start({ mode: "secure", dataDir });
    expect((await ask(server, "/v1/whoami", { key: adminKeyOf(server) })).status).toBe(200);
    await server.remove();
  }, 60_000);

  it("twice ends at once: 143, and what was acknowledged is there", async () => {
    const server = await Server.start();
    const publisher = await RawClient.connect(server.mqtt, { clientId: unique("c") });
    await publisher.publish({ topic: "kept", payload: "x", qos: 1, retain: true });
    // Its connection stays open while the server drains.
    const stuck = await RawClient.connect(server.mqtt, { clientId: unique("c") });
    stuck.stream.socket.pause();
    for (let each = 0; each < 200; each += 1) {
      stuck.send(build.publish({ topic: "to/nobody", payload: Buffer.alloc(1_000), qos: 0 }));
    }
    server.signal("SIGTERM");
    await new Promise((resolve) => setTimeout(resolve, 50));
    const began = performance.now();
    server.signal("SIGTERM");
    const exit = await server.exited();
    expect(performance.now() - began).toBeLessThan(1_000);
    // 0 where the first one had done its work before the second came.
    expect([0, 143]).toContain(exit.code);
    await server.start();
    const reader = await RawClient.connect(server.mqtt, { clientId: unique("c") });
    await reader.subscribe({ filter: "kept", qos: 0 });
    expect((await reader.message()).payload.toString()).toBe("x");
    await server.remove();
  });
});

describe("SIGHUP", () => {
  it("with a broken policy file keeps the old policy and says so; mended, it applies", async () => {
    const policyFile = join(root, "policy.toml");
    const policy = (filter: string): string =>
      `[roles.r]\nallow = [{ publish = "${filter}" }]\n[principals.p]\nroles = ["r"]\n`;
    writeFileSync(policyFile, policy("old/#"));
    const server = await Server.start({ mode: "secure", args: ["--policy-file", policyFile] });
    const inForce = async (): Promise<string> => (await ask(server, "/v1/policy", { key: adminKeyOf(server) })).text;
    expect(await inForce()).toContain("old/#");
    const broken = [
      '[roles.r]\nallow = [{ publish = "new/#/x" }]\n',
      "[roles.r\n",
      '[roles.r]\nallow = [{ publsh = "a" }]\n',
      "\u0000",
    ];
    for (const text of broken) {
      const before = server.stderr.length;
      writeFileSync(policyFile, text);
      server.signal("SIGHUP");
      await until(() => server.stderr.slice(before).includes("reload.failed"));
      expect(server.stderr.slice(before)).toContain(policyFile);
      expect(await inForce()).toContain("old/#");
    }
    rmSync(policyFile);
    const before = server.stderr.length;
    server.signal("SIGHUP");
    await until(() => server.stderr.slice(before).includes("reload.failed"));
    expect(await inForce()).toContain("old/#");
    writeFileSync(policyFile, policy("new/#"));
    server.signal("SIGHUP");
    await until(async () => (await inForce()).includes("new/#"));
    await server.remove();
  }, 30_000);

  it("takes a replaced certificate into service, keeps connections, and keeps the old one when the new does not fit", async () => {
    const paths = { cert: join(root, "cert.pem"), key: join(root, "key.pem") };
    const first = await testCertificates(["localhost", "127.0.0.1"]);
    const put = (made: typeof first): void => {
      writeFileSync(paths.cert, made.cert);
      writeFileSync(paths.key, made.key, { mode: 0o600 });
    };
    put(first);
    const server = await Server.start({ mode: "secure", args: ["--tls-cert", paths.cert, "--tls-key", paths.key] });
    // With a certificate of one's own there is no ca.pem.
    const host = "127.0.0.1";
    const port = Number(/mqtts:\/\/127\.0\.0\.1:(\d+)/.exec(server.stdout)?.[1]);
    /** True when the server proves itself to a client that trusts `ca` alone. */
    const trusted = (ca: string): Promise<boolean> =>
      new Promise((resolve) => {
        const socket = connect({ host, port, ca, servername: "localhost" });
        socket.once("secureConnect", () => resolve(true));
        socket.once("error", () => resolve(false));
        socket.once("close", () => resolve(false));
        socket.once("secureConnect", () => socket.destroy());
      });
    expect(await trusted(first.ca)).toBe(true);
    const { id, secret } = server.admin;
    const old = await RawClient.connect(
      { kind: "tls", host, port, ca: first.ca },
      { clientId: unique("c"), username: id, password: secret },
    );
    const second = await testCertificates(["localhost", "127.0.0.1"]);
    put(second);
    server.signal("SIGHUP");
    await until(() => trusted(second.ca));
    expect(await trusted(first.ca)).toBe(false);
    await old.ping();
    writeFileSync(paths.key, first.key);
    const before = server.stderr.length;
    server.signal("SIGHUP");
    await until(() => server.stderr.slice(before).includes("reload.failed"));
    expect(await trusted(second.ca)).toBe(true);
    await old.ping();
    await server.remove();
  }, 30_000);
});
