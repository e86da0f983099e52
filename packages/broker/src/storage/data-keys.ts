import type { Host } from "../host/host.ts";
import type { DataKeyStatus } from "../model/storage-administration.ts";
import type { DiskJournal } from "./journal.ts";
import type { Keyring } from "./keyring.ts";
import type { SegmentCatalogue } from "./segment-catalogue.ts";
import { readSegmentHeaders } from "./segment-files.ts";

export interface DataKeysParts {
  readonly host: Host;
  readonly directory: string;
  readonly keyring: Keyring;
  readonly journal: Pick<DiskJournal, "dataKey" | "changeSegment">;
  readonly catalogue: SegmentCatalogue;
}

/** When a data key has served long enough (THREATS D11). */
export interface DataKeyLimits {
  readonly ageMsMax: number;
  readonly framesMax: number;
}

/**
 * 90 days. 2^32 frames, less what a segment's worth of frames and the time between two looks can add: the count stays
 * below it.
 */
export const dataKeyLimits: DataKeyLimits = { ageMsMax: 90 * 24 * 3_600_000, framesMax: 2 ** 32 - 2 ** 26 };

/** The data keys of an open journal: which one seals, and when the next one takes over. */
export class DataKeys {
  readonly #parts: DataKeysParts;

  constructor(parts: DataKeysParts) {
    this.#parts = parts;
  }

  status(): DataKeyStatus {
    const { keyring, journal } = this.#parts;
    const { id, frames } = journal.dataKey;
    return { id, frames, current: keyring.currentKeyId, madeAt: keyring.currentKeyMadeAt, keys: keyring.keyCount };
  }

  /** Whether the current key has to give way. */
  isDue(limits: DataKeyLimits = dataKeyLimits): boolean {
    const { host, keyring } = this.#parts;
    const { id, frames } = this.#parts.journal.dataKey;
    if (id === keyring.currentKeyId && frames >= limits.framesMax) return true;
    return host.clock.now() - keyring.currentKeyMadeAt >= limits.ageMsMax;
  }

  /**
   * Makes a new data key; everything that is written after this resolves is sealed with it. Keys that no segment on disk
   * was sealed with are forgotten. A kill at any moment leaves a journal that opens. Rejects with a `StorageError`.
   */
  async rotate(): Promise<number> {
    const { keyring, journal } = this.#parts;
    const inUse = await this.#inUse();
    await keyring.rotate(inUse === undefined ? undefined : (keyId) => inUse.has(keyId));
    journal.changeSegment();
    return keyring.currentKeyId;
  }

  /** Keys of all segments on disk; `undefined` while that cannot be said for certain. */
  async #inUse(): Promise<ReadonlySet<number> | undefined> {
    const { host, directory, keyring, catalogue } = this.#parts;
    // A backup holds segments that the catalogue does not know any more.
    if (catalogue.pins.busy) return undefined;
    try {
      const headers = await readSegmentHeaders(host, directory, keyring.journalId);
      return new Set([...headers, ...catalogue.all.map(({ header }) => header)].map(({ keyId }) => keyId));
    } catch {
      // A segment was dropped while this looked. Keeping all keys is never wrong; damage is for others to report.
      return undefined;
    }
  }
}
