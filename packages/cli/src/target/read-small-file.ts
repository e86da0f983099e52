import { open } from "node:fs/promises";
import { CliError, configurationError } from "../cli-error.ts";
import { ExitCode } from "../exit-code.ts";

/**
 * A file that is meant to be small (a key, a certificate, a policy), as text.
 *
 * @param what names it in errors: "the key file"
 * @throws CliError 77 when it may not be read, 78 when it is not there or too large, 74 otherwise
 */
export async function readSmallFile(path: string, what: string, bytesMax: number): Promise<string> {
  try {
    const file = await open(path, "r");
    try {
      const buffer = Buffer.alloc(bytesMax + 1);
      let length = 0;
      for (let read = -1; read !== 0 && length <= bytesMax; length += read) {
        read = (await file.read(buffer, length, buffer.length - length)).bytesRead;
        if (read === 0) break;
      }
      if (length > bytesMax)
        throw configurationError(`${what} ${path} is larger than ${bytesMax} bytes: it is not one`);
      return buffer.toString("utf8", 0, length);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw readFailure(error, path, what);
  }
}

/** As `readSmallFile`, but undefined when there is no such file. */
export async function readSmallFileIfAny(path: string, what: string, bytesMax: number): Promise<string | undefined> {
  try {
    return await readSmallFile(path, what, bytesMax);
  } catch (error) {
    if (error instanceof CliError && isMissing(error.cause)) return undefined;
    throw error;
  }
}

function isMissing(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && (cause.code === "ENOENT" || cause.code === "ENOTDIR");
}

function readFailure(error: unknown, path: string, what: string): unknown {
  if (error instanceof CliError || !(error instanceof Error) || !("code" in error)) return error;
  if (error.code === "EACCES" || error.code === "EPERM") {
    const hint = "run as the user the server runs as, or pass a key of your own with --key-file";
    return new CliError(ExitCode.notPermitted, `${what} ${path} may not be read by this user`, hint, error);
  }
  if (isMissing(error)) return new CliError(ExitCode.configuration, `${what} ${path} does not exist`, undefined, error);
  return new CliError(ExitCode.inputOutput, `${what} ${path} cannot be read: ${error.message}`, undefined, error);
}
