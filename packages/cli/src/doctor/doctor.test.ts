import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { testCertificates } from "../../../client/src/test-certificates.test-data.ts";
import { TestServer } from "../../../client/src/test-server.test-data.ts";
import { runMess, type TestRun, withDirectory } from "../test-io.test-data.ts";
import type { Finding, Patient } from "./finding.ts";
import { checkClock, checkWeakening } from "./machine-checks.ts";
import { checkCertificates } from "./server-checks.ts";

let mqtt: TestServer;
let web: http.Server;
let ready = 200;

beforeEach(() => {
  ready = 200;
});
afterEach(async () => {
  await mqtt?.close();
  await new Promise((resolve) => (web === undefined ? resolve(undefined) : web.close(resolve)));
});

/** A data directory as a healthy server leaves it, with a server behind it. */
async function healthy(cwd: string): Promise<string> {
  const { ca, key, cert } = await testCertificates(["127.0.0.1"]);
  mqtt = new TestServer({ tls: { key, cert } });
  web = http.createServer((request, response) => response.writeHead(request.url === "/readyz" ? ready : 404).end());
  await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
  const data = join(cwd, "mess-data");
  await mkdir(data, { mode: 0o700 });
  const file = {
    mqtt: await mqtt.listen(),
    https: `http://127.0.0.1:${(web.address() as AddressInfo).port}`,
    pid: 1,
    insecure: false,
  };
  await writeFile(join(data, "server.json"), JSON.stringify(file), { mode: 0o600 });
  await writeFile(join(data, "ca.pem"), ca, { mode: 0o600 });
  await writeFile(join(data, "admin.key"), "k.hidden-words", { mode: 0o600 });
  await writeFile(`${data}.kek`, "x", { mode: 0o400 });
  return data;
}

async function findings(
  cwd: string,
  env: NodeJS.ProcessEnv = {},
): Promise<{ run: TestRun; of: (id: string) => Finding | undefined; all: Finding[] }> {
  const run = await runMess(["doctor", "--json"], { cwd, env });
  const all = run.out
    .trimEnd()
    .split("\n")
    .map((line): Finding => JSON.parse(line));
  return { run, all, of: (id) => all.find((finding) => finding.id === id) };
}

