import type { DirectoryLock, Host } from "../host/host.ts";
import type { ActiveSegment } from "./active-segment.ts";
import type { RecoveredTree } from "./journal-tree.ts";
import type { Keyring } from "./keyring.ts";
import type { Scrubber } from "./scrubber.ts";
import type { SegmentCatalogue } from "./segment-catalogue.ts";
import type { SegmentPool } from "./segment-pool.ts";
import type { TreeWitness } from "./tree-witness.ts";

export interface StorageLimits {
  readonly segmentBytes: number;
  readonly frameBytesSoft: number;
  readonly frameCacheBytes: number;
  readonly diskBytesMax: number;
}

/** What `openJournal` hands over. */
export interface JournalParts {
  readonly host: Host;
  readonly directory: string;
  readonly keyring: Keyring;
  readonly limits: StorageLimits;
  readonly lock: DirectoryLock;
  readonly catalogue: SegmentCatalogue;
  readonly pool: SegmentPool;
  readonly active: ActiveSegment;
  readonly scrubber: Scrubber;
  readonly lastSeq: number;
  readonly snapshotSeq: number;
  readonly headGeneration: number;
  readonly tree: RecoveredTree;
  /** Last segment with a frame, and where its frames end. */
  readonly lastFilledId: number;
  readonly lastFilledEnd: number;
  /** Hears of each frame that became durable, and has its say before the journal lets go of the directory. */
  readonly witness?: TreeWitness;
}
