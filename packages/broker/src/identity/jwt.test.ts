/** What a token may claim and what it may not (RFC 8725; THREATS): every attack with its twin that is let in. */
import { sign as signBytes } from "node:crypto";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { isRefused } from "../model/authentication.ts";
import {
  fixedKeys,
  forged,
  goodClaims,
  hmac,
  issuerOf,
  nowMs,
  signed,
  type TestKey,
  testKey,
} from "./jwt.test-data.ts";
import { JwtVerifier, jwtBytesMax } from "./jwt.ts";

const seconds = nowMs / 1_000;
let ed: TestKey;
let ec: TestKey;
let rsa: TestKey;
let verifier: JwtVerifier;

beforeAll(async () => {
  ed = testKey("ed-1");
  ec = testKey("ec-1", "ES256");
  rsa = testKey("rsa-1", "RS256");
  const known = new Set(["shop", "idp-b:shop"]);
  const knows = (principal: string): boolean => known.has(principal);
  const other = { name: "b", issuer: "https://b.example", audience: ["mess", "urn:mess"], principalPrefix: "idp-b:" };
  verifier = new JwtVerifier({
    knows,
    issuers: [issuerOf(await fixedKeys(ed, ec, rsa)), issuerOf(await fixedKeys(testKey("other-1")), other)],
  });
});

async function verdict(token: string, now: number = nowMs): Promise<string> {
  const answer = await verifier.verify(token, now);
  return isRefused(answer) ? answer.refused.replace("the token is not valid: ", "") : `let in as ${answer.principal}`;
}

describe("a good token", () => {
  it("is let in, of each algorithm, and says until when", async () => {
    for (const key of [ed, ec, rsa]) {
      expect(await verifier.verify(await signed(key), nowMs)).toEqual({
        principal: "shop",
        keyId: `jwt:idp:${key.kid}`,
        method: "jwt",
        expiresAt: (seconds + 600 + 30) * 1_000,
      });
    }
  });

  it.each([
    ["with several audiences", { aud: ["x", "mess"] }, {}],
    ["with a time before which it does not count that is over", { nbf: seconds - 1 }, {}],
    ["ended within the tolerance", { exp: seconds - 29 }, {}],
    ["not before, within the tolerance", { nbf: seconds + 29 }, {}],
    ["made in the future, within the tolerance", { iat: seconds + 29 }, {}],
    ["with a type", {}, { typ: "JWT" }],
    ["with the type of access tokens", {}, { typ: "at+JWT" }],
    ["with thumbprints, which are not looked at", {}, { x5t: "AAAA" }],
    ["without iat", { iat: undefined }, {}],
    ["of the longest life", { iat: seconds, exp: seconds + 86_400 }, {}],
  ])("is let in %s", async (_what, claims, header) => {
    expect(await verdict(await signed(ed, claims, header))).toBe("let in as shop");
  });
});

