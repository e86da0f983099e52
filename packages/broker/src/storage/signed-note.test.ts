import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import vector from "../../../../docs/vectors/checkpoint.json" with { type: "json" };
import { formatCheckpoint, parseCheckpoint } from "./checkpoint.ts";
import {
  formatNote,
  formatVerifierKey,
  NOTE_BYTES_MAX,
  parseNote,
  parseSignatures,
  parseVerifierKey,
  signNote,
  verifierKey,
  verifyNote,
  verifySignature,
} from "./signed-note.ts";

const bytesOf = (text: string): Buffer => Buffer.from(text, "utf8");
const verifier = parseVerifierKey(vector.verifierKey)!;
const witness = parseVerifierKey(vector.witnessKey)!;

describe("the vector that another implementation accepted", () => {
  it("is what is signed here, to the byte", () => {
    const der = Buffer.concat([
      Buffer.from("302e020100300506032b657004220420", "hex"),
      Buffer.from(vector.seedHex, "hex"),
    ]);
    const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
    const own = verifierKey(vector.origin, createPublicKey(key));
    expect(formatVerifierKey(own)).toBe(vector.verifierKey);
    const text = formatCheckpoint({ ...vector, root: Buffer.from(vector.rootHex, "hex") });
    expect(formatNote(signNote(text, own, key))).toBe(vector.note);
  });

  it("verifies, and says what it says", () => {
    const note = parseNote(bytesOf(vector.note))!;
    expect(verifyNote(note, verifier)).toBe("verified");
    const { origin, size, root } = parseCheckpoint(note.text)!;
    expect([origin, size, root.toString("hex")]).toEqual([vector.origin, vector.size, vector.rootHex]);
    expect(formatNote(note)).toBe(vector.note);
  });

  it("takes a witness's cosignature, and none of another text or time", () => {
    const [cosignature] = parseSignatures(vector.cosignature)!;
    const { text } = parseNote(bytesOf(vector.note))!;
    expect(verifySignature(text, cosignature!, witness)).toBe(true);
    expect(verifyNote(parseNote(bytesOf(vector.note + vector.cosignature))!, witness)).toBe("verified");
    expect(verifySignature(text.replace("\n8\n", "\n9\n"), cosignature!, witness)).toBe(false);
    const later = Buffer.from(cosignature!.signature);
    later[7]! ^= 1;
    expect(verifySignature(text, { ...cosignature!, signature: later }, witness)).toBe(false);
    expect(verifySignature(text, { ...cosignature!, signature: later.subarray(8) }, witness)).toBe(false);
  });
});

it("reads a note of the reference implementation's documentation", () => {
  const key = parseVerifierKey("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")!;
  const note =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n" +
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
  expect(verifyNote(parseNote(bytesOf(note))!, key)).toBe("verified");
});

describe("what does not verify", () => {
  it("any bit of a note", () => {
    const bytes = bytesOf(vector.note);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const bent = Buffer.from(bytes);
      bent[bit >> 3]! ^= 1 << (bit & 7);
      const note = parseNote(bent);
      if (note !== undefined) expect(verifyNote(note, verifier)).not.toBe("verified");
    }
  });

  it("a note signed by another key, of the same name or another", () => {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const { text } = parseNote(bytesOf(vector.note))!;
    expect(verifyNote(signNote(text, verifierKey(vector.origin, publicKey), privateKey), verifier)).toBe("unsigned");
    expect(verifyNote(signNote(text, verifier, privateKey), verifier)).toBe("forged");
  });
});

it.each([
  ["no signature", "text\n"],
  ["no empty line", "text\n\u2014 name AAAAAAA=\n"],
  ["no signature after the empty line", "text\n\n"],
  ["a last line that does not end", "text\n\n\u2014 name AAAAAAA="],
  ["a dash that is none", "text\n\n- name AAAAAAA=\n"],
  ["a signature without bytes", "text\n\n\u2014 name AAAAAA==\n"],
  ["base64 that is spelled in another way", "text\n\n\u2014 name AAAAAAB=\n"],
  ["a name with a plus sign", "text\n\n\u2014 na+me AAAAAAA=\n"],
  ["a control character", "te\txt\n\n\u2014 name AAAAAAA=\n"],
  ["more bytes than a note may have", `${"x".repeat(NOTE_BYTES_MAX)}\n\n\u2014 name AAAAAAA=\n`],
  ["more signatures than a note may have", `x\n\n${"\u2014 name AAAAAAA=\n".repeat(101)}`],
])("is no note: %s", (_what, text) => {
  expect(parseNote(bytesOf(text))).toBeUndefined();
});

it("is no note when it is not UTF-8, and reads any bytes without throwing", () => {
  expect(parseNote(Buffer.concat([Buffer.of(0xff), bytesOf(vector.note)]))).toBeUndefined();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.string(), (bytes, text) => {
      parseNote(bytes);
      parseNote(bytesOf(`${text}\n\n\u2014 ${text}\n`));
      parseCheckpoint(text);
      parseVerifierKey(text);
    }),
  );
});

it.each(["", "name", "na me+6a61f810+AQ==", vector.verifierKey.slice(0, -1), vector.verifierKey.replace("6a", "6b")])(
  "is no verifier key: %s",
  (text) => {
    expect(parseVerifierKey(text)).toBeUndefined();
  },
);

describe("checkpoints", () => {
  it("come back as they were", () => {
    const root = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z/0-9.]{1,40}$/), fc.maxSafeNat(), root, (origin, size, hash) => {
        const checkpoint = { origin, size, root: Buffer.from(hash) };
        expect(parseCheckpoint(formatCheckpoint(checkpoint))).toEqual(checkpoint);
      }),
    );
  });

  const root = Buffer.alloc(32, 7).toString("base64");
  it.each([
    "",
    "o\n",
    "o\n1\n",
    `o\n1\n${root}`,
    `o\n01\n${root}\n`,
    `o\n-1\n${root}\n`,
    `o\n9007199254740992\n${root}\n`,
  ])("are not %j", (text) => {
    expect(parseCheckpoint(text)).toBeUndefined();
  });

  it("have lines for extensions, none of them empty", () => {
    expect(parseCheckpoint(`o\n1\n${root}\nmore\n`)?.size).toBe(1);
    expect(parseCheckpoint(`o\n1\n${root}\n\nmore\n`)).toBeUndefined();
    expect(parseCheckpoint(`\n1\n${root}\n`)).toBeUndefined();
    expect(parseCheckpoint(`o\n1\n${root.slice(4)}\n`)).toBeUndefined();
  });
});
