import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { nodeHost } from "../host/node-host.ts";
import { createKekFile, loadKek, nextKekPath } from "./kek.ts";
import { KekKeeper } from "./kek-keeper.ts";
import { endKekRotation, rotateKekFile } from "./kek-rotation.ts";
import { type Keyring, openKeyring } from "./keyring.ts";

const host = nodeHost();
let root: string;
let directory: string;
let path: string;
let ring: Keyring;
let first: Buffer;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "mess-kek-"));
  directory = join(root, "data");
  path = `${directory}.kek`;
  mkdirSync(directory, { mode: 0o700 });
  first = createKekFile(path);
  ring = await openKeyring({ host, directory, kek: first, create: true });
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

const opens = async (): Promise<boolean> => {
  const { kek } = await loadKek({ directory });
  return (await openKeyring({ host, directory, kek, create: false })).journalId.equals(ring.journalId);
};

it("puts a new key in the place of the file, and keeps the one before", async () => {
  const { kept } = await rotateKekFile(path, (kek) => ring.rewrap(kek));
  expect(kept).toBe(`${path}.old-1`);
  expect((await loadKek({ directory })).kek.equals(first)).toBe(false);
  expect((await loadKek({ directory, kekFile: kept })).kek.equals(first)).toBe(true);
  expect([path, kept].map((file) => statSync(file).mode & 0o777)).toEqual([0o400, 0o400]);
  expect(existsSync(nextKekPath(path))).toBe(false);
  expect(await opens()).toBe(true);
  const second = await rotateKekFile(path, (kek) => ring.rewrap(kek));
  expect(second.kept).toBe(`${path}.old-2`);
  await expect(openKeyring({ host, directory, kek: first, create: false })).rejects.toMatchObject({ exitCode: 78 });
  expect(await opens()).toBe(true);
});

it("opens after a kill before the keyring was wrapped, and forgets the key that nothing uses", async () => {
  const killed = rotateKekFile(path, () => Promise.reject(new Error("killed")));
  await expect(killed).rejects.toThrow("killed");
  expect(existsSync(nextKekPath(path))).toBe(true);
  expect(await opens()).toBe(true);
  endKekRotation(path, directory);
  expect(existsSync(nextKekPath(path))).toBe(false);
  expect((await loadKek({ directory })).kek.equals(first)).toBe(true);
});

it("opens after a kill between wrapping and naming, and ends the rotation", async () => {
  const killed = rotateKekFile(path, async (kek) => {
    await ring.rewrap(kek);
    throw new Error("killed");
  });
  await expect(killed).rejects.toThrow("killed");
  expect(await opens()).toBe(true);
  // Killed again while it gave the old key its second name.
  copyFileSync(path, `${path}.old-1`);
  chmodSync(`${path}.old-1`, 0o400);
  endKekRotation(path, directory);
  expect(existsSync(nextKekPath(path))).toBe(false);
  expect(existsSync(`${path}.old-2`)).toBe(false);
  expect(await opens()).toBe(true);
  expect((await loadKek({ directory, kekFile: `${path}.old-1` })).kek.equals(first)).toBe(true);
});

it("takes the new key from a command that gives another one by now, and says when it does not", async () => {
  const shown = join(root, "shown");
  copyFileSync(path, shown);
  chmodSync(shown, 0o600);
  const options = { directory, kekCommand: `cat '${shown}'` };
  const keeper = new KekKeeper({ options, keyring: ring, kek: first });
  await expect(keeper.rotate()).rejects.toMatchObject({ code: "in-use", message: expect.stringContaining("same key") });
  const next = createKekFile(join(root, "next"));
  rmSync(shown);
  copyFileSync(join(root, "next"), shown);
  expect(await keeper.rotate()).toEqual({ source: "the key command" });
  expect((await openKeyring({ host, directory, kek: next, create: false })).currentKeyId).toBe(1);
  const descriptor = new KekKeeper({ options: { directory, kekFd: 9 }, keyring: ring, kek: next });
  await expect(descriptor.rotate()).rejects.toMatchObject({ code: "in-use" });
  const memory = new KekKeeper({ options: { directory, kek: next }, keyring: ring, kek: next });
  await expect(memory.rotate()).rejects.toMatchObject({ code: "in-use" });
});

it("never writes a key in clear into the data directory", async () => {
  await rotateKekFile(path, (kek) => ring.rewrap(kek));
  const { kek } = await loadKek({ directory });
  const bytes = readFileSync(join(directory, "keyring"));
  for (const key of [kek, first]) {
    expect(bytes.includes(key)).toBe(false);
    expect(bytes.includes(key.toString("base64"))).toBe(false);
  }
});
