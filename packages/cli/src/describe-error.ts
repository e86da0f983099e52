import type { MessErrorCode } from "@mess/client";
import { CliError } from "./cli-error.ts";
import { ExitCode } from "./exit-code.ts";

export interface ErrorDescription {
  readonly exitCode: number;
  readonly message: string;
  readonly hint: string | undefined;
  /** Only for defects: where it happened. */
  readonly stack: string | undefined;
}

const clientCodes: Readonly<Record<MessErrorCode, ExitCode>> = {
  BAD_SIGNATURE: ExitCode.notPermitted,
  INVALID_ARGUMENT: ExitCode.usage,
  CLEARTEXT_CREDENTIALS: ExitCode.configuration,
  UNREACHABLE: ExitCode.unreachable,
  TLS_FAILED: ExitCode.configuration,
  NOT_AUTHORIZED: ExitCode.notPermitted,
  REFUSED: ExitCode.unreachable,
  TIMEOUT: ExitCode.unreachable,
  CONNECTION_LOST: ExitCode.unreachable,
  PROTOCOL_ERROR: ExitCode.unreachable,
  TOO_LARGE: ExitCode.usage,
  QUEUE_FULL: ExitCode.unreachable,
  ABORTED: ExitCode.interrupted,
  CLOSED: ExitCode.unreachable,
  INVALID_PAYLOAD: ExitCode.usage,
  LEASE_LOST: ExitCode.unreachable,
  NO_RESPONDER: ExitCode.unreachable,
  REMOTE_FAILURE: ExitCode.unreachable,
};

/** Refusals that say more than that the server would not: the same exit codes as over HTTP. */
const refusalCodes: Readonly<Record<number, ExitCode>> = {
  0x83: ExitCode.usage,
  0x90: ExitCode.usage,
  // There is no room: a quota, the disk.
  0x97: ExitCode.inputOutput,
  0x99: ExitCode.usage,
};

const systemCodes: Readonly<Record<string, ExitCode>> = {
  EACCES: ExitCode.notPermitted,
  EPERM: ExitCode.notPermitted,
  ENOENT: ExitCode.configuration,
  ENOTDIR: ExitCode.configuration,
  EISDIR: ExitCode.configuration,
};

/**
 * Any failure as words and an exit code. Errors are told apart by name and fields, not by class, so that a quick command
 * need not load the client or the broker to report one.
 */
export function describeError(error: unknown): ErrorDescription {
  if (error instanceof CliError) {
    return { exitCode: error.exitCode, message: error.message, hint: error.hint, stack: undefined };
  }
  if (!(error instanceof Error))
    return { exitCode: ExitCode.internal, message: String(error), hint: undefined, stack: undefined };
  const exitCode = expectedExitCode(error);
  if (exitCode === undefined) {
    return {
      exitCode: ExitCode.internal,
      message: `internal error: ${error.message}`,
      hint: "this is a defect of mess: please report it, with the lines above",
      stack: error.stack,
    };
  }
  const hint = "hint" in error && typeof error.hint === "string" ? error.hint : undefined;
  return { exitCode, message: error.message, hint, stack: undefined };
}

function expectedExitCode(error: Error): number | undefined {
  // The broker's own errors carry the exit code they stand for.
  if ("exitCode" in error && typeof error.exitCode === "number") return error.exitCode;
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  if (code === undefined) return undefined;
  if (error.name === "MessError" && code === "REFUSED") return refusedExitCode(error);
  if (error.name === "MessError")
    return Object.hasOwn(clientCodes, code) ? clientCodes[code as MessErrorCode] : undefined;
  // Errors of system calls have `syscall`; errors of Node's own checks (ERR_…) are defects of ours.
  if (!("syscall" in error)) return undefined;
  return systemCodes[code] ?? ExitCode.inputOutput;
}

function refusedExitCode(error: Error): ExitCode {
  const reason = "reasonCode" in error && typeof error.reasonCode === "number" ? error.reasonCode : 0;
  return refusalCodes[reason] ?? clientCodes.REFUSED;
}
