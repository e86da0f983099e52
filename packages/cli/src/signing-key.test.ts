/** `mess signing-key` against a small HTTP side. */
import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { FakeHttp } from "./fake-http.test-data.ts";
import { withDirectory } from "./test-io.test-data.ts";

let server: FakeHttp;
beforeEach(async () => {
  server = new FakeHttp();
  await server.listen();
  server.answer = ({ body }) => {
    const { principal, algorithm = "EdDSA" } = body as { principal: string; algorithm?: string };
    const secret = algorithm === "HS256" ? { secret: "c2hhcmVk" } : {};
    return { status: 201, body: { id: "sk_1", principal, algorithm, ...secret } };
  };
});
afterEach(() => server.close());

const mess: FakeHttp["mess"] = (words, options) => server.mess(words, options);

it("makes a key whose public half alone goes to the server", () =>
  withDirectory(async (cwd) => {
    const { code, out, err } = await mess(["signing-key", "add", "p", "--name", "n", "--out", "p.jwk"], { cwd });
    expect({ code, out }).toEqual({ code: 0, out: "" });
    expect(err).toContain("signing key sk_1 (EdDSA) of p written to");
    const jwk = JSON.parse(await readFile(join(cwd, "p.jwk"), "utf8")) as Record<string, string>;
    expect(jwk).toMatchObject({ kid: "sk_1", alg: "EdDSA", kty: "OKP", crv: "Ed25519" });
    expect((await stat(join(cwd, "p.jwk"))).mode & 0o777).toBe(0o600);
    const pem = createPublicKey(createPrivateKey({ key: jwk, format: "jwk" })).export({ format: "pem", type: "spki" });
    expect(server.seen[0]?.body).toEqual({ principal: "p", name: "n", publicKey: pem });
    const again = await mess(["signing-key", "add", "p", "--out", "p.jwk"], { cwd });
    expect(again).toMatchObject({ code: 74, err: expect.stringContaining("mess signing-key remove sk_1") });
  }));

it("adds a public key that exists", () =>
  withDirectory(async (cwd) => {
    const pem = generateKeyPairSync("ed25519").publicKey.export({ format: "pem", type: "spki" });
    await writeFile(join(cwd, "p.pem"), pem);
    const { code, out } = await mess(["signing-key", "add", "p", "--public-key", "p.pem"], { cwd });
    expect({ code, out }).toEqual({ code: 0, out: "sk_1\n" });
    expect(server.seen[0]?.body).toEqual({ principal: "p", publicKey: pem });
    expect((await mess(["signing-key", "add", "p", "--public-key", "none.pem"], { cwd })).code).toBe(78);
    expect((await mess(["signing-key", "add", "p", "--hmac", "--public-key", "p.pem"], { cwd })).code).toBe(64);
  }));

it("shows a shared secret once", async () => {
  const { code, out } = await mess(["signing-key", "add", "p", "--hmac"]);
  expect({ code, out: JSON.parse(out) as unknown }).toEqual({
    code: 0,
    out: { kid: "sk_1", alg: "HS256", kty: "oct", k: "c2hhcmVk" },
  });
  expect(server.seen[0]?.body).toEqual({ principal: "p", algorithm: "HS256" });
});

it("lists, also as a set of public keys, and removes", async () => {
  const { publicKey } = generateKeyPairSync("ed25519");
  const pem = publicKey.export({ format: "pem", type: "spki" });
  server.answer = () => ({
    body: {
      signingKeys: [
        { id: "sk_1", principal: "p", name: "line 1", algorithm: "EdDSA", publicKey: pem, createdAt: 0 },
        { id: "sk_2", principal: "q", name: "", algorithm: "HS256", createdAt: 0 },
      ],
    },
  });
  expect((await mess(["signing-key", "list"])).out).toBe(
    "ID    PRINCIPAL  ALGORITHM  NAME    ADDED (UTC)\nsk_1  p          EdDSA      line 1  1970-01-01 00:00\nsk_2  q          HS256              1970-01-01 00:00\n",
  );
  const { x } = publicKey.export({ format: "jwk" });
  expect(JSON.parse((await mess(["signing-key", "ls", "--jwks"])).out)).toEqual({
    keys: [{ kid: "sk_1", alg: "EdDSA", kty: "OKP", crv: "Ed25519", x }],
  });
  server.answer = () => ({ status: 204 });
  expect((await mess(["signing-key", "remove", "sk_1"])).code).toBe(64);
  expect(await mess(["signing-key", "rm", "sk_1", "--yes"])).toMatchObject({ code: 0, out: "" });
  expect(server.seen.at(-1)).toMatchObject({ method: "DELETE", url: "/v1/signing-keys/sk_1" });
});
