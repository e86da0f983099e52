/** Keys of the signing vectors: the first two of RFC 8032 section 7.1, and a secret that counts up. */

export interface KeyVector {
  readonly id: string;
  readonly principal: string;
  readonly algorithm: "EdDSA" | "HS256";
  /** Of EdDSA: the 32 bytes of the public key. */
  readonly publicKey?: string;
  /** Of EdDSA: the 32 bytes of the private key. Of HS256: the secret. */
  readonly secret: string;
}

const fromHex = (hex: string): string => Buffer.from(hex, "hex").toString("base64url");

export const sensorKey: KeyVector = {
  id: "sk_sensor",
  principal: "sensor",
  algorithm: "EdDSA",
  publicKey: fromHex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"),
  secret: fromHex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"),
};

export const otherKey: KeyVector = {
  id: "sk_other",
  principal: "other",
  algorithm: "EdDSA",
  publicKey: fromHex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"),
  secret: fromHex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"),
};

export const sharedKey: KeyVector = {
  id: "sk_shared",
  principal: "sensor",
  algorithm: "HS256",
  secret: Buffer.from(Array.from({ length: 32 }, (_, i) => i)).toString("base64url"),
};

export const keyVectors: readonly KeyVector[] = [sensorKey, otherKey, sharedKey];

/** Public keys that must not be taken: the eight points whose order divides 8, and encodings that are not the only one. */
export const refusedKeys: readonly { readonly publicKey: string; readonly why: string }[] = [
  ["0100000000000000000000000000000000000000000000000000000000000000", "order 1"],
  ["ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "order 2"],
  ["0000000000000000000000000000000000000000000000000000000000000000", "order 4"],
  ["0000000000000000000000000000000000000000000000000000000000000080", "order 4"],
  ["26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", "order 8"],
  ["26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85", "order 8"],
  ["c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", "order 8"],
  ["c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa", "order 8"],
  ["0100000000000000000000000000000000000000000000000000000000000080", "order 1, with a sign that zero has not"],
  ["ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "order 2, with a sign that zero has not"],
  ["edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "y is the prime: another spelling of order 4"],
  [
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "y is the prime + 1: another spelling of order 1",
  ],
  ["0200000000000000000000000000000000000000000000000000000000000000", "not on the curve"],
  ["d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f70751", "31 bytes"],
].map(([hex = "", why = ""]) => ({ publicKey: fromHex(hex), why }));
