/** Backup and restore as a user runs them: on data of a real broker, and from a small HTTP side. */
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { Broker } from "@mess/broker";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FakeHttp } from "./fake-http.test-data.ts";
import { runMess, type TestRun, withDirectory } from "./test-io.test-data.ts";

let server: FakeHttp;

beforeEach(async () => {
  server = new FakeHttp();
  await server.listen();
});
afterEach(() => server.close());

/** A data directory with some messages in it, and a session that waits for them. */
async function withData(use: (cwd: string) => Promise<void>): Promise<void> {
  await withDirectory(async (cwd) => {
    const broker = await Broker.open({ data: join(cwd, "mess-data"), log: "silent" });
    const client = await broker.connectMqtt("admin", { clientId: "reader", sessionExpiry: 3600 });
    await client.subscribe(["t/#"]);
    await client.disconnect();
    const publisher = await broker.connectMqtt("admin");
    for (let i = 0; i < 50; i++) await publisher.publish(`t/${i}`, `message ${i}`);
    await publisher.disconnect();
    await broker.close();
    await use(cwd);
  });
}

const run = (cwd: string, ...words: string[]): Promise<TestRun> => runMess(words, { cwd });

async function waiting(data: string, kekFile: string): Promise<string[]> {
  const broker = await Broker.open({ data, kekFile, log: "silent" });
  const client = await broker.connectMqtt("admin", { clientId: "reader", cleanStart: false, sessionExpiry: 3600 });
  const texts: string[] = [];
  for await (const message of client) {
    texts.push(Buffer.from(message.payload).toString());
    if (texts.length === 50) break;
  }
  await broker.close();
  return texts;
}

