import { resolve } from "node:path";
import { connectMqtt, parseAddress } from "@mess/client";
import { configurationError, usageError } from "../cli-error.ts";
import type { PairOptions } from "../commands/pair.ts";
import type { Io } from "../io.ts";
import { type Context, contextPath, writeContext } from "../target/context-file.ts";
import { readDataDirectory } from "../target/data-directory.ts";
import { formatKey, type Key, keyTextBytesMax, parseKeyText } from "../target/key-text.ts";
import { readSmallFile } from "../target/read-small-file.ts";
import { defaultData } from "../target/target.ts";
import { askSecret } from "../terminal/ask-secret.ts";
import { note, printJson } from "../terminal/print.ts";
import { fetchCa } from "./fetch-ca.ts";
import { connectOptions } from "./with-client.ts";

export async function pair(io: Io, options: PairOptions): Promise<void> {
  const path = contextPath(io.env, options.context);
  const signal = io.watchSignals();
  const context =
    options.url === undefined ? await fromDataDirectory(io, options) : await fromUrl(io, options.url, options, signal);
  if (options.check) await check(context, signal);
  await writeContext(path, context);
  const keyId = context.key === undefined ? undefined : parseKeyText(context.key, path).id;
  if (options.json === true) {
    return printJson(io, { context: options.context, file: path, url: context.url, httpUrl: context.httpUrl, keyId });
  }
  note(io, `paired with ${context.url}${keyId === undefined ? "" : ` as key ${keyId}`}; remembered in ${path}`);
}

async function fromDataDirectory(io: Io, options: PairOptions): Promise<Context> {
  if (options.ca !== undefined || options.caSha256 !== undefined || options.httpUrl !== undefined) {
    throw usageError("--ca, --ca-sha256 and --http-url need --url");
  }
  const directory = resolve(io.cwd, options.data ?? (io.env["MESS_DATA"] || defaultData));
  const local = await readDataDirectory(directory);
  if (local === undefined)
    throw configurationError(`${directory} is not a server's data directory`, "pass --url, or --data");
  const key = options.keyFile === undefined ? undefined : await keyFromFile(io, options.keyFile);
  if (key === undefined && local.key === undefined && !local.insecure) {
    throw configurationError(
      `${directory} holds no admin.key any more`,
      "pass --key-file, or make a key: mess key reset --offline",
    );
  }
  const text = key === undefined ? local.key?.trim() : formatKey(key);
  return { url: local.url, httpUrl: local.httpUrl, ca: local.ca, key: text };
}

async function fromUrl(io: Io, url: string, options: PairOptions, signal: AbortSignal): Promise<Context> {
  const address = parseAddress(url);
  if (address.username !== undefined || address.password !== undefined) {
    throw usageError(
      "the address must not hold the key: others on this machine can read command lines",
      "use --key-file or stdin",
    );
  }
  if (options.ca !== undefined && options.caSha256 !== undefined)
    throw usageError("--ca and --ca-sha256 exclude each other");
  const key = options.keyFile === undefined ? await keyFromStdin(io) : await keyFromFile(io, options.keyFile);
  const ca =
    options.ca !== undefined
      ? await readSmallFile(resolve(io.cwd, options.ca), "the CA file", 1024 * 1024)
      : options.caSha256 === undefined
        ? undefined
        : await fetchCa(address, options.caSha256, signal);
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return {
    url,
    httpUrl: options.httpUrl ?? `${address.secure ? `https://${host}:8443` : `http://${host}:8080`}`,
    ca,
    key: formatKey(key),
  };
}

async function keyFromFile(io: Io, file: string): Promise<Key> {
  const path = resolve(io.cwd, file);
  return parseKeyText(await readSmallFile(path, "the key file", keyTextBytesMax), `the key file ${path}`);
}

async function keyFromStdin(io: Io): Promise<Key> {
  return parseKeyText(await askSecret(io, "key (id.secret): ", keyTextBytesMax), "stdin");
}

/** A wrong CA or key shows now, not at the first use. */
async function check(context: Context, signal: AbortSignal): Promise<void> {
  const key = context.key === undefined ? undefined : parseKeyText(context.key, "the context");
  const options = connectOptions({ url: context.url, httpUrl: context.httpUrl, ca: context.ca, key, source: "" });
  try {
    const client = await connectMqtt(context.url, { ...options, signal });
    await client.disconnect();
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
