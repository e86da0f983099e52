import { join, resolve } from "node:path";
import { configurationError } from "../cli-error.ts";
import { contextPath, readContext } from "./context-file.ts";
import { readDataDirectory } from "./data-directory.ts";
import { type Key, keyTextBytesMax, parseKeyText } from "./key-text.ts";
import { readSmallFile } from "./read-small-file.ts";

/** The options every client command has. Commander fills them from the flags alone; the environment is read here. */
export interface TargetOptions {
  readonly url?: string;
  readonly httpUrl?: string;
  readonly ca?: string;
  readonly keyFile?: string;
  readonly cert?: string;
  readonly certKey?: string;
  readonly context?: string;
  readonly data?: string;
}

/** The server a command talks to. */
export interface Target {
  readonly url: string;
  readonly httpUrl: string | undefined;
  /** PEM; the system's certificates when absent. */
  readonly ca: string | undefined;
  readonly key: Key | undefined;
  /** Shown to the server, if there is one. */
  readonly certificate?: ClientCertificate | undefined;
  /** For messages: where this was found. */
  readonly source: string;
}

/** PEM. */
interface ClientCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface TargetWorld {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
}

const certificateBytesMax = 1024 * 1024;

/**
 * Flags win over the environment, that over what is remembered: the context of `mess pair`, or else the data directory
 * on this machine. A remembered key only goes to a server that proves itself with the CA remembered with it, or to the
 * very address remembered: `--url` elsewhere must not carry it off.
 */
export async function resolveTarget(options: TargetOptions, world: TargetWorld): Promise<Target> {
  const { env } = world;
  const url = options.url ?? filled(env["MESS_URL"]);
  const httpUrl = options.httpUrl ?? filled(env["MESS_HTTP_URL"]);
  const caFile = options.ca ?? filled(env["MESS_CA"]);
  const ownCa =
    caFile === undefined
      ? undefined
      : await readSmallFile(resolve(world.cwd, caFile), "the CA file", certificateBytesMax);
  const ownKey = await givenKey(options, world);
  const base = await remembered(options, world);
  if (url === undefined && base === undefined) throw noServer(options, world);
  const target = url ?? base?.url ?? "";
  const certificate = await givenCertificate(options, world);
  // Who names a certificate wants to be known by it, and not by a key that is remembered.
  const isKnown = ownKey !== undefined || certificate !== undefined;
  const keyOfBase = base?.key !== undefined && !isKnown && keyMayGo(target, base, ownCa !== undefined);
  return {
    url: target,
    httpUrl: httpUrl ?? (url === undefined || url === base?.url ? base?.httpUrl : undefined),
    ca: ownCa ?? base?.ca,
    key: ownKey ?? (keyOfBase ? base.key : undefined),
    certificate,
    source: url === undefined ? (base?.source ?? "") : "--url",
  };
}

interface Remembered {
  readonly url: string;
  readonly httpUrl: string | undefined;
  readonly ca: string | undefined;
  readonly key: Key | undefined;
  readonly source: string;
}

function keyMayGo(url: string, base: Remembered, otherCa: boolean): boolean {
  if (url === base.url) return true;
  return !otherCa && base.ca !== undefined && /^(mqtts|ssl|mqtt\+ssl):/u.test(url);
}

async function givenKey(options: TargetOptions, { env, cwd }: TargetWorld): Promise<Key | undefined> {
  if (options.keyFile !== undefined) return keyFrom(resolve(cwd, options.keyFile));
  const text = filled(env["MESS_KEY"]);
  if (text !== undefined) return parseKeyText(text, "MESS_KEY");
  const file = filled(env["MESS_KEY_FILE"]);
  return file === undefined ? undefined : keyFrom(resolve(cwd, file));
}

async function givenCertificate(
  options: TargetOptions,
  { env, cwd }: TargetWorld,
): Promise<ClientCertificate | undefined> {
  const cert = options.cert ?? filled(env["MESS_CERT"]);
  const key = options.certKey ?? filled(env["MESS_CERT_KEY"]);
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) {
    throw configurationError("a client certificate needs its private key", "pass --cert and --cert-key together");
  }
  return {
    cert: await readSmallFile(resolve(cwd, cert), "the client certificate", certificateBytesMax),
    key: await readSmallFile(resolve(cwd, key), "the key of the client certificate", certificateBytesMax),
  };
}

async function keyFrom(path: string): Promise<Key> {
  return parseKeyText(await readSmallFile(path, "the key file", keyTextBytesMax), `the key file ${path}`);
}

async function remembered(options: TargetOptions, world: TargetWorld): Promise<Remembered | undefined> {
  const { env, cwd } = world;
  const data = options.data ?? filled(env["MESS_DATA"]);
  const name = options.context ?? filled(env["MESS_CONTEXT"]);
  // A data directory named on purpose wins over a context that merely exists.
  if (data === undefined || options.context !== undefined) {
    const path = contextPath(env, name ?? "default");
    const context = await readContext(path);
    if (context !== undefined) return withKey(context, context.key, `context ${path}`);
    if (name !== undefined)
      throw configurationError(`there is no context "${name}"`, `make it with mess pair --context ${name}`);
  }
  const directory = resolve(cwd, data ?? defaultData);
  const local = await readDataDirectory(directory);
  return local === undefined ? undefined : withKey(local, local.key, join(directory, "admin.key"));
}

export const defaultData = "mess-data";

function withKey(base: Omit<Remembered, "key" | "source">, key: string | undefined, source: string): Remembered {
  const { url, httpUrl, ca } = base;
  return { url, httpUrl, ca, key: key === undefined ? undefined : parseKeyText(key, source), source };
}

function noServer(options: TargetOptions, { env, cwd }: TargetWorld): Error {
  const directory = resolve(cwd, options.data ?? filled(env["MESS_DATA"]) ?? defaultData);
  return configurationError(
    `no server is known: there is no context, and no server's data in ${directory}`,
    "start one here (npm start), or pass --url and --key-file, or pair with one (mess pair)",
  );
}

function filled(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}
