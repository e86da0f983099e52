/** A consistent copy of a data directory, as one archive (docs/backup.md). */
export interface Backup {
  /** Bytes of the whole archive. */
  readonly bytes: number;
  /** Last record that it holds: everything that was durable when it began. */
  readonly lastSeq: number;
  /**
   * The archive, to be read once. Where the data turn out to be damaged it ends with an entry that says so, and whoever
   * reads the archive refuses it. What was pinned for it is let go as it is read, and when reading ends early.
   */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Gives it up, also when nobody began to read it. */
  close(): void;
}

/** Begins a backup. Rejects with an error that has an `exitCode`; its `code` is `in-use` while another one is under way. */
export type BeginBackup = () => Promise<Backup>;
