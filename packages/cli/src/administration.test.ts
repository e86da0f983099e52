/** The commands that speak to the HTTP side, against a small one. */

import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "smol-toml";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FakeHttp } from "./fake-http.test-data.ts";
import { withDirectory } from "./test-io.test-data.ts";

let server: FakeHttp;

beforeEach(async () => {
  server = new FakeHttp();
  await server.listen();
});
afterEach(() => server.close());

const mess: FakeHttp["mess"] = (words, options) => server.mess(words, options);

describe("key", () => {
  const key = { id: "k_2", secret: "mess_shown-once", principal: "dev7" };

  it("creates one with its roles, and shows it once", async () => {
    server.answer = () => ({ status: 201, body: key });
    const { code, out, err } = await mess(["key", "create", "dev7", "--role", "device", "--role", "reader"]);
    expect({ code, out }).toEqual({ code: 0, out: "k_2.mess_shown-once\n" });
    expect(err).toContain("shown once");
    expect(server.seen).toEqual([
      {
        method: "POST",
        url: "/v1/keys",
        authorization: "Bearer k_1.hidden",
        body: { name: "dev7", roles: ["device", "reader"] },
      },
    ]);
    expect((await mess(["key", "create", "dev7", "--json"])).out).toBe(`${JSON.stringify(key)}\n`);
  });

  it("writes one to a file for its owner alone, and never over another file", () =>
    withDirectory(async (cwd) => {
      server.answer = () => ({ status: 201, body: key });
      const { code, out } = await mess(["key", "create", "dev7", "--out", "dev7.key"], { cwd });
      expect({ code, out }).toEqual({ code: 0, out: "" });
      expect(await readFile(join(cwd, "dev7.key"), "utf8")).toBe("k_2.mess_shown-once\n");
      expect((await stat(join(cwd, "dev7.key"))).mode & 0o777).toBe(0o600);
      const again = await mess(["key", "create", "dev7", "--out", "dev7.key"], { cwd });
      expect(again.code).toBe(74);
      expect(again.err).toContain("mess key revoke k_2");
      expect(again.err).not.toContain("shown-once");
    }));

  it("lists them as a table and as JSON lines", async () => {
    const list = [
      { id: "k_1", principal: "admin", name: "admin", createdAt: 1_700_000_000_000 },
      { id: "k_2", principal: "dev7", name: "dev7\u001b[2J", createdAt: 0 },
    ];
    server.answer = () => ({ body: { keys: list } });
    expect((await mess(["key", "list"])).out).toBe(
      "ID   PRINCIPAL  NAME         CREATED (UTC)     ENDS (UTC)\nk_1  admin      admin        2023-11-14 22:13\nk_2  dev7       dev7\\x1b[2J  1970-01-01 00:00\n",
    );
    expect((await mess(["key", "ls", "--json"])).out).toBe(list.map((one) => `${JSON.stringify(one)}\n`).join(""));
  });

  it("makes one that ends, and rotates it", async () => {
    server.answer = () => ({ status: 201, body: { ...key, expiresAt: 1_700_000_000_000 } });
    const made = await mess(["key", "create", "dev7", "--expires", "90d"]);
    expect(made.out).toBe("k_2.mess_shown-once\n");
    expect(made.err).toContain("until 2023-11-14 22:13 UTC");
    const answer = { ...key, replaces: "k_1", replacedEndsAt: 1_700_000_000_000 };
    server.answer = () => ({ status: 201, body: answer });
    const rotated = await mess(["key", "rotate", "k/1"]);
    expect(rotated.out).toBe("k_2.mess_shown-once\n");
    expect(rotated.err).toContain("the old key k/1 counts until 2023-11-14 22:13 UTC");
    const other = await mess(["key", "rotate", "k_1", "--overlap", "0s", "--expires", "30d", "--json"]);
    expect(JSON.parse(other.out)).toEqual({ ...key, replaces: "k_1", replacedEndsAt: 1_700_000_000_000 });
    expect(server.seen.map(({ method, url, body }) => [method, url, body])).toEqual([
      ["POST", "/v1/keys", { name: "dev7", roles: [], expiresIn: 90 * 86_400_000 }],
      ["POST", "/v1/keys/k%2F1/rotation", { overlap: 86_400_000 }],
      ["POST", "/v1/keys/k_1/rotation", { overlap: 0, expiresIn: 30 * 86_400_000 }],
    ]);
    expect(await mess(["key", "rotate", "k_1", "--overlap", "soon"])).toMatchObject({ code: 64 });
  });

  it("lists when keys end, and what replaced them", async () => {
    const one = { id: "k_1", principal: "a", name: "a", createdAt: 0, expiresAt: 60_000, replacedBy: "k_2" };
    server.answer = () => ({ body: { keys: [one] } });
    expect((await mess(["key", "list"])).out).toContain("1970-01-01 00:01  replaced by k_2");
  });

  it("revokes one, and asks first", async () => {
    const refused = await mess(["key", "revoke", "k/2"]);
    expect(refused).toMatchObject({ code: 64, err: expect.stringContaining("--yes") });
    expect(server.seen).toEqual([]);
    expect(await mess(["key", "revoke", "k/2", "--yes"])).toMatchObject({ code: 0, out: "" });
    expect(server.seen).toMatchObject([{ method: "DELETE", url: "/v1/keys/k%2F2" }]);
  });

  it("resets only offline", async () => {
    expect(await mess(["key", "reset"])).toMatchObject({ code: 64, err: expect.stringContaining("--offline") });
  });
});

