/** What a serving or offline command hands to the broker. */
export interface ServeOptions {
  /** Only the flags that were given, by their long names in camel case. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
}

export interface OfflineOptions {
  readonly data: string;
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface KekOptions {
  readonly directory: string;
  readonly kekFile?: string;
  readonly kekFd?: number;
  readonly kekCommand?: string;
}

export interface BadPosition {
  readonly file: string;
  readonly segment: number;
  readonly offset: number;
  readonly seq: number;
  readonly reason: string;
}

export interface VerifyReport {
  readonly ok: boolean;
  readonly problem: BadPosition | undefined;
  readonly segments: number;
  readonly frames: number;
  readonly records: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** Hex. */
  readonly headHash: string;
  readonly trims: readonly { readonly segment: number; readonly firstSeq: number; readonly lastSeq: number }[];
  /** Bytes that carry nothing: zeros for frames to come, or what a crash left of one. */
  readonly emptyBytes: readonly { readonly segment: number; readonly from: number; readonly to: number; readonly what: "zeros" | "torn" }[];
}

export interface VerifyOptions {
  readonly host: unknown;
  readonly directory: string;
  readonly kek: Uint8Array;
  readonly onProgress?: (done: number, total: number) => void;
}

/** The part of `@mess/broker` that the command line uses. Its errors carry the `exitCode` they stand for. */
export interface BrokerLibrary {
  /** Serves until told to stop; resolves with the exit code. */
  serve(options: ServeOptions): Promise<number>;
  /** Makes a new admin key while no server runs, and writes it to `DIR/admin.key`. */
  resetAdminKey(options: OfflineOptions): Promise<{ readonly id: string; readonly secret: string }>;
  /** The key-encryption key, as text to be kept in a safe place. */
  exportKek(options: OfflineOptions): Promise<string>;
  /** Makes a key when there is none and the directory holds no journal: check for one first. */
  loadKek(options: KekOptions): Promise<{ readonly kek: Uint8Array }>;
  nodeHost(): unknown;
  verifyJournal(options: VerifyOptions): Promise<VerifyReport>;
}

/** Loaded late: a client command must not pay for a server. */
export async function loadBroker(): Promise<BrokerLibrary> {
  return (await import("@mess/broker")) as unknown as BrokerLibrary;
}
