import { crc32 } from "node:zlib";
import type { Host } from "../host/host.ts";
import { datasync, errorCode, readAt, step, writeAt } from "./disk-io.ts";
import { type ErasureFile, KEYRING_FILE } from "./file-names.ts";
import { StorageError } from "./storage-error.ts";

const MARK = "mess-keyring-1";
const BYTES_MAX = 4 * 1_024 * 1_024;

export interface WrappedKey {
  readonly id: number;
  /** base64 */
  readonly wrapped: string;
  /** Wall-clock milliseconds; absent in rings from before keys had an age. */
  readonly madeAt?: number;
}

/** What the file says; all keys in it are wrapped by the key-encryption key. */
export interface KeyringContent {
  /** 16 bytes, base64. */
  readonly journal: string;
  /** Data key for new segments. */
  readonly current: number;
  /** Wrapped key of the secret box, base64. */
  readonly box: string;
  /** Wrapped key that wraps the keys of erasure domains, base64; absent in rings from before there were any. */
  readonly domains?: string;
  /** Where those are; the first of the two names if it is absent. */
  readonly domainsFile?: ErasureFile;
  readonly keys: readonly WrappedKey[];
}

export async function readKeyringFile(host: Host, directory: string): Promise<KeyringContent | undefined> {
  const path = `${directory}/${KEYRING_FILE}`;
  const stat = await step("looking at", path, () => host.disk.stat(path));
  if (stat === undefined) return undefined;
  if (stat.kind !== "file" || stat.size > BYTES_MAX) throw damaged(path, "it is not a keyring file");
  const bytes = Buffer.alloc(stat.size);
  await step("reading", path, async () => {
    const file = await host.disk.open(path, "read");
    try {
      await readAt(file, bytes, 0);
    } finally {
      await file.close();
    }
  });
  return parseKeyring(path, bytes);
}

/** Replaces the file so that a crash leaves the old one or the new one. */
export async function writeKeyringFile(host: Host, directory: string, content: KeyringContent): Promise<void> {
  const path = `${directory}/${KEYRING_FILE}`;
  const temporary = `${path}.new`;
  const text = JSON.stringify(content);
  const bytes = Buffer.from(`${MARK} ${crcText(Buffer.from(text))}\n${text}\n`, "utf8");
  await step("writing", temporary, async () => {
    await removeIfThere(host, temporary);
    const file = await host.disk.open(temporary, "create");
    try {
      await writeAt(file, bytes, 0);
      await datasync(file);
    } finally {
      await file.close();
    }
    await host.disk.rename(temporary, path);
    await host.disk.syncDirectory(directory);
  });
}

async function removeIfThere(host: Host, path: string): Promise<void> {
  try {
    await host.disk.remove(path);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
  }
}

function crcText(bytes: Buffer): string {
  return crc32(bytes).toString(16).padStart(8, "0");
}

function damaged(path: string, what: string): StorageError {
  return new StorageError("damaged", `The keyring ${path} is damaged: ${what}. Restore this file from a backup.`, {
    file: path,
  });
}

/** What the bytes of the file at `path` say. */
export function parseKeyring(path: string, bytes: Buffer): KeyringContent {
  const lineEnd = bytes.indexOf(0x0a);
  const first = bytes.toString("latin1", 0, Math.max(lineEnd, 0));
  const body = bytes.subarray(lineEnd + 1, bytes.length - 1);
  const newer = /^mess-keyring-(\d+) ([0-9a-f]{8})$/.exec(first);
  if (newer === null || bytes.at(-1) !== 0x0a || newer[2] !== crcText(body)) {
    throw damaged(path, "its checksum is wrong");
  }
  if (first.slice(0, MARK.length + 1) !== `${MARK} `) throw damaged(path, `its version ${newer[1]} is not known`);
  // The checksum was right: this is what `writeKeyringFile` wrote.
  return JSON.parse(body.toString("utf8")) as KeyringContent;
}
