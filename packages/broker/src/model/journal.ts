/**
 * The journal as the rest of the broker sees it: an append-only sequence of records, gathered into frames that
 * are sealed, written and synced together. The core knows this interface and no file.
 */

/** Plaintext view of one frame. Records are numbered `firstSeq ... firstSeq + count - 1`, gap-free over all frames. */
export interface JournalFrame {
  readonly firstSeq: number;
  readonly count: number;
  /** Record area. Valid while the caller holds the frame object; never written to. */
  readonly bytes: Buffer;
  /** `starts[i]`: where the body of record i begins in `bytes`; `ends[i]`: one past its last byte. */
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  readonly kinds: Uint8Array;
  /** What of the records belongs to erasure domains, by `index`. */
  readonly confined?: readonly Confined[];
  /** Its records are to be proved one by one. While it is on its way to disk. */
  readonly isProved?: boolean;
  /** 1 for each record of which that part is erased: zeros stand in its place. Absent where there is none. */
  readonly erased?: Uint8Array;
}

/** The part of a record that goes with its erasure domain. */
export interface Confined {
  readonly index: number;
  /** From 1. */
  readonly domain: number;
  /** Where in the frame's bytes it begins; it reaches to the end of the record. */
  readonly from: number;
}

export interface SegmentInfo {
  readonly id: number;
  readonly firstSeq: number;
  /** Last record of the segment; less than `firstSeq` when it holds none. */
  readonly lastSeq: number;
  readonly bytes: number;
  /** The one being written. It cannot be dropped. */
  readonly active: boolean;
}

export interface JournalStatistics {
  framesCommitted: number;
  recordsCommitted: number;
  bytesWritten: number;
  syncs: number;
  /** Sum of write + fdatasync times, milliseconds. */
  commitMilliseconds: number;
  diskBytes: number;
}

/** What the engine hears from its journal. */
export interface JournalListener {
  /** The open frame is about to be sealed: the last chance to add records to it (acknowledged ranges). */
  beforeSeal(): void;
  /** Commit point: these records are durable. Called in order, once a frame. */
  committed(frame: JournalFrame): void;
  /** A write or sync failed, or the disk is full beyond the reserve. No `committed` follows, ever. */
  failed(reason: string): void;
}

export interface Journal {
  /** Last record reserved (open frame included); 0 before the first. */
  readonly lastSeq: number;
  /** Last record that is durable. */
  readonly durableSeq: number;
  /** The buffer of the open frame. Read it *after* `reserve`, which may have replaced it by a larger one. */
  readonly openBytes: Buffer;
  /** True while the open frame is over its soft size: doors stop reading from publishers until it is taken. */
  readonly congested: boolean;
  /**
   * True while the open frame is many times its soft size: each publisher had its turn before it was held back, and
   * there are too many of them. Publishes are to be refused until it is taken.
   */
  readonly overfull: boolean;
  /** True after `failed`. */
  readonly hasFailed: boolean;

  start(listener: JournalListener): void;
  /** Takes the next sequence number (`lastSeq`) and room for a body of exactly `length` bytes; returns where it starts in `openBytes`. */
  reserve(kind: number, length: number): number;
  /**
   * The record that was reserved last belongs to an erasure domain from byte `from` of `openBytes` on, to its end: with
   * the domain's key it becomes unreadable. A key is made for a domain that has none.
   */
  confine(domain: number, from: number): void;
  /** The frame that is open gets the root of a tree over its records: each can be proved without showing another. */
  prove(): void;
  /**
   * Destroys the keys of domains that no record will belong to any more, and whose records are durable. `done` once no
   * key is left. Again and again changes nothing.
   */
  destroyDomains(domains: readonly number[], done: () => void): void;
  /** Throws when the key of one of these erasure domains is not there. */
  requireDomains(domains: readonly number[]): void;
  /** Everything reserved so far is to become durable as soon as the disk is free. Cheap to call often. */
  commit(): void;
  /** The same, at most `milliseconds` from now, with another frame if one goes earlier. */
  commitWithin(milliseconds: number): void;
  /** A frame of durable records that is still in memory and holds `seq`. */
  cached(seq: number): JournalFrame | undefined;
  /** The durable frame that holds `seq`, from memory or disk; `undefined` when it was dropped or is damaged. */
  fetch(seq: number, done: (frame: JournalFrame | undefined) => void): void;

  /** A complete snapshot whose first record is `seq` is durable: recovery may start there. */
  snapshotTaken(seq: number): void;
  segments(): SegmentInfo[];
  /** Drops a whole segment (with a trim record that keeps the chain), then recycles its file. */
  dropSegment(id: number): void;
  statistics(): JournalStatistics;
  /** Commits what is open, syncs, releases the lock. */
  close(): Promise<void>;
}

/** What opening found. */
export interface RecoveryReport {
  /** First record of the newest complete snapshot, or 0. */
  readonly snapshotSeq: number;
  readonly lastSeq: number;
  /** Bytes of a torn tail that were cut; 0 nearly always. */
  readonly tornBytes: number;
  readonly segments: number;
}

/** A journal that has been opened and checked, before the first append. */
export interface OpenedJournal {
  readonly report: RecoveryReport;
  /** Visits every frame from the one that holds `from` (or the oldest kept) in order. May be called more than once. */
  replay(from: number, visit: (frame: JournalFrame) => void): Promise<void>;
  readonly journal: Journal;
}

/** Seals small secrets (private keys) under the key-encryption key. `purpose` is bound as associated data. */
export interface SecretBox {
  seal(plain: Uint8Array, purpose: string): Buffer;
  /** `undefined` when the bytes were not sealed by this key for this purpose. */
  open(sealed: Uint8Array, purpose: string): Buffer | undefined;
  /** 32 bytes for another purpose: the same at each start, and nothing that one could tell the box's key from. */
  derive(purpose: string): Buffer;
}
