/** Where keys come from: a file that changes, and an address that answers, lies, or is gone. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { JwksAddress, JwksFile, type JwksSourceParts } from "./jwks-source.ts";
import { issuerOf, jwksText, nowMs, signed, testKey } from "./jwt.test-data.ts";
import { JwtVerifier } from "./jwt.ts";

let events: string[];
const parts: JwksSourceParts = {
  name: "idp",
  algorithms: ["EdDSA", "ES256", "RS256"],
  report: (_level, event) => void events.push(event),
};

beforeEach(() => {
  events = [];
});

describe("a file of keys", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "mess-jwks-"));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it("is read again on reload; a broken one keeps the old keys", async () => {
    const path = join(directory, "jwks.json");
    await writeFile(path, jwksText(testKey("a")));
    const file = await JwksFile.open(path, parts);
    expect((await file.find("a"))?.algorithm).toBe("EdDSA");
    expect(await file.find("b")).toBeUndefined();
    await writeFile(path, jwksText(testKey("b")));
    expect(await file.find("b")).toBeUndefined();
    await file.reload();
    expect([await file.find("a"), (await file.find("b"))?.algorithm]).toEqual([undefined, "EdDSA"]);
    await writeFile(path, "{");
    await expect(file.reload()).rejects.toThrow("no JSON");
    expect((await file.find("b"))?.algorithm).toBe("EdDSA");
  });

  it("is refused when it is too large or not there", async () => {
    const path = join(directory, "jwks.json");
    await expect(JwksFile.open(path, parts)).rejects.toThrow("ENOENT");
    await writeFile(path, " ".repeat(300_000));
    await expect(JwksFile.open(path, parts)).rejects.toThrow("larger than");
    await expect(JwksFile.open(directory, parts)).rejects.toThrow();
  });
});

describe("an address of keys", () => {
  let now = 0;
  let fetches: number;
  let answer: () => Promise<string>;
  function address(): JwksAddress {
    now = 1_000_000;
    fetches = 0;
    const fetchText = (): Promise<string> => {
      fetches++;
      return answer();
    };
    return new JwksAddress({ ...parts, fetchText, monotonic: () => now });
  }

  it("is asked at the first token, not before, and once for all who come at once", async () => {
    answer = () => Promise.resolve(jwksText(testKey("a")));
    const keys = address();
    expect(fetches).toBe(0);
    const found = await Promise.all(Array.from({ length: 50 }, () => keys.find("a")));
    expect(found.every((key) => key?.algorithm === "EdDSA")).toBe(true);
    await keys.find("a");
    expect(fetches).toBe(1);
  });

  it("is asked again for an unknown id, but not more often than each 30 s, whoever makes ids up", async () => {
    answer = () => Promise.resolve(jwksText(testKey("a")));
    const keys = address();
    for (let index = 0; index < 1_000; index++) expect(await keys.find(`made-up-${index}`)).toBeUndefined();
    expect(fetches).toBe(1);
    now += 30_000;
    answer = () => Promise.resolve(jwksText(testKey("a"), testKey("b")));
    expect((await keys.find("b"))?.algorithm).toBe("EdDSA");
    expect(fetches).toBe(2);
  });

  it("forgets keys that the issuer has withdrawn, ten minutes later", async () => {
    answer = () => Promise.resolve(jwksText(testKey("a"), testKey("b")));
    const keys = address();
    await keys.find("a");
    answer = () => Promise.resolve(jwksText(testKey("b")));
    now += 10 * 60_000;
    // This one is served as it was, and has the set asked for anew.
    expect(await keys.find("a")).toBeDefined();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await keys.find("a")).toBeUndefined();
    expect(await keys.find("b")).toBeDefined();
  });

  it("keeps the old keys when the new ones cannot be had, and says so", async () => {
    answer = () => Promise.resolve(jwksText(testKey("a")));
    const keys = address();
    await keys.find("a");
    const failures = [() => Promise.reject(new Error("gone")), () => Promise.resolve("{"), () => Promise.resolve("{}")];
    for (const failure of failures) {
      answer = failure;
      now += 10 * 60_000;
      await keys.find("a");
      await new Promise((resolve) => setTimeout(resolve, 10));
      expect((await keys.find("a"))?.algorithm).toBe("EdDSA");
    }
    expect(events.filter((event) => event === "jwt.keys.failed")).toHaveLength(3);
  });

  it("lets an issuer change its keys: old and new tokens count while both are published", async () => {
    const [old, next] = [testKey("2026"), testKey("2027", "ES256")];
    answer = () => Promise.resolve(jwksText(old));
    const verifier = new JwtVerifier({ issuers: [issuerOf(address())], knows: () => true });
    const ask = async (token: string): Promise<boolean> => !("refused" in (await verifier.verify(token, nowMs)));
    const [before, after] = [await signed(old), await signed(next)];
    expect([await ask(before), await ask(after)]).toEqual([true, false]);
    answer = () => Promise.resolve(jwksText(old, next));
    now += 60_000;
    expect([await ask(after), await ask(before)]).toEqual([true, true]);
    answer = () => Promise.resolve(jwksText(next));
    now += 10 * 60_000;
    await ask(after);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([await ask(after), await ask(before)]).toEqual([true, false]);
  });
});
