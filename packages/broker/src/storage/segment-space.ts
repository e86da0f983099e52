import type { Host } from "../host/host.ts";
import { errorCode } from "./disk-io.ts";
import type { SegmentCatalogue } from "./segment-catalogue.ts";
import { SEGMENT_HEADER_BYTES } from "./segment-header.ts";
import type { SegmentPool, ZeroedFile } from "./segment-pool.ts";
import { StorageError } from "./storage-error.ts";

/** Part of the budget that only records without which nothing can be freed may use (RELIABILITY F9). */
const RESERVE_PART = 0.01;
const RESERVE_BYTES_MAX = 16 * 1_024 * 1_024;

const DESCRIPTOR_TRIES = 100;
const DESCRIPTOR_WAIT_MS = 50;

export interface SpaceParts {
  readonly host: Host;
  readonly pool: SegmentPool;
  readonly catalogue: SegmentCatalogue;
  readonly limits: { readonly segmentBytes: number; readonly diskBytesMax: number };
}

/** A file for a segment that needs `needed` bytes, header included; rejects when neither budget nor disk has room. */
export async function takeSegmentFile(parts: SpaceParts, needed: number): Promise<ZeroedFile> {
  const { host, pool, catalogue, limits } = parts;
  const reserve = Math.min(limits.diskBytesMax * RESERVE_PART, RESERVE_BYTES_MAX);
  const left = limits.diskBytesMax + reserve - catalogue.bytes;
  if (needed > left) {
    const message = `The journal has used its disk budget of ${limits.diskBytesMax} bytes and its reserve.`;
    throw new StorageError("io", message);
  }
  const whole = Math.max(needed, limits.segmentBytes);
  for (let tries = 1; whole <= left; tries++) {
    try {
      return await pool.take(needed);
    } catch (error) {
      const code = errorCode(error);
      if (code === "ENOSPC") break;
      // Out of descriptors passes (F10), and nothing of this frame is written yet.
      if ((code !== "EMFILE" && code !== "ENFILE") || tries > DESCRIPTOR_TRIES) throw error;
      await new Promise<void>((resolve) => host.timers.after(DESCRIPTOR_WAIT_MS, resolve));
    }
  }
  // Near the end of the space small segments do: consumers' acks and trims free the rest.
  return pool.makeNow(Math.ceil(needed / SEGMENT_HEADER_BYTES) * SEGMENT_HEADER_BYTES);
}
