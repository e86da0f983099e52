/** What the administrative side offers about storage: its keys, and whether it is whole. Every verb that changes something is audited and durable before it resolves. */

export interface DataKeyStatus {
  /** Key of the segment that is being written. */
  readonly id: number;
  /** Frames that it has sealed. */
  readonly frames: number;
  /** Key that the next segment will have; another than `id` only just after a rotation. */
  readonly current: number;
  /** When the current key was made, wall-clock milliseconds; 0 when nobody knows. */
  readonly madeAt: number;
  /** How many data keys are kept. */
  readonly keys: number;
}

/** Where the key-encryption key comes from. */
export type KekSource = "file" | "descriptor" | "command" | "memory";

export interface StorageStatus {
  readonly dataKey: DataKeyStatus;
  readonly kek: KekSource;
  readonly scrub: ScrubStatus;
}

export interface KekRotated {
  /** Where the new key is, for people. */
  readonly source: string;
  /** File that keeps the key before, for backups that were made with it; absent where mess did not hold it. */
  readonly kept?: string;
}

/** Where stored data are not what was written. */
export interface CorruptPlace {
  readonly file: string;
  readonly segment: number;
  readonly offset: number;
  /** First record that cannot be read. */
  readonly seq: number;
  readonly reason: string;
}

/** What the background scrub has done in this process. */
export interface ScrubStatus {
  /** Checked in all passes. */
  readonly bytes: number;
  /** That went through to their end. */
  readonly passes: number;
  readonly running: boolean;
  /** Of the pass that is under way: what it has to check, and has checked. */
  readonly passBytes?: number;
  readonly passDone?: number;
  /** When the last pass ended, wall-clock milliseconds. */
  readonly endedAt?: number;
  /** The first place in each damaged segment. */
  readonly corrupt: readonly CorruptPlace[];
}

/** What keeps stored data secret and whole. Everything rejects with an error that has a `code` and an `exitCode`. */
export interface StorageParts {
  readonly dataKeys: {
    status(): DataKeyStatus;
    /** Whether the current key has sealed long or often enough. */
    isDue(): boolean;
    rotate(): Promise<number>;
  };
  readonly kekKeeper: {
    readonly source: KekSource;
    rotate(): Promise<KekRotated>;
  };
  readonly scrubber: {
    start(observe: (place: CorruptPlace) => void): void;
    passNow(): void;
    status(): ScrubStatus;
  };
}

export interface StorageAdministration {
  status(): StorageStatus;
  /** A new data key seals what is written from here on. Returns its number. */
  rotateDataKey(by: string): Promise<number>;
  /**
   * Another key-encryption key: a new one in the place of the key file, or what the key command gives now. Refused
   * (conflict) where the source cannot give another one while the broker runs.
   */
  rotateKek(by: string): Promise<KekRotated>;
  /** Checks everything that is stored now, in the background; `status` tells how far it is. */
  scrub(by: string): Promise<void>;
}