describe("password", () => {
  const set = ["password", "set", "dev 7", "--iterations", "15000"];

  it("sends what a password can be checked by, and never the password", async () => {
    server.answer = () => ({ status: 204 });
    const { code, out, err } = await mess(set, { stdin: "correct horse\n" });
    expect({ code, out, err }).toEqual({ code: 0, out: "", err: "the password of dev 7 is set\n" });
    const [seen] = server.seen as { url: string; method: string; body: Record<string, unknown> }[];
    expect([seen?.method, seen?.url]).toEqual(["PUT", "/v1/principals/dev%207/password"]);
    const { salt, iterations, storedKey, serverKey } = seen?.body ?? {};
    expect(iterations).toBe(15_000);
    const salted = pbkdf2Sync("correct horse", Buffer.from(String(salt), "base64"), 15_000, 32, "sha256");
    const hmac = (text: string): Buffer => createHmac("sha256", salted).update(text).digest();
    expect(storedKey).toBe(createHash("sha256").update(hmac("Client Key")).digest("base64"));
    expect(serverKey).toBe(hmac("Server Key").toString("base64"));
    expect(JSON.stringify(server.seen)).not.toContain("horse");
  });

  it("refuses short ones, odd characters and little work, and shows nothing of what was said", async () => {
    for (const [words, stdin, why] of [
      [set, "short\n", "8 characters"],
      [set, "with a bell \u0007\n", "control character"],
      [[...set.slice(0, 4), "14999"], "correct horse\n", "15000"],
    ] as const) {
      const { code, err } = await mess([...words], { stdin });
      expect({ code, err }).toEqual({ code: 64, err: expect.stringContaining(why) });
      expect(err).not.toContain(stdin.trim());
    }
    expect(server.seen).toEqual([]);
  });

  it("lists and removes", async () => {
    server.answer = () => ({ body: { passwords: [{ principal: "dev7", iterations: 600_000, setAt: 0 }] } });
    expect((await mess(["password", "list"])).out).toBe(
      "PRINCIPAL  ITERATIONS  SET (UTC)\ndev7       600000      1970-01-01 00:00\n",
    );
    server.answer = () => ({ status: 204 });
    expect(await mess(["password", "remove", "dev7"])).toMatchObject({ code: 64 });
    expect(await mess(["password", "rm", "dev7", "--yes"])).toMatchObject({ code: 0, out: "" });
    expect(server.seen.at(-1)).toMatchObject({ method: "DELETE", url: "/v1/principals/dev7/password" });
  });
});

describe("token", () => {
  const token = { id: "k_3", secret: "mess_shown-once", principal: "shop~k_3", expiresAt: 1_700_000_000_000 };

  it("makes one, with the word create or without, narrowed or not", async () => {
    server.answer = () => ({ status: 201, body: token });
    const made = await mess(["token"]);
    expect(made).toMatchObject({ code: 0, out: "k_3.mess_shown-once\n" });
    expect(made.err).toContain("token k_3 of shop~k_3, until 2023-11-14 22:13 UTC");
    const words = ["--allow", "subscribe=a/#", "--allow", "publish=b=c", "--allow", "admin=metrics", "--expires", "1h"];
    expect(JSON.parse((await mess(["token", "create", ...words, "--json"])).out)).toEqual(token);
    expect(server.seen.map(({ method, url, body }) => [method, url, body])).toEqual([
      ["POST", "/v1/tokens", { expiresIn: 900_000 }],
      [
        "POST",
        "/v1/tokens",
        { expiresIn: 3_600_000, allow: [{ subscribe: "a/#" }, { publish: "b=c" }, { admin: "metrics" }] },
      ],
    ]);
  });

  it.each(["subscribe", "=a", "subscribe="])("refuses %s as a grant, unasked", async (grant) => {
    expect(await mess(["token", "--allow", grant])).toMatchObject({ code: 64 });
    expect(server.seen).toEqual([]);
  });

  it("lists and revokes", async () => {
    const tokens = [
      { id: "k_3", principal: "shop", createdAt: 0, expiresAt: 60_000, allow: [{ action: "publish", filter: "a" }] },
      { id: "k_4", principal: "shop", createdAt: 0, expiresAt: 60_000 },
      { id: "k_5", principal: "shop", createdAt: 0, expiresAt: 60_000, allow: [] },
    ];
    server.answer = () => ({ body: { tokens } });
    const { out } = await mess(["token", "list"]);
    expect(out.split("\n").map((line) => line.split("  ").at(-1))).toEqual([
      "MAY",
      "publish=a",
      "all its principal may",
      "nothing",
      "",
    ]);
    server.answer = () => ({ status: 204 });
    expect(await mess(["token", "revoke", "k/3"])).toMatchObject({ code: 0, out: "" });
    expect(server.seen.at(-1)).toMatchObject({ method: "DELETE", url: "/v1/tokens/k%2F3" });
  });

  it("goes into a file for its owner alone", () =>
    withDirectory(async (cwd) => {
      server.answer = () => ({ status: 201, body: token });
      expect(await mess(["token", "--out", "t"], { cwd })).toMatchObject({ code: 0, out: "" });
      expect((await stat(join(cwd, "t"))).mode & 0o777).toBe(0o600);
      const again = await mess(["token", "--out", "t"], { cwd });
      expect(again).toMatchObject({ code: 74 });
      expect(again.err).toContain("mess token revoke k_3");
    }));
});