describe("claims", () => {
  it.each<[string, Record<string, unknown>, string]>([
    ["another audience", { aud: "other" }, "it is for somebody else"],
    ["an audience that begins like ours", { aud: "mess2" }, "it is for somebody else"],
    ["an audience of another case", { aud: "MESS" }, "it is for somebody else"],
    ["no audience", { aud: undefined }, "it is for somebody else"],
    ["an audience that is no text", { aud: { mess: true } }, "it is for somebody else"],
    ["an empty list of audiences", { aud: [] }, "it is for somebody else"],
    ["an audience of the other issuer", { aud: "urn:mess" }, "it is for somebody else"],
    ["an end in the past", { exp: seconds - 31 }, "it has ended"],
    ["an end before time began", { exp: -1 }, "it has ended"],
    ["no end", { exp: undefined }, "its claims are not valid (exp)"],
    ["an end as text", { exp: String(seconds + 600) }, "its claims are not valid (exp)"],
    ["an end that is null", { exp: null }, "its claims are not valid (exp)"],
    ["an end in 2106", { exp: 4_294_967_295 }, "it lives longer than 86400 s"],
    ["an end beyond all numbers", { exp: Number.MAX_VALUE }, "it lives longer than 86400 s"],
    ["a longer life, ending soon", { iat: seconds - 86_000, exp: seconds + 600 }, "it lives longer than 86400 s"],
    ["a longer life without iat", { iat: undefined, exp: seconds + 86_401 }, "it lives longer than 86400 s"],
    ["a later beginning", { nbf: seconds + 31 }, "it does not count yet"],
    ["a beginning as text", { nbf: "0" }, "its claims are not valid (nbf)"],
    ["a making in the future", { iat: seconds + 31 }, "it was made in the future"],
    ["a making as text", { iat: "1" }, "its claims are not valid (iat)"],
    ["nobody", { sub: undefined }, "it does not say whose it is"],
    ["an empty name", { sub: "" }, "it does not say whose it is"],
    ["a number for a name", { sub: 7 }, "it does not say whose it is"],
    ["a list for a name", { sub: ["shop"] }, "it does not say whose it is"],
    ["a stranger", { sub: "stranger" }, "whose it is is not known here"],
    ["a name of another case", { sub: "Shop" }, "whose it is is not known here"],
    ["a name with a zero behind", { sub: "shop\u0000" }, "whose it is is not known here"],
    ["the name of a scoped token", { sub: "shop~k_1" }, "whose it is is not known here"],
  ])("with %s are refused", async (_what, claims, why) => {
    expect(await verdict(await signed(ed, claims))).toBe(why);
  });

  it.each([
    "https://idp.example",
    "https://idp.example//",
    "HTTPS://idp.example/",
    "https://idp.example/ ",
    "https://idp.example/\u0000",
    "https://evil.example/https://idp.example/",
    "__proto__",
    "",
    ["https://idp.example/"],
    { toString: "https://idp.example/" },
    null,
    undefined,
    7,
  ])("with the issuer %j are refused", async (iss) => {
    expect(await verdict(await signed(ed, { iss }))).toBe("its issuer is not known here");
  });

  it("of one issuer, signed with a key of another, are refused", async () => {
    expect(await verdict(await signed(ed, { iss: "https://b.example" }))).toBe("its key is not one of its issuer's");
  });

  it("name principals of their issuer's own", async () => {
    const key = testKey("b-1");
    const b = issuerOf(await fixedKeys(key), { name: "b", issuer: "https://b.example", principalPrefix: "idp-b:" });
    const known = new Set(["shop", "idp-b:shop"]);
    const one = new JwtVerifier({ issuers: [b], knows: (principal) => known.has(principal) });
    const answer = await one.verify(await signed(key, { iss: "https://b.example" }), nowMs);
    expect(answer).toMatchObject({ principal: "idp-b:shop" });
    const mail = issuerOf(await fixedKeys(key), { principalClaim: "client_id" });
    const two = new JwtVerifier({ issuers: [mail], knows: () => true });
    expect(await two.verify(await signed(key, { client_id: "c1" }), nowMs)).toMatchObject({ principal: "c1" });
    for (const name of ["constructor", "__proto__", "toString"]) {
      const odd = new JwtVerifier({ issuers: [{ ...mail, principalClaim: name }], knows: () => true });
      expect(await odd.verify(await signed(key), nowMs)).toHaveProperty("refused");
    }
  });
});

