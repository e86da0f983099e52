/** What a serving or offline command hands to the broker. */
export interface ServeOptions {
  /** Only the flags that were given, by their long names in camel case. */
  readonly flags: Record<string, unknown>;
  readonly env: NodeJS.ProcessEnv;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
}

export interface OfflineOptions {
  readonly data: string;
  readonly flags: Record<string, unknown>;
  readonly env: NodeJS.ProcessEnv;
}

export interface VerifyOptions extends OfflineOptions {
  readonly signal: AbortSignal;
  /** Bytes. */
  readonly progress: (done: number, total: number) => void;
}

export interface VerifyResult {
  readonly ok: boolean;
  readonly summary: string;
}

/** The part of `@mess/broker` that the command line uses. */
export interface BrokerLibrary {
  /** Serves until told to stop; resolves with the exit code. */
  serve(options: ServeOptions): Promise<number>;
  /** Makes a new admin key while no server runs, and writes it to `DIR/admin.key`. */
  resetAdminKey(options: OfflineOptions): Promise<{ readonly id: string; readonly secret: string }>;
  /** The key-encryption key, as text to be kept in a safe place. */
  /** Checks a journal from end to end while no server runs on it. */
  verifyJournal(options: VerifyOptions): Promise<VerifyResult>;
  exportKek(options: OfflineOptions): Promise<string>;
}

/** Loaded late: a client command must not pay for a server. */
export async function loadBroker(): Promise<BrokerLibrary> {
  return (await import("@mess/broker")) as unknown as BrokerLibrary;
}