describe("policy", () => {
  const toml = '[roles.writer]\nallow = [{ publish = "orders/#" }]\n[principals.shop]\nroles = ["writer"]\n';

  it("sends TOML as JSON: first to see what changes, then to apply it", () =>
    withDirectory(async (cwd) => {
      await writeFile(join(cwd, "policy.toml"), toml);
      server.answer = ({ url }) => ({
        body: { lines: ["+ role writer (1 grant)"], applied: url === "/v1/policy?dryRun=false" },
      });
      const dry = await mess(["policy", "apply", "policy.toml", "--dry-run"], { cwd });
      expect(dry).toEqual({ code: 0, out: "+ role writer (1 grant)\n", err: "dry run: nothing was changed\n" });
      const body = {
        roles: { writer: { allow: [{ publish: "orders/#" }] } },
        principals: { shop: { roles: ["writer"] } },
      };
      expect(server.seen).toMatchObject([{ method: "PUT", url: "/v1/policy?dryRun=true", body }]);
      expect(await mess(["policy", "apply", "policy.toml"], { cwd })).toMatchObject({ code: 64 });
      const applied = await mess(["policy", "apply", "policy.toml", "--yes"], { cwd });
      expect(applied).toEqual({ code: 0, out: "+ role writer (1 grant)\n", err: "the policy is applied\n" });
      expect(server.seen.at(-1)).toMatchObject({ url: "/v1/policy?dryRun=false", body });
      expect((await mess(["policy", "apply", "-", "--yes", "--json"], { stdin: toml })).out).toBe(
        '{"lines":["+ role writer (1 grant)"],"applied":true}\n',
      );
    }));

  it("names the place of a mistake", () =>
    withDirectory(async (cwd) => {
      await writeFile(join(cwd, "p.toml"), "[roles.x]\nallow = [{\n");
      await writeFile(join(cwd, "p.json"), "{");
      expect(await mess(["policy", "apply", "p.toml"], { cwd })).toMatchObject({
        code: 78,
        err: expect.stringMatching(/^mess: p\.toml:\d+:\d+: /u),
      });
      expect(await mess(["policy", "apply", "p.json"], { cwd })).toMatchObject({
        code: 78,
        err: expect.stringContaining("p.json is not JSON"),
      });
      expect(await mess(["policy", "apply", "none.toml"], { cwd })).toMatchObject({
        code: 78,
        err: expect.stringContaining("does not exist"),
      });
      expect(server.seen).toEqual([]);
    }));

  it("shows one that can be applied again", async () => {
    const policy = {
      roles: { "order writer": { allow: [{ publish: 'a/"b"/#' }, { subscribe: "x" }], deny: [] } },
      principals: { shop: { roles: ["order writer"] } },
    };
    server.answer = () => ({ body: policy });
    const { out } = await mess(["policy", "show"]);
    expect(parse(out)).toEqual(policy);
    expect(out).toContain('[roles."order writer"]\nallow = [\n  { publish = "a/\\"b\\"/#" },\n');
    expect(JSON.parse((await mess(["policy", "show", "--json"])).out)).toEqual(policy);
  });
});

