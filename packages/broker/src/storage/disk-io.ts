import type { DiskError, DiskFile } from "../host/host.ts";
import { StorageError } from "./storage-error.ts";

/** Promise forms of the disk's callbacks, for the paths that are not hot. */

export function writeAt(file: DiskFile, bytes: Uint8Array, position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    file.writeAt(bytes, position, (error) => (error === undefined ? resolve() : reject(error)));
  });
}

export function readAt(file: DiskFile, into: Uint8Array, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    file.readAt(into, position, (error, count) => (error === undefined ? resolve(count) : reject(error)));
  });
}

export function datasync(file: DiskFile): Promise<void> {
  return new Promise((resolve, reject) => {
    file.datasync((error) => (error === undefined ? resolve() : reject(error)));
  });
}

/** errno name of a failure, or "" when it is not the disk's. */
export function errorCode(error: unknown): string {
  const code = (error as Partial<DiskError> | undefined)?.code;
  return typeof code === "string" ? code : "";
}

/** Turns a disk's failure into a `StorageError` that names the file; passes on everything else as it is. */
export function ioError(doing: string, path: string, error: unknown): unknown {
  const code = errorCode(error);
  if (error instanceof StorageError || code === "") return error;
  const { message } = error as DiskError;
  return new StorageError("io", `The disk failed while ${doing} ${path}: ${code} ${message}`, {
    file: path,
    errno: code,
  });
}

/** Runs a step on the disk; what it rejects with becomes a `StorageError`. */
export async function step<T>(doing: string, path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw ioError(doing, path, error);
  }
}
