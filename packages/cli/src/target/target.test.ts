import { chmod, mkdir, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { withDirectory } from "../test-io.test-data.ts";
import { contextPath, readContext, writeContext } from "./context-file.ts";
import { isJwt, parseKeyText } from "./key-text.ts";
import { readSmallFile } from "./read-small-file.ts";
import { resolveTarget } from "./target.ts";

describe("parseKeyText", () => {
  it("reads id.secret", () => {
    expect(parseKeyText("k_1.mess_x.y\n", "f")).toEqual({ id: "k_1", secret: "mess_x.y" });
  });

  it.each(["", ".", "a.", ".b", "ab", "a.b c", "a.b\nc.d", `a.${"x".repeat(9000)}`])(
    "refuses %j without repeating it",
    (text) => {
      expect(() => parseKeyText(text, "the file")).toThrow(/^the file does not hold a key$/u);
    },
  );
});

describe("isJwt", () => {
  it.each([
    ["k_1.mess_secret", false],
    ["eyJhbGci.eyJpc3Mi.c2ln", true],
    ["eyJhbGci.eyJpc3Mi.c2ln.x", false],
    ["eyJhbGci.eyJpc3Mi.", false],
  ])("%s: %s", (text, expected) => {
    expect(isJwt(text.endsWith(".") ? { id: "eyJhbGci", secret: "eyJpc3Mi." } : parseKeyText(text, "f"))).toBe(
      expected,
    );
  });
});

describe("readSmallFile", () => {
  it("tells what is wrong by exit code", () =>
    withDirectory(async (directory) => {
      await writeFile(join(directory, "f"), "12345");
      expect(await readSmallFile(join(directory, "f"), "it", 5)).toBe("12345");
      await expect(readSmallFile(join(directory, "f"), "it", 4)).rejects.toMatchObject({
        exitCode: 78,
        message: /larger than 4 bytes/u,
      });
      await expect(readSmallFile(join(directory, "none"), "it", 4)).rejects.toMatchObject({
        exitCode: 78,
        message: /does not exist/u,
      });
      await expect(readSmallFile(directory, "it", 4)).rejects.toMatchObject({ exitCode: 74 });
      await chmod(join(directory, "f"), 0);
      if (process.getuid?.() === 0) return;
      await expect(readSmallFile(join(directory, "f"), "it", 5)).rejects.toMatchObject({ exitCode: 77 });
    }));
});

describe("a client certificate", () => {
  it("comes from its options or the environment, both files or none, and takes the place of a remembered key", () =>
    withDirectory(async (cwd) => {
      await writeFile(join(cwd, "a.pem"), "CERT");
      await writeFile(join(cwd, "a.key"), "KEY");
      await mkdir(join(cwd, "mess-data"));
      await writeFile(
        join(cwd, "mess-data/server.json"),
        JSON.stringify({ mqtt: "mqtts://h:1", https: "https://h:2" }),
      );
      await writeFile(join(cwd, "mess-data/admin.key"), "k_1.mess_x");
      const env = { HOME: cwd };
      const url = "mqtts://h:1";
      expect(await resolveTarget({ url, cert: "a.pem", certKey: "a.key" }, { cwd, env })).toMatchObject({
        certificate: { cert: "CERT", key: "KEY" },
        key: undefined,
      });
      const named = { ...env, MESS_CERT: "a.pem", MESS_CERT_KEY: "a.key", MESS_KEY: "k_2.mess_y" };
      expect(await resolveTarget({ url }, { cwd, env: named })).toMatchObject({
        certificate: { cert: "CERT", key: "KEY" },
        key: { id: "k_2" },
      });
      await expect(resolveTarget({ url, cert: "a.pem" }, { cwd, env })).rejects.toMatchObject({ exitCode: 78 });
      await expect(resolveTarget({ url, certKey: "a.key" }, { cwd, env })).rejects.toMatchObject({ exitCode: 78 });
    }));
});

describe("contexts", () => {
  it("lie under XDG_CONFIG_HOME or ~/.config, and nowhere else", () => {
    expect(contextPath({ XDG_CONFIG_HOME: "/x" }, "a")).toBe("/x/mess/contexts/a.json");
    expect(contextPath({ XDG_CONFIG_HOME: "relative", HOME: "/h" }, "a")).toBe("/h/.config/mess/contexts/a.json");
    for (const name of ["../a", "", ".a", "a/b", "a".repeat(65)])
      expect(() => contextPath({ HOME: "/h" }, name)).toThrow(/not a context name/u);
  });

  it("are written for their owner alone and read back", () =>
    withDirectory(async (directory) => {
      const path = join(directory, "mess", "contexts", "default.json");
      const context = { url: "mqtts://h", httpUrl: undefined, ca: "PEM", key: "a.b" };
      await writeContext(path, { ...context, ca: undefined });
      await writeContext(path, context);
      expect(await readContext(path)).toEqual(context);
      expect((await stat(path)).mode & 0o777).toBe(0o600);
      expect((await stat(join(directory, "mess"))).mode & 0o777).toBe(0o700);
      expect(await readContext(join(directory, "none.json"))).toBeUndefined();
    }));

  it.each(["", "[]", "null", "{}", '{"url":1}', '{"url":"u","key":2}'])("that are damaged are named (%s)", (text) =>
    withDirectory(async (directory) => {
      await writeFile(join(directory, "c.json"), text);
      await expect(readContext(join(directory, "c.json"))).rejects.toMatchObject({
        exitCode: 78,
        message: /cannot be used/u,
      });
    }),
  );
});

interface World {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

async function withWorld(use: (world: World) => Promise<void>): Promise<void> {
  await withDirectory(async (cwd) => {
    await mkdir(join(cwd, "mess-data"));
    await writeFile(join(cwd, "mess-data", "ca.pem"), "LOCAL CA");
    await writeFile(join(cwd, "mess-data", "admin.key"), "local.secret\n");
    await use({ cwd, env: { HOME: cwd } });
  });
}

describe("resolveTarget", () => {
  it("finds the data directory of this machine", () =>
    withWorld(async (world) => {
      expect(await resolveTarget({}, world)).toMatchObject({
        url: "mqtts://127.0.0.1:8883",
        httpUrl: "https://127.0.0.1:8443",
        ca: "LOCAL CA",
        key: { id: "local", secret: "secret" },
      });
      const file = { mqtt: "mqtts://127.0.0.1:9", https: "https://127.0.0.1:10", pid: 1, insecure: false };
      await writeFile(join(world.cwd, "mess-data", "server.json"), JSON.stringify(file));
      expect(await resolveTarget({}, world)).toMatchObject({ url: file.mqtt, httpUrl: file.https });
      await symlink("mess-data", join(world.cwd, "other"));
      expect(await resolveTarget({ data: "other" }, world)).toMatchObject({ url: file.mqtt });
      expect(await resolveTarget({}, { ...world, env: { ...world.env, MESS_DATA: "other" } })).toMatchObject({
        url: file.mqtt,
      });
    }));

  it("prefers flags to the environment, that to a context, that to the data directory", () =>
    withWorld(async ({ cwd, env }) => {
      await writeContext(contextPath(env, "default"), {
        url: "mqtts://context",
        httpUrl: "https://context",
        ca: "CONTEXT CA",
        key: "context.secret",
      });
      const of = async (options: object, more: NodeJS.ProcessEnv = {}): Promise<string> =>
        (await resolveTarget(options, { cwd, env: { ...env, ...more } })).url;
      expect(await of({})).toBe("mqtts://context");
      expect(await of({}, { MESS_URL: "mqtts://environment" })).toBe("mqtts://environment");
      expect(await of({ url: "mqtts://flag" }, { MESS_URL: "mqtts://environment" })).toBe("mqtts://flag");
      expect(await of({ data: "mess-data" })).toBe("mqtts://127.0.0.1:8883");
      expect(await of({}, { MESS_URL: "" })).toBe("mqtts://context");
      await expect(of({ context: "none" })).rejects.toMatchObject({ exitCode: 78 });
    }));

  it("takes the key from a flag, MESS_KEY or MESS_KEY_FILE", () =>
    withWorld(async ({ cwd, env }) => {
      await writeFile(join(cwd, "a.key"), "a.1");
      await writeFile(join(cwd, "b.key"), "b.2");
      const of = async (options: object, more: NodeJS.ProcessEnv): Promise<string | undefined> =>
        (await resolveTarget(options, { cwd, env: { ...env, ...more } })).key?.id;
      expect(await of({}, { MESS_KEY_FILE: "b.key" })).toBe("b");
      expect(await of({}, { MESS_KEY_FILE: "b.key", MESS_KEY: "c.3" })).toBe("c");
      expect(await of({ keyFile: "a.key" }, { MESS_KEY_FILE: "b.key", MESS_KEY: "c.3" })).toBe("a");
    }));

  it("does not let --url carry a remembered key to another server", () =>
    withWorld(async (world) => {
      await writeFile(join(world.cwd, "other.pem"), "OTHER CA");
      const key = async (options: object): Promise<string | undefined> => (await resolveTarget(options, world)).key?.id;
      // With the CA remembered beside it, only the server of that CA can take it.
      expect(await key({ url: "mqtts://elsewhere" })).toBe("local");
      expect((await resolveTarget({ url: "mqtts://elsewhere" }, world)).ca).toBe("LOCAL CA");
      expect(await key({ url: "mqtt://elsewhere" })).toBeUndefined();
      expect(await key({ url: "mqtt://127.0.0.1:1883" })).toBeUndefined();
      expect(await key({ url: "mqtts://elsewhere", ca: "other.pem" })).toBeUndefined();
      expect((await resolveTarget({ url: "mqtts://elsewhere" }, world)).httpUrl).toBeUndefined();
    }));

  it("says what to do when there is nothing", () =>
    withDirectory(async (cwd) => {
      const nothing = resolveTarget({}, { cwd, env: { HOME: cwd } });
      await expect(nothing).rejects.toMatchObject({ exitCode: 78, message: /no server is known/u, hint: /npm start/u });
    }));
});
