import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import type { KekSource } from "../model/storage-administration.ts";
import { classifyFile, KEYRING_FILE } from "./file-names.ts";
import { opensKeyring } from "./keyring.ts";
import { StorageError } from "./storage-error.ts";

const MARK = "mess-kek-1";
export const KEK_BYTES = 32;
const TEXT_BYTES_MAX = 4_096;
const COMMAND_DEADLINE_MS = 30_000;

export interface KekOptions {
  /** Data directory; without another source the key is in `<directory>.kek`, beside it. */
  readonly directory: string;
  readonly kekFile?: string;
  readonly kekFd?: number;
  /** Run by the shell; prints the key in its text form. For a key management service. */
  readonly kekCommand?: string;
  /** The key itself, 32 bytes: for a journal that is in memory only, like this. */
  readonly kek?: Uint8Array;
}

export interface LoadedKek {
  readonly kek: Buffer;
  /** It was made by this call. */
  readonly created: boolean;
  /** Where it came from, for messages. */
  readonly source: string;
}

/**
 * Loads the key-encryption key. Call it with the directory's lock held: the default file is made at the first start,
 * and only when the directory holds no journal. Rejects with a `StorageError` `configuration`.
 */
export async function loadKek(options: KekOptions): Promise<LoadedKek> {
  const { directory, kekFile, kekFd, kekCommand } = options;
  if (options.kek !== undefined) return { kek: Buffer.from(options.kek), created: false, source: "memory" };
  const named = [kekFile, kekFd, kekCommand].filter((source) => source !== undefined).length;
  if (named > 1) throw refuse("More than one source of the key-encryption key is named. Name one.");
  if (kekCommand !== undefined) {
    const source = "the key command";
    return { kek: parseKek(await runCommand(kekCommand), source), created: false, source };
  }
  if (kekFd !== undefined) {
    const source = `file descriptor ${kekFd}`;
    return { kek: parseKek(readText(kekFd, source), source), created: false, source };
  }
  const path = kekFile ?? defaultKekPath(directory);
  const found = interruptedRotation(path, directory) ?? readKekFile(path);
  if (found !== undefined) return { kek: found, created: false, source: path };
  if (kekFile !== undefined) throw refuse(`There is no key-encryption key at ${path}.`, path);
  if (holdsJournal(directory)) {
    throw refuse(
      `The journal in ${directory} needs its key-encryption key, and ${path} is missing. Put the key (or its escrow ` +
        "copy) back there, or name its source with --kek-file, --kek-fd or --kek-command. A new key would not open it.",
      path,
    );
  }
  return { kek: createKekFile(path), created: true, source: path };
}

/** What kind of source these options name. */
export function kekSourceOf(options: KekOptions): KekSource {
  if (options.kek !== undefined) return "memory";
  if (options.kekCommand !== undefined) return "command";
  return options.kekFd !== undefined ? "descriptor" : "file";
}

/** Where the key lies when no other source is named. */
export function defaultKekPath(directory: string): string {
  return `${directory.replace(/(?<!\/)\/+$/, "")}.kek`;
}

/** Where a new key waits until the keyring is wrapped by it (kek-rotation.ts). */
export function nextKekPath(path: string): string {
  return `${path}.next`;
}

/** The key that is to take the place of the one at `path`, if the keyring is wrapped by it already. */
function interruptedRotation(path: string, directory: string): Buffer | undefined {
  const keyring = `${directory}/${KEYRING_FILE}`;
  if (!existsSync(nextKekPath(path)) || !existsSync(keyring)) return undefined;
  const kek = readKekFile(nextKekPath(path));
  return kek !== undefined && opensKeyring(keyring, readFileSync(keyring), kek) ? kek : undefined;
}

/** The text form: a line with mark, key in base64 and checksum. It is the escrow copy too. */
export function formatKek(kek: Uint8Array): string {
  const key = Buffer.from(kek).toString("base64");
  return `${MARK} ${key} ${checksum(key)}\n`;
}

function checksum(key: string): string {
  return crc32(`${MARK} ${key}`).toString(16).padStart(8, "0");
}

