import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hostContract } from "../../../../test/contracts/host/host-contract.ts";
import { nodeHost } from "./node-host.ts";

const newDirectory = (): string => mkdtempSync(join(tmpdir(), "mess-host-"));

hostContract("the host on Node", async () => {
  const directory = newDirectory();
  return {
    host: nodeHost(),
    directory,
    settle: (promise) => promise,
    end: async () => rmSync(directory, { recursive: true, force: true }),
  };
});

let directory: string;

beforeEach(() => {
  directory = newDirectory();
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe("files of the host on Node", () => {
  it("have the modes of the contract under any umask", async () => {
    const { disk } = nodeHost();
    const old = process.umask(0);
    try {
      for (const mask of [0, 0o777, 0o022]) {
        process.umask(mask);
        await disk.makeDirectory(join(directory, `d${mask}`));
        await (await disk.open(join(directory, `f${mask}`), "create")).close();
        expect(statSync(join(directory, `d${mask}`)).mode & 0o7777).toBe(0o700);
        expect(statSync(join(directory, `f${mask}`)).mode & 0o7777).toBe(0o600);
      }
    } finally {
      process.umask(old);
    }
  });

  it("are not opened through a symbolic link, and links are told", async () => {
    const { disk } = nodeHost();
    writeFileSync(join(directory, "real"), "x");
    symlinkSync(join(directory, "real"), join(directory, "link"));
    linkSync(join(directory, "real"), join(directory, "second"));
    for (const how of ["read", "readwrite"] as const) {
      await expect(disk.open(join(directory, "link"), how)).rejects.toMatchObject({ code: "ELOOP" });
    }
    expect(await disk.stat(join(directory, "link"))).toMatchObject({ kind: "symlink" });
    expect(await disk.stat(join(directory, "real"))).toMatchObject({ kind: "file", links: 2 });
    mkdirSync(join(directory, "sub"));
    chmodSync(join(directory, "sub"), 0o750);
    expect(await disk.stat(join(directory, "sub"))).toMatchObject({ kind: "directory", mode: 0o750 });
  });
});

describe("syncing directories", () => {
  it("goes on without a free descriptor, and follows a directory that was made anew", async () => {
    const { disk } = nodeHost();
    const path = join(directory, "sub");
    const opened = (): string[] => readdirSync("/proc/self/fd");
    mkdirSync(path);
    await disk.syncDirectory(path);
    const before = opened().length;
    for (let i = 0; i < 20; i++) await disk.syncDirectory(path);
    expect(opened().length).toBe(before);
    rmSync(path, { recursive: true });
    await expect(disk.syncDirectory(path)).rejects.toMatchObject({ code: "ENOENT" });
    mkdirSync(path);
    await disk.syncDirectory(path);
    for (let i = 0; i < 20; i++) {
      mkdirSync(join(directory, `d${i}`));
      await disk.syncDirectory(join(directory, `d${i}`));
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(opened().length).toBeLessThanOrEqual(before + 4);
  });
});

/** A process that takes the lock, says how that went, and holds it. */
function contender(): ChildProcess & { said: Promise<string> } {
  const module = new URL("./node-lock.ts", import.meta.url).href;
  const source = `
    const { lockDirectory } = await import(${JSON.stringify(module)});
    await lockDirectory(process.env.LOCK_DIRECTORY).then(
      () => { console.log("locked"); setInterval(() => undefined, 1000); },
      (error) => console.log(error.code),
    );`;
  const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", source], {
    env: { ...process.env, LOCK_DIRECTORY: directory },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const said = new Promise<string>((resolve) => {
    child.stdout.on("data", (data: Buffer) => resolve(data.toString().trim()));
    child.once("close", () => resolve("nothing"));
  });
  return Object.assign(child, { said });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = new Promise((resolve) => child.once("close", resolve));
  child.kill("SIGKILL");
  await closed;
}

describe("the lock of a directory", () => {
  it("goes to exactly one of several processes, and ends with a killed one", { timeout: 60_000 }, async () => {
    const rivals = [contender(), contender(), contender()];
    try {
      const said = await Promise.all(rivals.map((rival) => rival.said));
      expect(said.toSorted()).toEqual(["EBUSY", "EBUSY", "locked"]);
      await expect(nodeHost().disk.lock(directory)).rejects.toMatchObject({ code: "EBUSY" });
      await Promise.all(rivals.map(stop));
      expect(readdirSync(directory)).toEqual(["lock.sock"]);
      const lock = await nodeHost().disk.lock(directory);
      expect(statSync(join(directory, "lock.sock")).mode & 0o777).toBe(0o600);
      await expect(nodeHost().disk.lock(directory)).rejects.toMatchObject({ code: "EBUSY" });
      await lock.release();
      await (await nodeHost().disk.lock(directory)).release();
    } finally {
      await Promise.all(rivals.map(stop));
    }
  });
});
