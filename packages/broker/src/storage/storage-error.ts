/** What is wrong: the data, who uses it, how it is set up, or the disk. */
export type StorageErrorCode = "damaged" | "in-use" | "configuration" | "io";

/** For JSON output: `file`, `segment`, `offset` (bytes), `seq`, and what else helps to find the place. */
export type StorageErrorDetail = Readonly<Record<string, string | number>>;

const exitCodes: Readonly<Record<StorageErrorCode, number>> = { damaged: 65, "in-use": 75, configuration: 78, io: 74 };

/** Why a data directory cannot be used. The message says what, where, and how to mend it. */
export class StorageError extends Error {
  readonly code: StorageErrorCode;
  readonly detail: StorageErrorDetail;

  constructor(code: StorageErrorCode, message: string, detail: StorageErrorDetail = {}) {
    super(message);
    this.name = "StorageError";
    this.code = code;
    this.detail = detail;
  }

  /** Exit code of the process (DESIGN section 8). */
  get exitCode(): number {
    return exitCodes[this.code];
  }
}
