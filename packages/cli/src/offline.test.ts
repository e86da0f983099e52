/** The commands that hand over to the broker: what they ask of it, and what they make of its answers. */
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { runMess, withDirectory } from "./test-io.test-data.ts";

const broker = vi.hoisted(() => ({
  serve: vi.fn(),
  resetAdminKey: vi.fn(),
  exportKek: vi.fn(),
  loadKek: vi.fn(),
  nodeHost: vi.fn(),
  verifyJournal: vi.fn(),
}));
vi.mock("./actions/broker-library.ts", () => ({ loadBroker: async () => broker }));

beforeEach(() => {
  for (const one of Object.values(broker)) one.mockReset();
});

const good = {
  ok: true,
  problem: undefined,
  segments: 1,
  frames: 1200,
  records: 5000,
  erased: 0,
  firstSeq: 1,
  lastSeq: 5000,
  headHash: "8f3c",
  tree: { size: 1_200, root: "77" },
  checkpoints: [] as { file: string; size: number; signed: boolean; result: "continued" | "unknown" }[],
  trims: [],
  keyless: false,
  unexplained: [],
  emptyBytes: [{ segment: 1, from: 10, to: 20, what: "zeros" }],
};

describe("serve", () => {
  it("hands over the flags that were given, and no others, and ends with its exit code", async () => {
    broker.serve.mockResolvedValue(75);
    const words = [
      "--data",
      "d",
      "--mqtt-port",
      "0",
      "--host-name",
      "a",
      "--host-name",
      "b",
      "--kek-fd",
      "3",
      "--insecure-dev",
    ];
    const { code } = await runMess(["serve", ...words], { cwd: "/", env: { MESS_LISTEN: "127.0.0.1" } });
    expect(code).toBe(75);
    const [options] = broker.serve.mock.calls[0] ?? [];
    expect(options.flags).toEqual({ data: "d", mqttPort: 0, hostName: ["a", "b"], kekFd: 3, insecureDev: true });
    expect(options.env).toMatchObject({ MESS_LISTEN: "127.0.0.1" });
  });

  it("refuses what it does not know before anything starts", async () => {
    for (const words of [["--port", "1"], ["--mqtt-port", "65536"], ["extra"]]) {
      expect((await runMess(["serve", ...words], { cwd: "/" })).code).toBe(64);
    }
    expect(broker.serve).not.toHaveBeenCalled();
  });
});

describe("key reset and kek export", () => {
  it("resets with --offline, without showing the secret to a log", async () => {
    broker.resetAdminKey.mockResolvedValue({ id: "k_9", secret: "hidden-words" });
    const words = ["key", "reset", "--offline", "--data", "d", "--yes", "--kek-file", "x.kek"];
    const { code, out, err } = await runMess(words, { cwd: "/base" });
    expect({ code, out }).toEqual({ code: 0, out: "" });
    expect(err).toContain("/base/d/admin.key");
    expect(err).not.toContain("hidden-words");
    expect(broker.resetAdminKey.mock.calls[0]?.[0]).toMatchObject({ data: "/base/d", flags: { kekFile: "x.kek" } });
    expect(Object.keys(broker.resetAdminKey.mock.calls[0]?.[0].flags)).toEqual(["kekFile"]);
    expect(await runMess([...words.slice(0, 5), "--offline"], { cwd: "/base" })).toMatchObject({
      code: 64,
      err: expect.stringContaining("--yes"),
    });
  });

  it("passes on why it cannot", async () => {
    broker.resetAdminKey.mockRejectedValue(Object.assign(new Error("a server runs on it"), { exitCode: 75 }));
    expect(await runMess(["key", "reset", "--offline", "--yes"], { cwd: "/" })).toMatchObject({
      code: 75,
      err: "mess: a server runs on it\n",
    });
  });

  it("exports to stdout, or to a new file for its owner alone", () =>
    withDirectory(async (cwd) => {
      broker.exportKek.mockResolvedValue("mess-kek-1 AAAA 00000000\n");
      expect(await runMess(["kek", "export"], { cwd })).toEqual({
        code: 0,
        out: "mess-kek-1 AAAA 00000000\n",
        err: "",
      });
      expect(await runMess(["kek", "export", "--out", "copy"], { cwd })).toMatchObject({ code: 0, out: "" });
      expect(await readFile(join(cwd, "copy"), "utf8")).toBe("mess-kek-1 AAAA 00000000\n");
      expect((await stat(join(cwd, "copy"))).mode & 0o777).toBe(0o600);
      expect(await runMess(["kek", "export", "--out", "copy"], { cwd })).toMatchObject({ code: 74 });
    }));
});

describe("verify", () => {
  const withJournal = (use: (cwd: string) => Promise<void>): Promise<void> =>
    withDirectory(async (cwd) => {
      await mkdir(join(cwd, "mess-data"));
      await writeFile(join(cwd, "mess-data", "keyring"), "");
      broker.loadKek.mockResolvedValue({ kek: Buffer.alloc(32) });
      await use(cwd);
    });

  it("says that all is well in one line", () =>
    withJournal(async (cwd) => {
      broker.verifyJournal.mockResolvedValue(good);
      const { code, out } = await runMess(["verify"], { cwd });
      expect({ code, out }).toEqual({
        code: 0,
        out: "chain ok · 1 segment · 1,200 frames · 5,000 records (1 to 5,000) · head 8f3c\n",
      });
      expect(broker.verifyJournal.mock.calls[0]?.[0]).toMatchObject({ directory: join(cwd, "mess-data") });
      expect(JSON.parse((await runMess(["verify", "mess-data", "--json"], { cwd })).out)).toMatchObject({
        ok: true,
        headHash: "8f3c",
      });
    }));

  it("exits 65 and names the first bad place", () =>
    withJournal(async (cwd) => {
      const problem = {
        file: "/d/00000001.seg",
        segment: 1,
        offset: 4096,
        seq: 17,
        reason: "the frame's checksum is wrong",
      };
      broker.verifyJournal.mockResolvedValue({ ...good, ok: false, problem });
      const { code, out, err } = await runMess(["verify"], { cwd });
      expect({ code, out }).toEqual({ code: 65, out: "" });
      expect(err).toContain("/d/00000001.seg, byte 4096, record 17: the frame's checksum is wrong");
      expect(await runMess(["verify", "--json"], { cwd })).toMatchObject({
        code: 65,
        out: expect.stringContaining('"ok":false'),
      });
    }));

  it("takes the key-encryption key from a flag, or from where the server takes it", () =>
    withJournal(async (cwd) => {
      broker.verifyJournal.mockResolvedValue(good);
      const env = { MESS_KEK_COMMAND: "print it", MESS_KEK_FD: "x" };
      await runMess(["verify"], { cwd, env });
      await runMess(["verify", "--kek-file", "k"], { cwd, env });
      const directory = join(cwd, "mess-data");
      expect(broker.loadKek.mock.calls).toEqual([
        [{ directory, kekCommand: "print it" }],
        [{ directory, kekFile: "k" }],
      ]);
    }));

  it("makes no key where there is no journal", () =>
    withDirectory(async (cwd) => {
      expect(await runMess(["verify", "."], { cwd })).toMatchObject({
        code: 78,
        err: expect.stringContaining("holds no journal"),
      });
      expect(await runMess(["verify", "none"], { cwd })).toMatchObject({ code: 78 });
      expect(broker.loadKek).not.toHaveBeenCalled();
    }));
});
