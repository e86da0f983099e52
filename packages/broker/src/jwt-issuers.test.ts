import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type JwtConfig, readJwtTables } from "./config/jwt-config.ts";
import { jwksText, nowMs, signed, type TestKey, testKey } from "./identity/jwt.test-data.ts";
import { JwtIssuers } from "./jwt-issuers.ts";
import type { Policy } from "./model/policy.ts";

let directory: string;
let path: string;
let key: TestKey;
let policy: Policy;
let told: string[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "mess-jwt-"));
  path = join(directory, "jwks.json");
  key = testKey("k-1");
  policy = { roles: {}, principals: { shop: { roles: [] } } };
  told = [];
  await writeFile(path, jwksText(key));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function config(more: object = {}): readonly JwtConfig[] {
  const keys = "jwksUrl" in more ? {} : { jwksFile: path };
  const table = { name: "idp", issuer: "https://idp.example/", audience: "mess", ...keys, ...more };
  const read = readJwtTables([table]);
  if (!("jwt" in read)) throw new Error(read.problems.join());
  return read.jwt;
}

function open(more: object = {}): Promise<JwtIssuers> {
  const report = (_: string, event: string): void => void told.push(event);
  return JwtIssuers.open({ issuers: config(more), policy: () => policy, monotonic: () => 0, report });
}

async function named(issuers: JwtIssuers, sub: string): Promise<string> {
  const answer = await issuers.verify(await signed(key, { sub }), nowMs);
  return "refused" in answer ? answer.refused : answer.principal;
}

describe("issuers of the configuration", () => {
  it("name principals of the policy in force, and no others", async () => {
    const issuers = await open();
    expect(await named(issuers, "shop")).toBe("shop");
    expect(await named(issuers, "desk")).toContain("is not known here");
    policy = { roles: {}, principals: { desk: { roles: [] } } };
    expect(await named(issuers, "desk")).toBe("desk");
    expect(await named(issuers, "shop")).toContain("is not known here");
    for (const name of ["constructor", "__proto__", "toString", "", "shop~k_1"])
      expect(await named(issuers, name)).toMatch(/known here|whose it is/);
  });

  it("never name the built-in admin, even where the policy lists it", async () => {
    policy = { roles: {}, principals: { admin: { roles: ["admin"] } } };
    expect(await named(await open(), "admin")).toContain("is not known here");
    expect(await named(await open({ principalPrefix: "ad" }), "min")).toContain("is not known here");
  });

  it("have keys of a file that is read again on reload", async () => {
    const issuers = await open();
    const old = key;
    key = testKey("k-2");
    await writeFile(path, jwksText(key));
    expect(await named(issuers, "shop")).toContain("its key is not one");
    await issuers.reload();
    expect(await named(issuers, "shop")).toBe("shop");
    key = old;
    expect(await named(issuers, "shop")).toContain("its key is not one");
    await writeFile(path, "{");
    await expect(issuers.reload()).rejects.toThrow("no JSON");
  });

  it("do not start with a file that cannot be used, and ask no address at the start", async () => {
    await writeFile(path, "{}");
    await expect(open()).rejects.toMatchObject({ exitCode: 78, message: expect.stringContaining('[[jwt]] "idp"') });
    await rm(path);
    await expect(open()).rejects.toMatchObject({ exitCode: 78, message: expect.stringContaining("ENOENT") });
    const away = { jwksUrl: "https://127.0.0.1:1/" };
    const issuers = await open(away);
    expect(told).toEqual([]);
    expect(await named(issuers, "shop")).toContain("its key is not one");
    expect(told).toEqual(["jwt.keys.failed"]);
    await expect(open({ ...away, jwksCa: "/nonexistent" })).rejects.toMatchObject({ exitCode: 78 });
  });
});