describe("backup and restore", () => {
  it("offline: what comes back is what was there", () =>
    withData(async (cwd) => {
      await writeFile(join(cwd, "mess-data", "admin.key"), "k_1.secret-of-admin\n", { mode: 0o600 });
      const { code, out, err } = await run(cwd, "backup", "--offline", "copy.tar");
      expect({ code, out }).toEqual({ code: 0, out: "" });
      expect(err).toMatch(/^backed up to .*copy\.tar: .* records · head [0-9a-f]{64}\n$/u);
      expect((await stat(join(cwd, "copy.tar"))).mode & 0o777).toBe(0o600);
      const bytes = await readFile(join(cwd, "copy.tar"));
      // Neither plain text nor the admin key nor the key of keys.
      for (const secret of ["message 7", "secret-of-admin", "mess-kek-1"]) expect(bytes.includes(secret)).toBe(false);
      const restored = await run(
        cwd,
        "restore",
        "copy.tar",
        "--data",
        "back",
        "--kek-file",
        join(cwd, "mess-data.kek"),
      );
      expect(restored).toMatchObject({ code: 0, out: "", err: expect.stringContaining("restored to ") });
      expect(await readdir(join(cwd, "back"))).not.toContain("admin.key");
      expect(await run(cwd, "verify", "back", "--kek-file", join(cwd, "mess-data.kek"))).toMatchObject({ code: 0 });
      const all = Array.from({ length: 50 }, (_, i) => `message ${i}`);
      expect(await waiting(join(cwd, "back"), join(cwd, "mess-data.kek"))).toEqual(all);
    }));

  it("prints what it did as JSON, and the archive to stdout", () =>
    withData(async (cwd) => {
      const made = JSON.parse((await run(cwd, "backup", "--offline", "copy.tar", "--json")).out);
      expect(made).toMatchObject({ file: join(cwd, "copy.tar"), lastSeq: expect.any(Number) });
      const restore = await run(
        cwd,
        "restore",
        "copy.tar",
        "--data",
        "b",
        "--kek-file",
        join(cwd, "mess-data.kek"),
        "--json",
      );
      expect(JSON.parse(restore.out)).toMatchObject({ data: join(cwd, "b"), headHash: made.headHash });
      expect((await run(cwd, "backup", "--offline", "-")).out.length).toBeGreaterThan(1000);
    }));

  it("overwrites nothing, and says what to do about a key that is missing", () =>
    withData(async (cwd) => {
      await writeFile(join(cwd, "there"), "x");
      expect(await run(cwd, "backup", "--offline", "there")).toMatchObject({
        code: 74,
        err: expect.stringContaining("exists"),
      });
      await run(cwd, "backup", "--offline", "copy.tar");
      const into = (...words: string[]): Promise<TestRun> => run(cwd, "restore", "copy.tar", "--data", ...words);
      expect(await into("mess-data")).toMatchObject({ code: 78, err: expect.stringContaining("overwrites nothing") });
      expect(await into("back")).toMatchObject({ code: 78, err: expect.stringContaining("--kek-file") });
      const other = "mess-kek-1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= ";
      await writeFile(join(cwd, "other.kek"), `${other}${crc32(other.trim()).toString(16).padStart(8, "0")}\n`, {
        mode: 0o400,
      });
      expect(await into("back", "--kek-file", join(cwd, "other.kek"))).toMatchObject({
        code: 78,
        err: expect.stringContaining("does not open"),
      });
      expect(await readdir(cwd)).not.toContain("back");
      expect(await readdir(cwd)).not.toContain("back.kek");
      expect(
        await run(cwd, "restore", "there", "--data", "back", "--kek-file", join(cwd, "mess-data.kek")),
      ).toMatchObject({
        code: 65,
      });
      expect(await run(cwd, "restore", "none", "--data", "back")).toMatchObject({ code: 78 });
      await mkdir(join(cwd, "empty"));
      expect(await run(cwd, "backup", "--offline", "x", "--data", "empty")).toMatchObject({ code: 78 });
    }));

  it("from a server: the archive is checked as it comes, and only a whole one gets its name", () =>
    withData(async (cwd) => {
      await run(cwd, "backup", "--offline", "copy.tar");
      const archive = await readFile(join(cwd, "copy.tar"));
      const headers = { "content-type": "application/octet-stream", "mess-backup-bytes": String(archive.length) };
      const online = (file: string): Promise<TestRun> => server.mess(["backup", file], { cwd });
      server.answer = () => ({ body: archive, headers });
      expect(await online("good.tar")).toMatchObject({ code: 0 });
      expect(server.seen.at(-1)).toMatchObject({
        method: "GET",
        url: "/v1/backup",
        authorization: "Bearer k_1.hidden",
      });
      expect((await readFile(join(cwd, "good.tar"))).equals(archive)).toBe(true);
      const flipped = Buffer.from(archive);
      flipped[9000] = (flipped[9000] ?? 0) ^ 1;
      server.answer = () => ({ body: flipped, headers });
      expect(await online("flipped.tar")).toMatchObject({ code: 65, err: expect.stringContaining("damaged at byte") });
      server.answer = () => ({ body: archive.subarray(0, 20_000), headers });
      expect(await online("short.tar")).toMatchObject({ code: 65, err: expect.stringContaining("cut off") });
      server.answer = () => ({ body: archive, headers, cutAt: 20_000 });
      expect(await online("cut.tar")).toMatchObject({ code: 69 });
      server.answer = () => ({
        status: 403,
        body: { title: "The key does not permit this", detail: "admin.storage is needed" },
      });
      expect(await online("denied.tar")).toMatchObject({ code: 77, err: expect.stringContaining("admin.storage") });
      expect((await readdir(cwd)).filter((name) => name.includes(".tar")).sort()).toEqual(["copy.tar", "good.tar"]);
    }));

  it("is interrupted without leaving half a file", () =>
    withData(async (cwd) => {
      await run(cwd, "backup", "--offline", "copy.tar");
      const archive = await readFile(join(cwd, "copy.tar"));
      const controller = new AbortController();
      server.answer = () => {
        setTimeout(() => controller.abort(), 50);
        // The rest never comes.
        return { body: archive.subarray(0, 20_000), hold: true };
      };
      expect(await server.mess(["backup", "x.tar"], { cwd, interrupt: controller.signal })).toMatchObject({
        code: 130,
      });
      expect((await readdir(cwd)).filter((name) => name.includes("x.tar"))).toEqual([]);
    }));
});
