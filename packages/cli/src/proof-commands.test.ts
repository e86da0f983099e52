/** `mess proof` against a small HTTP side that answers with proofs of a real tree. */
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import vector from "../../../docs/vectors/checkpoint.json" with { type: "json" };
import { FakeHttp } from "./fake-http.test-data.ts";
import { withDirectory } from "./test-io.test-data.ts";

const sha = (...parts: readonly Buffer[]): Buffer => createHash("sha256").update(Buffer.concat(parts)).digest();
const node = (left: Buffer, right: Buffer): Buffer => sha(Buffer.of(1), left, right);
const contents = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const data = contents.map((hex) => Buffer.from(hex, "hex"));
const leaves = data.map((content) => sha(Buffer.of(0), content));
const pairs = [0, 2, 4, 6].map((i) => node(leaves[i]!, leaves[i + 1]!));
const halves = [node(pairs[0]!, pairs[1]!), node(pairs[2]!, pairs[3]!)];
const text = (hash: Buffer): string => hash.toString("base64");
const root = Buffer.from(vector.rootHex, "hex");

/** Leaf 3 of the eight of the signed vector. */
const inclusion = {
  seq: 12,
  frame: { firstSeq: 10, count: 3 },
  index: 3,
  size: 8,
  root: text(root),
  leafData: text(data[3]!),
  path: [leaves[2]!, pairs[0]!, halves[1]!].map(text),
  checkpoint: vector.note,
};

let server: FakeHttp;
beforeEach(async () => {
  server = new FakeHttp();
  await server.listen();
});
afterEach(() => server.close());

const mess: FakeHttp["mess"] = (words, options) => server.mess(words, options);
const logKey = ["--log-key", vector.verifierKey];

describe("a proof of a record", () => {
  it("goes to a file that verifies without the server, with a key given or in a file", () =>
    withDirectory(async (cwd) => {
      server.answer = () => ({ body: inclusion });
      expect((await mess(["proof", "12", "--out", "12.tlog-proof"], { cwd })).code).toBe(0);
      expect(server.seen.map(({ url }) => url)).toEqual(["/v1/log/inclusion?seq=12"]);
      await writeFile(join(cwd, "log.key"), `${vector.verifierKey}\n`);
      const verified = await mess(["proof", "verify", "12.tlog-proof", "--log-key", "log.key"], { cwd });
      expect(verified).toMatchObject({ code: 0 });
      expect(verified.out).toContain("frame 3 of 8");
      const json = await mess(["proof", "verify", "12.tlog-proof", ...logKey, "--json"], { cwd });
      expect(JSON.parse(json.out)).toMatchObject({ index: 3, size: 8, seq: 12, origin: vector.origin });
      expect(server.seen).toHaveLength(1);
      const bent = (await readFile(join(cwd, "12.tlog-proof"), "utf8")).replace("index 3", "index 2");
      await writeFile(join(cwd, "bent"), bent);
      const refused = await mess(["proof", "verify", "bent", ...logKey], { cwd });
      expect(refused).toMatchObject({ code: 65, err: expect.stringContaining("proves nothing") });
    }));

  it("is refused when what the server says does not hold", async () => {
    server.answer = () => ({ body: { ...inclusion, index: 2 } });
    expect(await mess(["proof", "record", "12"])).toMatchObject({ code: 65, out: "" });
  });
});

it("prints the checkpoint and the key as they are", async () => {
  server.answer = ({ url }) => ({ body: url === "/v1/log/key" ? `${vector.verifierKey}\n` : vector.note });
  expect(await mess(["proof", "checkpoint"])).toMatchObject({ code: 0, out: vector.note });
  expect(await mess(["proof", "key"])).toMatchObject({ code: 0, out: `${vector.verifierKey}\n` });
});

describe("what was signed before", () => {
  it("is the beginning of the journal, and the new checkpoint is kept", () =>
    withDirectory(async (cwd) => {
      await writeFile(join(cwd, "old"), vector.note);
      const same = { from: 8, to: 8, fromRoot: text(root), toRoot: text(root), path: [], checkpoint: vector.note };
      server.answer = () => ({ body: same });
      const { code, err } = await mess(["proof", "since", "old", ...logKey, "--out", "new"], { cwd });
      expect({ code, err }).toMatchObject({ code: 0, err: expect.stringContaining("only grew: 8 frames then, 8 now") });
      expect(server.seen[0]?.url).toBe("/v1/log/consistency?from=8");
      expect(await readFile(join(cwd, "new"), "utf8")).toBe(vector.note);
      server.answer = () => ({ body: { ...same, path: [text(root)] } });
      const bent = await mess(["proof", "since", "old", ...logKey], { cwd });
      expect(bent).toMatchObject({ code: 65, err: expect.stringContaining("changed or rolled back") });
      server.answer = () => ({
        status: 404,
        body: { title: "There is no such thing", detail: "the tree has 3 leaves" },
      });
      const smaller = await mess(["proof", "since", "old", ...logKey], { cwd });
      expect(smaller.code).not.toBe(0);
      expect(smaller.err).toContain("mess verify --checkpoint old");
    }));

  it("is not taken when the log did not sign it", () =>
    withDirectory(async (cwd) => {
      await writeFile(join(cwd, "old"), vector.note.replace("\n8\n", "\n7\n"));
      expect(await mess(["proof", "since", "old", ...logKey], { cwd })).toMatchObject({ code: 65 });
      expect(server.seen).toEqual([]);
      await writeFile(join(cwd, "empty"), "");
      const unkeyed = await mess(["proof", "since", "old", "--log-key", "empty"], { cwd });
      expect(unkeyed).toMatchObject({ code: 78, err: expect.stringContaining("no verifier key") });
    }));
});
