import { randomBytes } from "node:crypto";
import { type FileHandle, link, open, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Backup, ReadArchive } from "@mess/broker";
import { CliError } from "../cli-error.ts";
import type { BackupOptions } from "../commands/backup.ts";
import { ExitCode } from "../exit-code.ts";
import type { Io } from "../io.ts";
import { kekFlags } from "../kek-options.ts";
import { defaultData } from "../target/target.ts";
import { note, print, printJson } from "../terminal/print.ts";
import { ProgressBar } from "../terminal/progress-bar.ts";
import { formatBytes, formatCount } from "../units.ts";
import { administer } from "./administer.ts";
import { loadBroker } from "./broker-library.ts";

/** Of the answer: how long the archive is going to be. */
const bytesHeader = "mess-backup-bytes";

type Source = Pick<Backup, "bytes" | "chunks">;

export async function backup(io: Io, file: string, options: BackupOptions): Promise<void> {
  const path = file === "-" ? undefined : resolve(io.cwd, file);
  if (path !== undefined) await mustNotExist(path);
  const source = options.offline === true ? await offlineSource(io, options) : await onlineSource(io, options);
  const archive =
    path === undefined
      ? await copy(io, source, (chunk) => print(io, chunk))
      : await writeWhole(path, (write) => copy(io, source, write));
  const { lastSeq, headHash } = archive.manifest;
  const outcome = { file: path ?? "-", bytes: archive.bytes, lastSeq, headHash };
  if (options.json === true && path !== undefined) return printJson(io, outcome);
  const size = `${formatBytes(archive.bytes)}, ${formatCount(lastSeq)} records`;
  note(io, `backed up to ${path ?? "stdout"}: ${size} · head ${headHash}`);
}

async function onlineSource(io: Io, options: BackupOptions): Promise<Source> {
  const administration = await administer(io, options);
  const hints = {
    404: "the server is older than this command: stop it and use --offline",
    409: "wait until the other one ends",
  };
  const { headers, chunks } = await administration.stream({ method: "GET", path: "/v1/backup", hints });
  return { bytes: Number(headers[bytesHeader] ?? 0), chunks };
}

async function offlineSource(io: Io, options: BackupOptions): Promise<Source> {
  const { backupOffline } = await loadBroker();
  const data = resolve(io.cwd, options.data ?? (io.env["MESS_DATA"] || defaultData));
  return await backupOffline({ data, flags: kekFlags(options), env: io.env });
}

/** Checks the archive while it goes by: one that lacks something is none. */
async function copy(io: Io, source: Source, write: (chunk: Uint8Array) => Promise<void>): Promise<ReadArchive> {
  const { readArchive } = await loadBroker();
  const bar = new ProgressBar(io.stderr, "backup");
  const interrupted = io.watchSignals();
  async function* passing(): AsyncGenerator<Uint8Array> {
    for await (const chunk of source.chunks) {
      interrupted.throwIfAborted();
      await write(chunk);
      yield chunk;
    }
  }
  const onProgress = (done: number): void => {
    if (source.bytes > 0) bar.update(done, source.bytes);
  };
  try {
    return await readArchive({ source: "that is being made", chunks: passing(), onProgress });
  } finally {
    bar.clear();
  }
}

async function mustNotExist(path: string): Promise<void> {
  const file = await open(path, "r").catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  });
  if (file === undefined) return;
  await file.close();
  throw exists(path);
}

function exists(path: string): CliError {
  return new CliError(ExitCode.inputOutput, `${path} exists: a backup does not overwrite a file`, "name a new file");
}

/** The file gets its name when it is whole and on disk; until then, and if it fails, there is none. */
async function writeWhole<T>(
  path: string,
  fill: (write: (chunk: Uint8Array) => Promise<void>) => Promise<T>,
): Promise<T> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.part`;
  const file = await open(temporary, "wx", 0o600);
  try {
    const result = await fill((chunk) => writeAll(file, chunk));
    await file.sync();
    await file.close();
    // Unlike a rename, a link never replaces a file that came to be meanwhile.
    await link(temporary, path).catch((error: unknown) => {
      throw error instanceof Error && "code" in error && error.code === "EEXIST" ? exists(path) : error;
    });
    await rm(temporary);
    await syncDirectory(dirname(path));
    return result;
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(temporary, { force: true });
    throw error;
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let done = 0; done < chunk.length; ) done += (await file.write(chunk, done)).bytesWritten;
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
