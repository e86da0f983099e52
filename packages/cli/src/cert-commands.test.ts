/** `mess cert` against a small HTTP side; with a real server: test/scenarios/42-client-certificates.test.ts. */
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FakeHttp } from "./fake-http.test-data.ts";
import { withDirectory } from "./test-io.test-data.ts";

let server: FakeHttp;
const mess: FakeHttp["mess"] = (words, options) => server.mess(words, options);
const issued = {
  serial: "0AFF",
  principal: "dev 7",
  certificate: "PEM\n",
  authority: "CA\n",
  expiresAt: 1_700_000_000_000,
};

beforeEach(async () => {
  server = new FakeHttp();
  await server.listen();
});
afterEach(() => server.close());

describe("cert issue", () => {
  it("makes a key here, sends a request, and writes both to new files", () =>
    withDirectory(async (cwd) => {
      server.answer = () => ({ status: 201, body: issued });
      const { code, out, err } = await mess(["cert", "issue", "dev 7", "--days", "30", "--out", "out"], { cwd });
      expect({ code, out }).toEqual({ code: 0, out: "" });
      expect(err).toContain("certificate 0AFF of dev 7, until 2023-11-14 22:13 UTC");
      const request = expect.stringMatching(/^-----BEGIN CERTIFICATE REQUEST-----/);
      expect(server.seen).toMatchObject([
        { method: "POST", url: "/v1/certificates", body: { principal: "dev 7", days: 30, request } },
      ]);
      expect((await readdir(join(cwd, "out"))).sort()).toEqual(["dev_7.key", "dev_7.pem"]);
      expect(await readFile(join(cwd, "out/dev_7.pem"), "utf8")).toBe("PEM\n");
      expect(await readFile(join(cwd, "out/dev_7.key"), "utf8")).toMatch(/^-----BEGIN PRIVATE KEY-----/);
      expect((await stat(join(cwd, "out/dev_7.key"))).mode & 0o777).toBe(0o600);
      expect(JSON.stringify(server.seen)).not.toContain("PRIVATE");
    }));

  it("leaves nothing behind when it is refused, and writes over nothing", () =>
    withDirectory(async (cwd) => {
      server.answer = () => ({ status: 403, body: { title: "Forbidden" } });
      expect((await mess(["cert", "issue", "dev7"], { cwd })).code).toBe(77);
      expect(await readdir(cwd)).toEqual([]);
      for (const name of ["dev7.pem", "dev7.key"]) {
        await mkdir(join(cwd, name));
        expect(await mess(["cert", "issue", "dev7"], { cwd })).toMatchObject({ code: 74 });
        await rm(join(cwd, name), { recursive: true });
      }
      expect(server.seen).toHaveLength(1);
    }));

  it("names a file after a principal only as far as a file may be named", () =>
    withDirectory(async (cwd) => {
      server.answer = () => ({ status: 201, body: issued });
      const made = await mess(["cert", "issue", "..a\\b:c", "--json"], { cwd });
      expect(JSON.parse(made.out)).toMatchObject({ serial: "0AFF", certificate: join(cwd, "_a_b_c.pem") });
    }));

  it("takes a request that was made elsewhere", () =>
    withDirectory(async (cwd) => {
      server.answer = () => ({ status: 201, body: issued });
      await writeFile(join(cwd, "a.csr"), "REQUEST");
      expect((await mess(["cert", "issue", "dev7", "--csr", "a.csr"], { cwd })).code).toBe(0);
      expect(server.seen).toMatchObject([{ body: { request: "REQUEST", days: 90 } }]);
      expect((await readdir(cwd)).sort()).toEqual(["a.csr", "dev7.pem"]);
    }));

  it.each([["0"], ["826"], ["x"]])("refuses %s days", async (days) => {
    expect((await mess(["cert", "issue", "dev7", "--days", days])).code).toBe(64);
  });
});

describe("cert list, revoke and crl", () => {
  it("lists as a table and as JSON lines", async () => {
    const list = [
      { serial: "0AFF", principal: "dev7", issuedAt: 0, expiresAt: 1_700_000_000_000, by: "admin", revokedAt: 1 },
    ];
    server.answer = () => ({ body: { certificates: list } });
    expect((await mess(["cert", "list"])).out).toMatch(
      /^SERIAL .*\n0AFF +dev7 +1970-01-01 00:00 +2023-11-14 22:13 +1970/,
    );
    expect(JSON.parse((await mess(["cert", "ls", "--json"])).out)).toEqual(list[0]);
  });

  it("revokes by serial number in any case, and nothing that is none", async () => {
    expect((await mess(["cert", "revoke", "0aff", "--yes"])).code).toBe(0);
    expect(server.seen).toMatchObject([{ method: "DELETE", url: "/v1/certificates/0AFF" }]);
    expect((await mess(["cert", "revoke", "../keys/k_1", "--yes"])).code).toBe(64);
    expect(server.seen).toHaveLength(1);
  });

  it("prints the revocation list, or puts it in place of an old one", () =>
    withDirectory(async (cwd) => {
      server.answer = () => ({ body: "-----BEGIN X509 CRL-----\n" });
      expect((await mess(["cert", "crl"])).out).toBe("-----BEGIN X509 CRL-----\n");
      await writeFile(join(cwd, "crl.pem"), "old");
      expect((await mess(["cert", "crl", "--out", "crl.pem"], { cwd })).code).toBe(0);
      expect(await readFile(join(cwd, "crl.pem"), "utf8")).toBe("-----BEGIN X509 CRL-----\n");
      expect(await readdir(cwd)).toEqual(["crl.pem"]);
    }));
});
