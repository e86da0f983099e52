import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { formatKek, loadKek, parseKek } from "./kek.ts";

let root: string;
let directory: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "mess-kek-"));
  directory = join(root, "data");
  mkdirSync(directory, { mode: 0o700 });
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

const kek = Buffer.alloc(32, 0x21);
const refusal = (message: RegExp): object => ({ code: "configuration", message: expect.stringMatching(message) });

describe("the key-encryption key", () => {
  it("is made once, beside the directory, readable by its owner alone", async () => {
    const old = process.umask(0);
    try {
      const first = await loadKek({ directory });
      expect(first).toMatchObject({ created: true, source: `${directory}.kek` });
      expect(statSync(`${directory}.kek`).mode & 0o7777).toBe(0o400);
      const second = await loadKek({ directory: `${directory}/` });
      expect(second.created).toBe(false);
      expect(second.kek).toEqual(first.kek);
      expect(existsSync(`${directory}.kek.new`)).toBe(false);
    } finally {
      process.umask(old);
    }
  });

  it("is never made for a directory that holds a journal or the keyring of one", async () => {
    for (const name of ["keyring", "segment-0000000001.mess"]) {
      writeFileSync(join(directory, name), "");
      await expect(loadKek({ directory })).rejects.toMatchObject(refusal(/A new key would not open it/));
      expect(existsSync(`${directory}.kek`)).toBe(false);
      rmSync(join(directory, name));
    }
  });

  it("comes from a file, a descriptor or a command, from one of them only", async () => {
    const path = join(root, "key");
    writeFileSync(path, formatKek(kek), { mode: 0o600 });
    const command = `cat '${path}'`;
    expect((await loadKek({ directory, kekFile: path })).kek).toEqual(kek);
    expect((await loadKek({ directory, kekFd: openSync(path, "r") })).kek).toEqual(kek);
    expect((await loadKek({ directory, kekCommand: command })).kek).toEqual(kek);
    await expect(loadKek({ directory, kekFile: path, kekCommand: command })).rejects.toMatchObject(refusal(/Name one/));
    await expect(loadKek({ directory, kekFile: join(root, "none") })).rejects.toMatchObject(refusal(/There is no/));
    await expect(loadKek({ directory, kekFd: 999 })).rejects.toMatchObject(refusal(/cannot be read/));
    await expect(loadKek({ directory, kekCommand: "echo my-secret; exit 3" })).rejects.toMatchObject(
      refusal(/ended with 3/),
    );
    expect(existsSync(`${directory}.kek`)).toBe(false);
  });

  it("is refused when others can read its file, or it is no plain file", async () => {
    const path = `${directory}.kek`;
    writeFileSync(path, formatKek(kek), { mode: 0o600 });
    chmodSync(path, 0o640);
    await expect(loadKek({ directory })).rejects.toMatchObject(
      refusal(/open to other users \(mode 0640\).*chmod 0400/),
    );
    chmodSync(path, 0o400);
    linkSync(path, join(root, "other"));
    rmSync(path);
    symlinkSync(join(root, "other"), path);
    await expect(loadKek({ directory })).rejects.toMatchObject(refusal(/symbolic link/));
    rmSync(path);
    mkdirSync(path, { mode: 0o700 });
    await expect(loadKek({ directory })).rejects.toMatchObject(refusal(/not a regular file/));
  });

  it("has a text form that tells every changed character, without telling the key", () => {
    const text = formatKek(kek);
    expect(parseKek(text, "test")).toEqual(kek);
    expect(parseKek(`  ${text}\n`, "test")).toEqual(kek);
    for (let i = 0; i < text.length - 1; i++) {
      const changed = `${text.slice(0, i)}${text[i] === "A" ? "B" : "A"}${text.slice(i + 1)}`;
      const failure = trial(() => parseKek(changed, "test"));
      expect(failure, changed).toMatchObject({ code: "configuration" });
      expect((failure as Error).message).not.toContain(text.slice(11, 20));
    }
    for (const bad of ["", "mess-kek-1", "mess-kek-1 AAAA", `${text.trim()} more`]) {
      expect(trial(() => parseKek(bad, "test"))).toMatchObject({ code: "configuration" });
    }
  });

  it("survives a start that died while it was made", async () => {
    writeFileSync(`${directory}.kek.new`, "mess-kek-1 half", { mode: 0o400 });
    const made = await loadKek({ directory });
    expect(readFileSync(`${directory}.kek`, "latin1")).toBe(formatKek(made.kek));
  });
});

function trial(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}
