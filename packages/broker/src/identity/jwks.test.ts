import { generateKeyPairSync } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { jwtAlgorithms } from "../model/jwt.ts";
import { jwksBytesMax, readJwks } from "./jwks.ts";
import { jwksText, type TestKey, testKey } from "./jwt.test-data.ts";

let ed: TestKey;
let ec: TestKey;
let rsa: TestKey;

beforeAll(() => {
  ed = testKey("ed");
  ec = testKey("ec", "ES256");
  rsa = testKey("rsa", "RS256");
});

async function read(text: string): Promise<[string[], readonly string[]]> {
  const { keys, skipped } = await readJwks(text, jwtAlgorithms);
  return [[...keys].map(([kid, { algorithm }]) => `${kid} ${algorithm}`), skipped];
}

function problem(text: string): Promise<string> {
  return read(text).then(
    () => "none",
    (error: Error) => error.message,
  );
}

describe("a key set", () => {
  it("gives each key its one algorithm, with alg and use or without", async () => {
    const bare = testKey("bare").jwk;
    delete bare.alg;
    delete bare.use;
    const specified = { ...testKey("specified").jwk, alg: "Ed25519", key_ops: ["verify"] };
    expect(await read(jwksText(ed, ec, rsa, bare, specified))).toEqual([
      ["ed EdDSA", "ec ES256", "rsa RS256", "bare EdDSA", "specified EdDSA"],
      [],
    ]);
  });

  it("leaves out what is not for it, and says which and why", async () => {
    const small = generateKeyPairSync("rsa", { modulusLength: 1_024 }).publicKey.export({ format: "jwk" });
    const low = generateKeyPairSync("rsa", { modulusLength: 2_048, publicExponent: 3 }).publicKey.export({
      format: "jwk",
    });
    const entries: [object, RegExp][] = [
      [{ ...ed.jwk, kid: "enc", use: "enc" }, /"enc"\): it is for none/],
      [{ ...ed.jwk, kid: "ops", key_ops: ["sign"] }, /"ops"\): it is for none/],
      [{ ...ed.jwk, kid: "x448", crv: "X25519" }, /it is for none/],
      [{ ...ec.jwk, kid: "alg", alg: "RS256" }, /it is for none/],
      [{ ...rsa.jwk, kid: "ps", alg: "PS256" }, /it is for none/],
      [{ ...ec.jwk, kid: "p384", crv: "P-384" }, /it is for none/],
      [{ ...ed.jwk, kid: undefined }, /it has no kid/],
      [{ ...ed.jwk, kid: "a b" }, /it has no kid/],
      [{ ...ed.jwk, kid: 7 }, /it has no kid/],
      [{ ...ed.jwk, kid: "x".repeat(129) }, /it has no kid/],
      [{ ...ed.jwk, kid: "short", x: "AA" }, /"short"\): it is broken/],
      [{ ...ec.jwk, kid: "off", x: ec.jwk.y }, /"off"\): it is broken/],
      [{ ...rsa.jwk, kid: "no-n", n: undefined }, /"no-n"\): it is broken/],
      [{ ...small, kid: "small" }, /2048 to 8192 bits/],
      [{ ...low, kid: "low" }, /exponent/],
      [{ kid: "proto", kty: "__proto__" }, /it is for none/],
    ];
    const [keys, skipped] = await read(jwksText(ed, ...entries.map(([entry]) => entry)));
    expect(keys).toEqual(["ed EdDSA"]);
    expect(skipped).toHaveLength(entries.length);
    for (const [index, [, why]] of entries.entries()) expect(skipped[index]).toMatch(why);
  });

  it("takes neither of two keys under one kid", async () => {
    const [keys, skipped] = await read(jwksText(ed, testKey("ed"), { ...ec.jwk, kid: "ed" }, ec));
    expect(keys).toEqual(["ec ES256"]);
    expect(skipped).toHaveLength(2);
  });

  it("leaves out what the configuration does not name", async () => {
    const { keys, skipped } = await readJwks(jwksText(ed, rsa), ["EdDSA"]);
    expect([...keys.keys()]).toEqual(["ed"]);
    expect(skipped).toEqual(['key 1 ("rsa"): RS256 is not in algorithms']);
  });

  it("is refused whole when it holds a secret", async () => {
    for (const secret of [
      { ...ed.privateKey.export({ format: "jwk" }), kid: "d" },
      { ...rsa.privateKey.export({ format: "jwk" }), kid: "d" },
      { kty: "oct", k: "c2VjcmV0", kid: "k", alg: "HS256" },
    ])
      expect(await problem(jwksText(ed, secret))).toContain("private or symmetric");
  });

  it.each([
    ["{", "is no JSON"],
    ["[]", "RFC 7517"],
    ["null", "RFC 7517"],
    ["{}", "RFC 7517"],
    ['{"keys":{}}', "RFC 7517"],
    ['{"keys":[7]}', "key 0 is no object"],
    ['{"keys":[]}', "no key that can be used (it is empty)"],
    ['{"keys":[{"kid":"a","kty":"EC"}]}', "no key that can be used (key 0"],
    [" ".repeat(jwksBytesMax + 1), "larger than"],
    [JSON.stringify({ keys: Array.from({ length: 101 }, () => ({})) }), "more than 100 keys"],
  ])("is refused as %s", async (text, why) => {
    expect(await problem(text)).toContain(why);
  });
});