/** Reads the text form; throws a `StorageError` `configuration` that never holds any of the text. */
export function parseKek(text: string, source: string): Buffer {
  const [mark, key, sum, ...rest] = text.trim().split(/\s+/);
  if (mark !== MARK) throw refuse(`What ${source} gives is no key-encryption key: it does not begin with ${MARK}.`);
  const kek = Buffer.from(key ?? "", "base64");
  if (rest.length > 0 || key === undefined || sum !== checksum(key) || kek.length !== KEK_BYTES) {
    throw refuse(
      `The key-encryption key from ${source} is damaged: its checksum or length is wrong. Use its escrow copy.`,
    );
  }
  return kek;
}

function refuse(message: string, file?: string): StorageError {
  return new StorageError("configuration", message, file === undefined ? {} : { file });
}

export function readKekFile(path: string): Buffer | undefined {
  let fd: number;
  try {
    // Not blocking: a named pipe in the file's place must not hang the start.
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    if (code === "ELOOP") throw refuse(`The key file ${path} is a symbolic link. Name the file itself.`, path);
    throw refuse(`The key file ${path} cannot be read: ${message}`, path);
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw refuse(`The key file ${path} is not a regular file.`, path);
    const own = process.getuid?.();
    if (own !== undefined && stat.uid !== own && stat.uid !== 0) {
      throw refuse(`The key file ${path} belongs to user ${stat.uid}, and this process runs as ${own}.`, path);
    }
    if ((stat.mode & 0o077) !== 0) {
      const mode = (stat.mode & 0o7777).toString(8).padStart(4, "0");
      throw refuse(`The key file ${path} is open to other users (mode ${mode}). Run: chmod 0400 ${path}`, path);
    }
    return parseKek(readText(fd, path), path);
  } finally {
    closeSync(fd);
  }
}

function readText(fd: number, source: string): string {
  const bytes = Buffer.alloc(TEXT_BYTES_MAX);
  try {
    let length = 0;
    for (;;) {
      const count = readSync(fd, bytes, length, bytes.length - length, null);
      length += count;
      if (count === 0 || length === bytes.length) return bytes.toString("latin1", 0, length);
    }
  } catch (error) {
    throw refuse(`The key-encryption key cannot be read from ${source}: ${(error as Error).message}`);
  }
}

function holdsJournal(directory: string): boolean {
  try {
    return readdirSync(directory).some((name) => name === KEYRING_FILE || classifyFile(name).kind === "segment");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw refuse(`The data directory ${directory} cannot be read: ${(error as Error).message}`, directory);
  }
}

/** Makes a key in a new file: whole or not there, and durable with its directory entry, before anything is sealed with the key. */
export function createKekFile(path: string): Buffer {
  const kek = randomBytes(KEK_BYTES);
  const temporary = `${path}.new`;
  try {
    rmSync(temporary, { force: true });
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    withFile(openSync(temporary, flags, 0o400), (fd) => {
      fchmodSync(fd, 0o400);
      writeSync(fd, formatKek(kek));
      fsyncSync(fd);
    });
    // Unlike a rename, a link never replaces a key that somebody put there meanwhile.
    linkSync(temporary, path);
    rmSync(temporary);
    withFile(openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY), fsyncSync);
  } catch (error) {
    throw refuse(`The key file ${path} cannot be made: ${(error as Error).message}`, path);
  }
  return kek;
}

function withFile(fd: number, use: (fd: number) => void): void {
  try {
    use(fd);
  } finally {
    closeSync(fd);
  }
}

function runCommand(command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { timeout: COMMAND_DEADLINE_MS, maxBuffer: TEXT_BYTES_MAX, encoding: "latin1" } as const;
    execFile("/bin/sh", ["-c", command], options, (error, stdout) => {
      if (error === null) {
        resolve(stdout);
        return;
      }
      // Not the error's own text: it quotes the command line, which may hold what should not be in a log.
      const how = error.killed ? "did not end in 30 s" : `ended with ${error.code ?? error.signal ?? "an error"}`;
      reject(refuse(`The key command ${how}. Run it by hand to see why.`));
    });
  });
}
