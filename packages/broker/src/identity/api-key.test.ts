import { createHash, randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checksumHolds, hashSecret, newApiKey, verifySecret } from "./api-key.ts";

const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));

describe("newApiKey", () => {
  it("makes an id and a secret of fixed form", () => {
    for (let round = 0; round < 200; round++) {
      const { id, secret } = newApiKey(random);
      expect(id).toMatch(/^k_[a-z2-9]{16}$/);
      expect(secret).toMatch(/^mess_[0-9A-Za-z]{49}$/);
      expect(checksumHolds(secret)).toBe(true);
    }
  });

  it("uses every random bit: other bytes, another secret", () => {
    fc.assert(
      fc.property(fc.nat(255), fc.uint8Array({ minLength: 32, maxLength: 32 }), (bit, bytes) => {
        const flipped = Uint8Array.from(bytes);
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const make = (source: Uint8Array): string => newApiKey((length) => source.subarray(0, length)).secret;
        expect(make(bytes)).not.toBe(make(flipped));
      }),
    );
    expect(newApiKey((length) => new Uint8Array(length)).secret).toHaveLength(54);
    expect(newApiKey((length) => new Uint8Array(length).fill(255)).secret).toHaveLength(54);
  });
});

describe("checksumHolds", () => {
  it("finds any cut and any single changed character", () => {
    const { secret } = newApiKey(random);
    for (let index = 0; index < secret.length; index++) {
      expect(checksumHolds(secret.slice(0, index))).toBe(false);
      const other = secret[index] === "x" ? "y" : "x";
      expect(checksumHolds(secret.slice(0, index) + other + secret.slice(index + 1))).toBe(false);
    }
    expect(checksumHolds(`${secret}x`)).toBe(false);
    expect(checksumHolds("")).toBe(false);
  });
});

describe("verifySecret", () => {
  it("knows its own secret by the SHA-256 and no other", () => {
    const { secret } = newApiKey(random);
    const hash = hashSecret(secret);
    expect(Buffer.from(hash).equals(createHash("sha256").update(secret).digest())).toBe(true);
    expect(verifySecret(secret, hash)).toBe(true);
    expect(verifySecret(newApiKey(random).secret, hash)).toBe(false);
    expect(verifySecret(secret, undefined)).toBe(false);
  });

  it("never takes a blank secret or a broken stored hash (LESSONS 9)", () => {
    expect(verifySecret("", hashSecret(""))).toBe(false);
    expect(verifySecret("", new Uint8Array(0))).toBe(false);
    const { secret } = newApiKey(random);
    expect(verifySecret(secret, new Uint8Array(0))).toBe(false);
    expect(verifySecret(secret, hashSecret(secret).subarray(0, 31))).toBe(false);
    expect(verifySecret(secret, new Uint8Array(32))).toBe(false);
  });
});
