import { constants } from "node:fs";
import { open, rename, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";

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
    if ((error as { code?: string }).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Puts a file in place whole or not at all, mode 0600 whatever the umask, durable when this resolves. */
export async function writePrivately(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.new`;
  await unlink(temporary).catch((error: { code?: string }) => {
    if (error.code !== "ENOENT") throw error;
  });
  const file = await open(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    await file.chmod(0o600);
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  const directory = await open(dirname(join(path)), constants.O_RDONLY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
