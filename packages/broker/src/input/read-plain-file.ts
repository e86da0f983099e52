import { constants } from "node:fs";
import { open } from "node:fs/promises";

/** A file that an option names holds no more than this. */
const BYTES_MAX = 64 * 1_024 * 1_024;

/**
 * The bytes of a file that an option names. A pipe or a device in its place is refused at once: reading one would hold a
 * thread of the pool that the journal needs too, at each reload anew (LESSONS 8). Rejects with an `Error` whose message
 * continues "FILE cannot be read: ".
 */
export async function readPlainFile(path: string): Promise<Buffer> {
  // Not blocking, or opening a pipe would wait for somebody who writes into it.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = await file.stat();
    if (!found.isFile()) throw new Error("it is no regular file");
    if (found.size > BYTES_MAX) throw new Error("it has more than 64 MiB");
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** The code of what the system said, or the sentence of `readPlainFile`. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as { readonly code?: string; readonly message: string };
  return code ?? message;
}
