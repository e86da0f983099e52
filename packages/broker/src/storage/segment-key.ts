import { hkdfSync, type KeyObject } from "node:crypto";
import type { DomainKey } from "./erasure-keys.ts";
import { secretKey } from "./secret-box.ts";

const KEY_BYTES = 32;

/** The keys of one segment: each is made of a secret and of the segment's salt, so that none repeats in another. */
export interface SegmentKey {
  /** Of what belongs to no erasure domain. */
  readonly own: KeyObject;
  /** Of a domain. `none`: it was destroyed, and what it sealed cannot be read any more. `undefined`: its secret is damaged. */
  of(domain: number): KeyObject | "none" | undefined;
}

export function segmentKey(secret: Uint8Array, salt: Uint8Array, domainKey: (domain: number) => DomainKey): SegmentKey {
  return {
    own: derive(secret, salt, "mess/segment/v1"),
    of: (domain) => {
      const key = domainKey(domain);
      return key === undefined || key === "none" ? key : derive(key, salt, "mess/domain/v1");
    },
  };
}

function derive(secret: Uint8Array, salt: Uint8Array, purpose: string): KeyObject {
  return secretKey(new Uint8Array(hkdfSync("sha256", secret, salt, purpose, KEY_BYTES)));
}
