import { stat } from "node:fs/promises";
import { join } from "node:path";
import { configurationError } from "../cli-error.ts";
import { keyTextBytesMax } from "./key-text.ts";
import { readSmallFileIfAny } from "./read-small-file.ts";

/** What a server's own data directory says about reaching it. */
export interface LocalServer {
  readonly url: string;
  readonly httpUrl: string;
  readonly ca: string | undefined;
  /** The text of `admin.key`, if it still lies there. */
  readonly key: string | undefined;
  /** Of the server that wrote `server.json` last; it may be gone. */
  readonly pid: number | undefined;
  /** The server runs with --insecure-dev. */
  readonly insecure: boolean;
}

const certificateBytesMax = 64 * 1024;

/** undefined when there is no such directory. */
export async function readDataDirectory(directory: string): Promise<LocalServer | undefined> {
  const found = await stat(directory).catch(() => undefined);
  if (found?.isDirectory() !== true) return undefined;
  const ready = await readServerFile(join(directory, "server.json"));
  const ca = await readSmallFileIfAny(join(directory, "ca.pem"), "the CA certificate", certificateBytesMax);
  const key = await readSmallFileIfAny(join(directory, "admin.key"), "the admin key", keyTextBytesMax);
  if (ready === undefined && ca === undefined) return undefined;
  return {
    url: ready?.mqtt ?? "mqtts://127.0.0.1:8883",
    httpUrl: ready?.https ?? "https://127.0.0.1:8443",
    ca,
    key,
    pid: ready?.pid,
    insecure: ready?.insecure ?? false,
  };
}

interface ServerFile {
  readonly mqtt: string;
  readonly https: string;
  readonly pid: number | undefined;
  readonly insecure: boolean;
}

async function readServerFile(path: string): Promise<ServerFile | undefined> {
  const text = await readSmallFileIfAny(path, "the server's address file", 16 * 1024);
  if (text === undefined) return undefined;
  const damaged = (): Error =>
    configurationError(`${path} cannot be used`, "restart the server: it writes the file anew");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw damaged();
  }
  if (typeof value !== "object" || value === null) throw damaged();
  const { mqtt, https, pid, insecure } = value as Record<string, unknown>;
  if (typeof mqtt !== "string" || typeof https !== "string") throw damaged();
  return { mqtt, https, pid: typeof pid === "number" ? pid : undefined, insecure: insecure === true };
}
