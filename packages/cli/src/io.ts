/** What a command sees of the world; tests give their own. */
export interface Io {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /**
   * Begins to watch SIGINT and SIGTERM: the first one aborts the signal, a second one ends the process. Commands that
   * do not call it (`serve` has its own) leave the signals alone.
   */
  watchSignals(): AbortSignal;
  /** Set by the command; 0 unless told otherwise. */
  exitCode: number;
}

/** The reason of `watchSignals`' signal: which exit code the user asked for. */
export class Interruption extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super("interrupted");
    this.name = "Interruption";
    this.exitCode = exitCode;
  }
}
