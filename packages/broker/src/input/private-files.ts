import { constants } from "node:fs";
import { open, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { CertificateError } from "./certificate-error.ts";

/** The bytes of a file, or `undefined` when there is none. Does not follow a symbolic link at its end. */
export async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch (error) {
    const code = errno(error);
    if (code === "ENOENT") return undefined;
    const why = code === "ELOOP" ? "it is a symbolic link" : code;
    throw new CertificateError(`cannot read ${path}: ${why}`, 74);
  }
}

/** Puts a file in place whole or not at all, mode 0600 whatever the umask, durable when this resolves. */
export async function writePrivately(path: string, bytes: Uint8Array): Promise<void> {
  try {
    const temporary = `${path}.new`;
    await removeIfThere(temporary);
    const file = await open(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    try {
      await file.chmod(0o600);
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    throw new CertificateError(`cannot write ${path}: ${errno(error)}`, 74);
  }
}

/** What a crash in the middle of `writePrivately` left. */
async function removeIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errno(error) !== "ENOENT") throw error;
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function errno(error: unknown): string {
  return (error as { code?: string }).code ?? String(error);
}