describe("doctor", () => {
  it("makes the checks that are asked for alone", () =>
    withDirectory(async (cwd) => {
      await healthy(cwd);
      const run = await runMess(["doctor", "--json", "--only", "data.kek", "node.version"], { cwd });
      const ids = run.out
        .trimEnd()
        .split("\n")
        .map((line) => (JSON.parse(line) as Finding).id);
      expect({ ids, code: run.code }).toEqual({ ids: ["data.kek", "node.version"], code: 0 });
      expect(await runMess(["doctor", "--only", "data.kee"], { cwd })).toMatchObject({ code: 64, out: "" });
    }));

  it("finds nothing to fail in a healthy installation", () =>
    withDirectory(async (cwd) => {
      await healthy(cwd);
      const { run, of, all } = await findings(cwd);
      expect(all.filter(({ status }) => status === "fail")).toEqual([]);
      expect(run.code).toBe(0);
      expect(run.out).not.toContain("hidden-words");
      expect(of("data.admin-key")).toMatchObject({ status: "warn" });
      for (const id of [
        "data.permissions",
        "data.files",
        "data.kek",
        "certificate.ca",
        "certificate.server",
        "server.mqtt",
        "server.ready",
        "options.weakening",
      ]) {
        // The certificates of the test are good for a day.
        expect(of(id)?.status, id).toBe(id.startsWith("certificate.") ? "warn" : "ok");
      }
      const text = await runMess(["doctor"], { cwd });
      expect(text.out).toMatch(/^ok {4}data\.permissions {6}/mu);
    }));

  it("fails what is open to others, with the command that mends it", () =>
    withDirectory(async (cwd) => {
      const data = await healthy(cwd);
      await chmod(data, 0o755);
      await chmod(join(data, "admin.key"), 0o644);
      await chmod(`${data}.kek`, 0o440);
      const { run, of } = await findings(cwd);
      expect(run).toMatchObject({ code: 78, err: expect.stringContaining("3 checks failed") });
      expect(of("data.permissions")).toMatchObject({ status: "fail", fix: `chmod 700 ${data}` });
      expect(of("data.files")).toMatchObject({ status: "fail", fix: expect.stringContaining("chmod 600") });
      expect(of("data.kek")).toMatchObject({ status: "fail", fix: `chmod 400 ${data}.kek` });
    }));

  it("fails a server that is gone or not ready", () =>
    withDirectory(async (cwd) => {
      await healthy(cwd);
      ready = 503;
      expect((await findings(cwd)).of("server.ready")).toMatchObject({
        status: "fail",
        text: expect.stringContaining("503"),
      });
      await mqtt.close();
      expect((await findings(cwd)).of("server.mqtt")).toMatchObject({
        status: "fail",
        text: expect.stringContaining("ECONNREFUSED"),
      });
    }));

  it("goes on when a file cannot be used", () =>
    withDirectory(async (cwd) => {
      const data = await healthy(cwd);
      await writeFile(join(data, "server.json"), "{");
      const { run, of } = await findings(cwd);
      expect(run.code).toBe(78);
      expect(of("data.readable")).toMatchObject({
        status: "fail",
        text: expect.stringContaining("server.json cannot be used"),
      });
      expect(of("data.permissions")).toMatchObject({ status: "ok" });
    }));

  it("has words for a machine without a server, and for a missing key-encryption key", () =>
    withDirectory(async (cwd) => {
      const nothing = await findings(cwd);
      expect(nothing.run.code).toBe(0);
      expect(nothing.of("data.permissions")).toMatchObject({ status: "warn" });
      expect(nothing.of("server.mqtt")).toMatchObject({ status: "warn" });
      const data = await healthy(cwd);
      await rm(`${data}.kek`);
      expect((await findings(cwd)).of("data.kek")).toMatchObject({
        status: "warn",
        fix: expect.stringContaining("--kek-file"),
      });
    }));

  it("names weakening settings", async () => {
    const patient: Patient = {
      env: {},
      directory: "/d",
      local: undefined,
      target: undefined,
      now: Date.now(),
      signal: new AbortController().signal,
    };
    const of = async (env: NodeJS.ProcessEnv, insecure = false): Promise<string[]> => {
      const local = { url: "", httpUrl: "", ca: undefined, key: undefined, pid: undefined, insecure };
      return (await checkWeakening({ ...patient, env, local })).map(({ status, text }) => `${status} ${text}`);
    };
    expect(await of({})).toEqual(["ok no weakening option is set"]);
    expect(await of({ MESS_INSECURE_DEV: "0", NODE_TLS_REJECT_UNAUTHORIZED: "1", MESS_INSECURE_X: "" })).toEqual([
      "ok no weakening option is set",
    ]);
    expect(
      await of(
        { MESS_INSECURE_DEV: "true", NODE_TLS_REJECT_UNAUTHORIZED: "0", SSLKEYLOGFILE: "/k", MESS_INSECURE_NEW: "1" },
        true,
      ),
    ).toHaveLength(5);
    expect((await checkClock({ ...patient, now: 0 }))[0]).toMatchObject({ status: "fail" });
  });

  it("counts the days of a certificate", async () => {
    const { ca } = await testCertificates(["x"]);
    const day = 86_400_000;
    const of = async (now: number, pem: string): Promise<string | undefined> => {
      const local = { url: "", httpUrl: "", ca: pem, key: undefined, pid: undefined, insecure: false };
      const patient: Patient = {
        env: {},
        directory: "/d",
        local,
        target: undefined,
        now,
        signal: new AbortController().signal,
      };
      return (await checkCertificates(patient))[0]?.status;
    };
    expect(await of(Date.now() - 20 * day, ca)).toBe("ok");
    expect(await of(Date.now(), ca)).toBe("warn");
    expect(await of(Date.now() + 2 * day, ca)).toBe("fail");
    expect(await of(Date.now(), "not PEM")).toBe("fail");
  });
});
