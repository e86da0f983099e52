// mess pair --ca-sha256: a client that knows no more than the authority's fingerprint pins it (THREATS A12).
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { mess } from "../support/cli.ts";
import { useServer } from "../support/suite.ts";

const shared = useServer({ mode: "secure" });
const home = mkdtempSync(join(tmpdir(), "mess-pair-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const env = { XDG_CONFIG_HOME: home };

function pair(fingerprint: string, context: string): ReturnType<typeof mess> {
  const { server } = shared;
  const keyFile = join(home, "admin.key");
  writeFileSync(keyFile, `${server.admin.id}.${server.admin.secret}\n`, { mode: 0o600 });
  const url = `mqtts://localhost:${server.mqtt.port}`;
  return mess(
    [
      "pair",
      "--url",
      url,
      "--http-url",
      server.httpUrl,
      "--ca-sha256",
      fingerprint,
      "--key-file",
      keyFile,
      "--context",
      context,
    ],
    { env, cwd: home },
  );
}

it("pins the authority the server presents, and works with it from then on", async () => {
  const { fingerprint256 } = new X509Certificate(shared.server.ca);
  expect(await pair(fingerprint256, "default")).toMatchObject({ code: 0 });
  expect(await mess(["pub", "a/b", "hello", "--qos", "1"], { env, cwd: home })).toMatchObject({ code: 0, stderr: "" });
  expect(await mess(["key", "list", "--json"], { env, cwd: home })).toMatchObject({ code: 0, stderr: "" });
});

it("refuses a server that presents no such certificate", async () => {
  const { code, stderr } = await pair("00".repeat(32), "other");
  expect(code).toBe(78);
  expect(stderr).toContain("no certificate with that fingerprint");
});
