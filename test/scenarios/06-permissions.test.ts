// The data directory belongs to one user: 0700 and 0600 whatever the umask, and others are refused (THREATS A9).
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { mess } from "../support/cli.ts";
import { RawClient } from "../support/raw-client.ts";
import { Server } from "../support/server.ts";
import { unique } from "../support/suite.ts";

const root = mkdtempSync(join(tmpdir(), "mess-mode-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const start = (dataDir: string): ReturnType<typeof mess> =>
  mess(["serve", "--insecure-dev", "--data", dataDir, "--mqtt-port", "0", "--http-port", "0"], { timeout: 10_000 });

it("makes everything for its user alone under umask 000", async () => {
  const dataDir = join(root, "wide");
  const before = process.umask(0);
  const server = await Server.start({ mode: "secure", dataDir }).finally(() => process.umask(before));
  const { id, secret } = server.admin;
  const client = await RawClient.connect(server.mqtt, { clientId: unique("c"), username: id, password: secret });
  await client.publish({ topic: "a/b", payload: "x", qos: 1, retain: true });
  const wrong: string[] = [];
  for (const name of ["", ...readdirSync(dataDir, { recursive: true })] as string[]) {
    const stat = lstatSync(join(dataDir, name));
    const wanted = stat.isDirectory() ? 0o700 : 0o600;
    if ((stat.mode & 0o777 & ~wanted) !== 0) wrong.push(`${name} ${(stat.mode & 0o777).toString(8)}`);
  }
  expect(wrong).toEqual([]);
  expect(lstatSync(`${dataDir}.kek`).mode & 0o777).toBe(0o400);
  await server.stop();
  await server.start();
  await server.remove();
});

it.each([0o755, 0o770, 0o701, 0o777])(
  "refuses a data directory with mode %o, with 78 and how to mend it",
  async (mode) => {
    const dataDir = join(root, `mode-${mode.toString(8)}`);
    mkdirSync(dataDir);
    chmodSync(dataDir, mode);
    const ran = await start(dataDir);
    expect(ran.code).toBe(78);
    expect(ran.stderr).toContain(dataDir);
    expect(ran.stderr).toMatch(/chmod|0?700/);
    expect(readdirSync(dataDir)).toEqual([]);
  },
);

it("refuses a data directory that is a symbolic link, and one that is a file", async () => {
  const real = join(root, "real");
  mkdirSync(real, { mode: 0o700 });
  const link = join(root, "link");
  symlinkSync(real, link);
  expect((await start(link)).code).toBe(78);
  expect(readdirSync(real)).toEqual([]);
  expect((await start(`${process.execPath}`)).code).toBe(78);
});

it.each(["segment", "keyring", "admin.key"])("refuses a %s that others may read or that is a link", async (kind) => {
  const dataDir = join(root, `loose-${kind}`);
  const server = await Server.start({ mode: "secure", dataDir });
  await server.stop();
  const name = readdirSync(dataDir).find((each) => each.startsWith(kind));
  if (name === undefined) return;
  chmodSync(join(dataDir, name), 0o644);
  const ran = await mess(["serve", "--data", dataDir, "--mqtt-port", "0", "--http-port", "0"], { timeout: 4_000 });
  expect([65, 78]).toContain(ran.code);
  expect(ran.stderr).toContain(name);
});

it("shows no secret in its command line or environment", async () => {
  const dataDir = join(root, "quiet");
  const server = await Server.start({ mode: "secure", dataDir });
  const { readFileSync } = await import("node:fs");
  const { secret } = server.admin;
  const shown =
    readFileSync(`/proc/${server.pid}/cmdline`, "latin1") + readFileSync(`/proc/${server.pid}/environ`, "latin1");
  expect(shown).not.toContain(secret);
  await server.remove();
});
