/** The exit codes of every command: a contract (the numbers are those of sysexits.h where it has one). */
export const ExitCode = {
  ok: 0,
  /** The command line is wrong. */
  usage: 64,
  /** Data on disk is damaged. */
  damaged: 65,
  /** The server cannot be reached, or does not answer. */
  unreachable: 69,
  /** A defect of mess itself. */
  internal: 70,
  /** Reading or writing failed. */
  inputOutput: 74,
  /** The data directory is in use by a running server. */
  inUse: 75,
  /** The key, or this user, may not do that. */
  notPermitted: 77,
  /** A setting, file or certificate is wrong. */
  configuration: 78,
  interrupted: 130,
  terminated: 143,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];
