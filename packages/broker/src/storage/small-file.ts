import type { Host } from "../host/host.ts";
import { datasync, errorCode, readAt, step, writeAt } from "./disk-io.ts";
import { StorageError } from "./storage-error.ts";

/** The whole file, or `undefined` when there is none. Rejects with a `StorageError` when it is no file or too large. */
export async function readSmallFile(host: Host, path: string, bytesMax: number): Promise<Buffer | undefined> {
  const stat = await step("looking at", path, () => host.disk.stat(path));
  if (stat === undefined) return undefined;
  if (stat.kind !== "file" || stat.size > bytesMax) {
    throw new StorageError("damaged", `${path} is not what it should be: it is a ${stat.kind} of ${stat.size} bytes.`, {
      file: path,
    });
  }
  const bytes = Buffer.alloc(stat.size);
  return step("reading", path, async () => {
    const file = await host.disk.open(path, "read");
    try {
      return bytes.subarray(0, await readAt(file, bytes, 0));
    } finally {
      await file.close();
    }
  });
}

/** Replaces the file so that a crash leaves the old one or the new one, and makes that durable. */
export async function replaceSmallFile(host: Host, path: string, bytes: Buffer): Promise<void> {
  const temporary = `${path}.new`;
  await step("writing", path, async () => {
    await host.disk.remove(temporary).catch((error: unknown) => {
      if (errorCode(error) !== "ENOENT") throw error;
    });
    const file = await host.disk.open(temporary, "create");
    try {
      await writeAt(file, bytes, 0);
      await datasync(file);
    } finally {
      await file.close();
    }
    await host.disk.rename(temporary, path);
    await host.disk.syncDirectory(directoryOf(path));
  });
}

function directoryOf(path: string): string {
  const at = path.lastIndexOf("/");
  return at < 0 ? "." : at === 0 ? "/" : path.slice(0, at);
}
