// Broken settings refuse the start with what, where and how to mend: exit 78, or 64 for the command line (never open).
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { mess } from "../support/cli.ts";

const root = mkdtempSync(join(tmpdir(), "mess-config-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;

const fresh = (): string => {
  count += 1;
  return join(root, `d${count}`);
};

// each of these must end before it listens, so the ports do not matter
const serve = (args: readonly string[], env: Record<string, string> = {}): ReturnType<typeof mess> =>
  mess(["serve", "--data", fresh(), ...args], { env, timeout: 10_000 });

const file = (content: string | Buffer): string => {
  const path = `${fresh()}.toml`;
  writeFileSync(path, content);
  return path;
};

describe("a broken configuration file", () => {
  const cases: [string, string | Buffer, RegExp?][] = [
    ["an unknown key", 'lisen = "127.0.0.1"\n', /listen/],
    ["a key of the wrong type", "listen = 5\n"],
    ["TOML that is none", "listen = [\n"],
    ["a port beyond its range", "mqttPort = 70000\n"],
    ["a negative limit", "[limits]\nconnectionsMax = -1\n"],
    ["an unknown limit", "[limits]\nconectionsMax = 10\n", /connectionsMax/],
    ["bytes that are not UTF-8", Buffer.from([0xff, 0xfe, 0x00, 0x41])],
  ];
  it.concurrent.each(cases)("%s: exit 78, with the file's name", async (_name, content, hint) => {
    const path = file(content);
    const ran = await serve(["--config", path]);
    expect(ran.code).toBe(78);
    expect(ran.stderr).toContain(path);
    if (hint !== undefined) expect(ran.stderr).toMatch(hint);
    expect(ran.stdout).toBe("");
  });

  it.concurrent.each([
    ["a missing file", join(root, "no-such.toml")],
    ["a directory", root],
  ])("%s: exit 78", async (_name, path) => {
    const ran = await serve(["--config", path]);
    expect(ran.code).toBe(78);
    expect(ran.stdout).toBe("");
  });
});

describe("broken options", () => {
  it.concurrent("an unknown option is wrong use: exit 64", async () => {
    expect((await serve(["--lisen", "127.0.0.1"])).code).toBe(64);
  });

  it.concurrent.each([[["--mqtt-port", "x"]], [["--mqtt-port", "65536"]], [["--mqtt-port", "-1"]]])(
    "%s is refused",
    async (args) => {
      expect([64, 78]).toContain((await serve(args)).code);
    },
  );

  it.concurrent("an unknown variable MESS_… is refused with 78 and its name", async () => {
    const ran = await serve([], { MESS_LISEN: "127.0.0.1" });
    expect(ran.code).toBe(78);
    expect(ran.stderr).toContain("MESS_LISEN");
  });

  it.concurrent.each(["0.0.0.0", "::", "192.0.2.1"])(
    "--insecure-dev on %s is refused: loopback only",
    async (address) => {
      const ran = await serve(["--insecure-dev", "--listen", address]);
      expect(ran.code).toBe(78);
      expect(ran.stdout).toBe("");
    },
  );

  it.concurrent("a certificate without its key, or a file that is none, is refused with 78", async () => {
    const certificate = file("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    expect((await serve(["--tls-cert", certificate])).code).toBe(78);
    expect((await serve(["--tls-cert", certificate, "--tls-key", certificate])).code).toBe(78);
  });
});

describe("a broken policy file", () => {
  it.concurrent.each([
    ["an unknown key", '[roles.a]\nalow = [{ publish = "#" }]\n'],
    ["an unknown action", '[roles.a]\nallow = [{ publsh = "#" }]\n'],
    ["a filter that is none", '[roles.a]\nallow = [{ publish = "a/#/b" }]\n'],
    ["a role that is not there", '[principals.p]\nroles = ["no-such-role"]\n'],
    ["TOML that is none", "[roles"],
  ])("%s: the start is refused, nothing is opened", async (_name, content) => {
    const ran = await serve(["--policy-file", file(content)]);
    expect(ran.code).toBe(78);
    expect(ran.stdout).toBe("");
  });

  it.concurrent("a directory in place of the file is refused", async () => {
    const path = fresh();
    mkdirSync(path);
    expect((await serve(["--policy-file", path])).code).toBe(78);
  });
});
