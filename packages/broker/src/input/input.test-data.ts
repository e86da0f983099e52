/** What the tests of `input` share: timers, counters and waiting. */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Timers } from "../host/host.ts";
import type { SecretBox } from "../model/journal.ts";
import type { InputCounters } from "./admission.ts";

export const nodeTimers: Timers = {
  after(milliseconds, run) {
    const timer = setTimeout(run, milliseconds);
    return { cancel: () => clearTimeout(timer) };
  },
  soon: (run) => void setImmediate(run),
};

export function countingCounters(): InputCounters & { hits: Map<string, number> } {
  const hits = new Map<string, number>();
  const count = (name: string): void => void hits.set(name, (hits.get(name) ?? 0) + 1);
  return { hits, limitHit: count, handshakeFailed: () => count("handshake_failed") };
}

/** Waits until `condition` holds; fails after five seconds. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`timed out waiting for ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** A box on a random key, as the journal's: AES-256-GCM with the purpose as associated data. */
export function testBox(): SecretBox {
  const key = randomBytes(32);
  return {
    seal(plain, purpose) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(purpose));
      const body = Buffer.concat([cipher.update(plain), cipher.final()]);
      return Buffer.concat([nonce, body, cipher.getAuthTag()]);
    },
    open(sealed, purpose) {
      try {
        const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, 12)).setAAD(Buffer.from(purpose));
        decipher.setAuthTag(sealed.subarray(sealed.length - 16));
        return Buffer.concat([decipher.update(sealed.subarray(12, sealed.length - 16)), decipher.final()]);
      } catch {
        return undefined;
      }
    },
    derive: (purpose) => createHmac("sha256", key).update(purpose).digest(),
  };
}

/** A directory that `remove` deletes. */
export function temporaryDirectory(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), "mess-input-"));
  return { path, remove: () => rmSync(path, { recursive: true }) };
}