describe("the signature", () => {
  const header = (more: object = {}): Record<string, unknown> => ({ alg: "EdDSA", kid: "ed-1", ...more });

  it.each(["none", "None", "NONE", "nOnE", ""])("cannot be left out by alg %j", async (alg) => {
    const unsigned = forged({ alg, kid: "ed-1" }, goodClaims, () => "");
    expect(await verdict(unsigned)).toBe("it is not signed, or not of three parts");
    expect(await verdict(forged({ alg, kid: "ed-1" }, goodClaims))).not.toContain("let in");
  });

  it("cannot be made with the public key as the secret of an HMAC", async () => {
    const secrets = [
      rsa.publicKey.export({ type: "spki", format: "pem" }),
      rsa.publicKey.export({ type: "spki", format: "der" }),
      rsa.publicKey.export({ type: "pkcs1", format: "pem" }),
      JSON.stringify(rsa.jwk),
      String(rsa.jwk.n),
      "",
    ];
    for (const secret of secrets)
      for (const alg of ["HS256", "RS256", "EdDSA"])
        for (const kid of ["rsa-1", "ed-1"])
          expect(await verdict(forged({ alg, kid }, goodClaims, hmac(secret)))).not.toContain("let in");
    expect(await verdict(forged({ alg: "HS256", kid: "rsa-1" }, goodClaims, hmac("x")))).toBe(
      "its algorithm is not taken",
    );
  });

  it("is of the algorithm of its key, whatever the header says", async () => {
    const sign = (input: string): string =>
      signBytes("sha256", Buffer.from(input), { key: ec.privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url");
    expect(await verdict(forged({ alg: "ES256", kid: "ec-1" }, goodClaims, sign))).toBe("let in as shop");
    expect(await verdict(forged({ alg: "ES256", kid: "ed-1" }, goodClaims, sign))).toBe(
      "its algorithm is not that of its key",
    );
    for (const alg of ["ES384", "ES256K", "PS256", "RS1", "Ed25519", "HS512", "dir", "es256", ["ES256"], { a: 1 }, 7])
      expect(await verdict(forged({ alg, kid: "ec-1" } as Record<string, unknown>, goodClaims, sign))).not.toContain(
        "let in",
      );
  });

  it("is checked: changed anywhere, it is refused", async () => {
    const [head = "", payload = "", signature = ""] = (await signed(ed)).split(".");
    const more = Buffer.from(JSON.stringify({ ...goodClaims, sub: "shop", admin: true })).toString("base64url");
    expect(await verdict(`${head}.${more}.${signature}`)).toBe("its signature is wrong");
    const stranger = await signed(testKey("ed-1"));
    expect(await verdict(stranger)).toBe("its signature is wrong");
    const bytes = Buffer.from(signature, "base64url");
    for (const at of [0, 31, 32, 63]) {
      const bent = Buffer.from(bytes);
      bent[at] = (bent[at] ?? 0) ^ 1;
      expect(await verdict(`${head}.${payload}.${bent.toString("base64url")}`)).toBe("its signature is wrong");
    }
    for (const short of ["AA", bytes.subarray(0, 63).toString("base64url"), "A".repeat(2_000)])
      expect(await verdict(`${head}.${payload}.${short}`)).not.toContain("let in");
    const zeros = Buffer.alloc(64).toString("base64url");
    expect(await verdict(forged({ alg: "ES256", kid: "ec-1" }, goodClaims, () => zeros))).not.toContain("let in");
  });

  it("comes of no key that the token brings or points to", async () => {
    const own = testKey("own");
    const others: readonly Record<string, unknown>[] = [
      { jwk: own.jwk },
      { x5c: ["MIIB"] },
      { jku: "https://evil.example/jwks.json" },
      { x5u: "https://evil.example/x.pem" },
      { crit: ["mess"], mess: 1 },
      { b64: true },
      { cty: "JWT" },
      { zip: "DEF" },
      { enc: "A256GCM" },
    ];
    for (const other of others) {
      // Signed by who owns the token's key, and even rightly: what is in the header is refused all the same.
      expect(await verdict(await signed(own, {}, { ...other, kid: "ed-1" }))).not.toContain("let in");
      const right = (input: string): string => signBytes(null, Buffer.from(input), ed.privateKey).toString("base64url");
      expect(await verdict(forged(header(other), goodClaims, right))).toContain("its header holds");
    }
  });

  it.each([
    "../../../../etc/passwd",
    "/dev/null",
    "ed-1\u0000",
    "ed-1 ",
    " ed-1",
    "ED-1",
    "ed",
    "ed-1'--",
    "__proto__",
    "constructor",
    "http://evil.example/key",
    "x".repeat(129),
    "",
    "é",
    ["ed-1"],
    { kid: "ed-1" },
    7,
    null,
    undefined,
  ])("needs the exact kid, not %j", async (kid) => {
    const right = (input: string): string => signBytes(null, Buffer.from(input), ed.privateKey).toString("base64url");
    const answer = await verdict(forged(header({ kid }), goodClaims, right));
    expect(["its header names no key (kid)", "its key is not one of its issuer's"]).toContain(answer);
  });
});

describe("the form", () => {
  it.each(["JWT/x", "id+jwt", "logout+jwt", "dpop+jwt", "", 7, null])(
    "is of the type of a JWT, not %j",
    async (typ) => {
      const right = (input: string): string => signBytes(null, Buffer.from(input), ed.privateKey).toString("base64url");
      const answer = await verdict(forged({ alg: "EdDSA", kid: "ed-1", typ }, goodClaims, right));
      expect(answer).toBe("it is of another type");
    },
  );

  it("is small: a token of 1 MB is refused unread", async () => {
    const large = await signed(ed, { pad: "x".repeat(1_000_000) });
    const began = performance.now();
    expect(await verdict(large)).toBe(`it is longer than ${jwtBytesMax} bytes`);
    expect(performance.now() - began).toBeLessThan(50);
    const within = await signed(ed, { pad: "x".repeat(5_000) });
    expect(await verdict(within)).toBe("let in as shop");
  });

  it("is a JWT of claims: not one inside another, encrypted, or of other JSON", async () => {
    const inner = await signed(ed);
    const right = (input: string): string => signBytes(null, Buffer.from(input), ed.privateKey).toString("base64url");
    const head = { alg: "EdDSA", kid: "ed-1" };
    for (const payload of [inner, `"${inner}"`, "[]", "null", "7", "{", "", '{"iss":'])
      expect(await verdict(forged(head, payload, right))).not.toContain("let in");
    expect(await verdict(forged({ alg: "dir", enc: "A256GCM", kid: "ed-1" }, goodClaims))).not.toContain("let in");
    expect(await verdict(`${inner}.x.y`)).toBe("it is not signed, or not of three parts");
    for (const head of ["[]", "null", "7", "{", ""])
      expect(await verdict(forged(head, goodClaims))).not.toContain("let in");
    for (const text of ["", ".", "..", "a.b.c", `${inner}\n`, ` ${inner}`, inner.replace(".", "..")])
      expect(await verdict(text)).not.toContain("let in");
  });

  it("never throws, and lets nothing in, whatever comes", async () => {
    const part = fc.oneof(
      fc.string(),
      fc.json().map((text) => Buffer.from(text).toString("base64url")),
      fc.object().map((value) => Buffer.from(JSON.stringify(value)).toString("base64url")),
      fc.constantFrom(
        Buffer.from('{"alg":"EdDSA","kid":"ed-1"}').toString("base64url"),
        Buffer.from(JSON.stringify(goodClaims)).toString("base64url"),
      ),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 5 }), async (parts) => {
        expect(await verdict(parts.join("."))).not.toContain("let in");
      }),
      { numRuns: 500 },
    );
  });

  it("is answered with nothing of the token in it", async () => {
    const secret = "marker-of-the-token";
    for (const claims of [{ iss: secret }, { aud: secret }, { sub: secret }, { exp: secret }])
      expect(await verdict(await signed(ed, claims))).not.toContain(secret);
    expect(await verdict(await signed(ed, {}, { kid: secret }))).not.toContain(secret);
  });
});