describe("why", () => {
  it("explains in one line", async () => {
    server.answer = () => ({
      body: { allowed: false, because: 'publish is allowed only on "plant/7/#"', role: "device" },
    });
    const { code, out } = await mess(["why", "dev7", "publish", "plant/8/temp"]);
    expect({ code, out }).toEqual({ code: 0, out: 'DENY   publish is allowed only on "plant/7/#"\n' });
    expect(server.seen[0]?.url).toBe("/v1/why?principal=dev7&action=publish&topic=plant%2F8%2Ftemp");
    expect(JSON.parse((await mess(["why", "dev7", "publish", "t", "--json"])).out)).toMatchObject({
      allowed: false,
      role: "device",
    });
  });
});

describe("audit", () => {
  const record = (seq: number, event: string) => ({
    seq,
    at: "2030-01-31T12:00:00.000Z",
    event,
    detail: { by: "a\nb" },
  });

  it("prints page after page, a line a record", async () => {
    server.answer = ({ url }) => {
      const from = new URL(url ?? "", "http://x").searchParams.get("from");
      return { body: from === "0" ? { records: [record(3, "key.created")], next: 4, more: true } : last };
    };
    const last = { records: [record(9, "acl.deny")], next: 10, more: false };
    const { code, out } = await mess(["audit", "--event", "*", "--since", "2030-01-01T00:00:00Z"]);
    expect({ code, out }).toEqual({
      code: 0,
      out: `2030-01-31T12:00:00.000Z  key.created  by="a\\nb"\n2030-01-31T12:00:00.000Z  acl.deny  by="a\\nb"\n`,
    });
    const asked = new URL(server.seen[0]?.url ?? "", "http://x").searchParams;
    expect(Object.fromEntries(asked)).toEqual({
      event: "*",
      since: "2030-01-01T00:00:00.000Z",
      from: "0",
      limit: "100",
    });
    expect((await mess(["audit", "--last", "1", "--json"])).out).toBe(`${JSON.stringify(record(9, "acl.deny"))}\n`);
  });

  it("says so where there is nothing", async () => {
    server.answer = () => ({ body: { records: [], next: 0, more: false } });
    expect(await mess(["audit"])).toMatchObject({ code: 0, out: "", err: "no such records\n" });
    expect((await mess(["audit", "--since", "yesterday"])).code).toBe(64);
  });
});

describe("who-can", () => {
  const holders = [
    { principal: "admin", because: 'role admin allows publish on "#"', role: "admin" },
    { principal: "dev7", because: 'role device allows publish on "plant/#"', role: "device" },
  ];

  it("lists who may, and why", async () => {
    server.answer = () => ({ body: { holders } });
    const { code, out } = await mess(["who-can", "publish", "plant/8/temp"]);
    expect({ code, out }).toEqual({
      code: 0,
      out: `PRINCIPAL  BECAUSE\nadmin      role admin allows publish on "#"\ndev7       role device allows publish on "plant/#"\n`,
    });
    expect(server.seen[0]?.url).toBe("/v1/who-can?action=publish&topic=plant%2F8%2Ftemp");
    const lines = (await mess(["who-can", "admin.policy", "--json"])).out.trim().split("\n");
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(holders);
    expect(server.seen[1]?.url).toBe("/v1/who-can?action=admin.policy");
  });

  it("says so where nobody may", async () => {
    server.answer = () => ({ body: { holders: [] } });
    expect(await mess(["who-can", "publish", "x"])).toMatchObject({ code: 0, out: "", err: "nobody\n" });
  });
});

describe("errors of the server", () => {
  it.each([
    [401, { title: "Not authenticated" }, 77, /^mess: Not authenticated\n.*--key-file/u],
    [
      403,
      { title: "Not permitted", detail: "admin.keys is not granted" },
      77,
      /Not permitted: admin\.keys is not granted/u,
    ],
    [404, { title: "No such key" }, 64, /No such key/u],
    [503, {}, 69, /HTTP status 503/u],
    [500, "<html>", 70, /HTTP status 500/u],
    [507, { title: "Disk full" }, 74, /Disk full/u],
    [200, "<html>", 69, /not JSON/u],
    [200, [], 69, /lacks an object/u],
  ])("HTTP %s %j", async (status, body, code, message) => {
    server.answer = () => ({ status, body });
    const run = await mess(["policy", "show"]);
    expect(run).toMatchObject({ code, out: "" });
    expect(run.err).toMatch(message);
    expect(run.err).not.toContain("hidden");
  });

  it("are told from a server that is not there", async () => {
    const run = await mess(["policy", "show"], { env: { MESS_HTTP_URL: "http://127.0.0.1:1" } });
    expect(run).toMatchObject({ code: 69, err: expect.stringContaining("ECONNREFUSED") });
  });

  it("never lets a key go in clear to another machine", async () => {
    const run = await mess(["policy", "show"], { env: { MESS_HTTP_URL: "http://192.0.2.1" } });
    expect(run).toMatchObject({ code: 78, err: expect.stringContaining("in clear") });
  });
});
