import { randomBytes } from "node:crypto";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import { configurationError, usageError } from "../cli-error.ts";
import { readSmallFileIfAny } from "./read-small-file.ts";

/** What `mess pair` remembers of a server. The file holds a secret: 0600. */
export interface Context {
  /** mqtts://host:port */
  readonly url: string;
  /** https://host:port */
  readonly httpUrl: string | undefined;
  /** PEM of the one CA to trust. */
  readonly ca: string | undefined;
  /** id.secret */
  readonly key: string | undefined;
}

const contextBytesMax = 256 * 1024;

/** `$XDG_CONFIG_HOME/mess/contexts/NAME.json`, by default under `~/.config`. */
export function contextPath(env: NodeJS.ProcessEnv, name: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/u.test(name)) {
    throw usageError(`"${name}" is not a context name`, "use letters, digits, - and _");
  }
  const base = env["XDG_CONFIG_HOME"];
  // The XDG specification says that a relative path is to be ignored.
  const home = env["HOME"] ?? homedir();
  const config = base !== undefined && isAbsolute(base) ? base : join(home, ".config");
  return join(config, "mess", "contexts", `${name}.json`);
}

/** undefined when there is no such context. */
export async function readContext(path: string): Promise<Context | undefined> {
  const text = await readSmallFileIfAny(path, "the context file", contextBytesMax);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw damaged(path, "it is not JSON");
  }
  if (typeof value !== "object" || value === null) throw damaged(path, "it is not an object");
  const field = (name: string): string | undefined => {
    const content = (value as Record<string, unknown>)[name];
    if (content !== undefined && typeof content !== "string") throw damaged(path, `"${name}" is not a string`);
    return content;
  };
  const url = field("url");
  if (url === undefined) throw damaged(path, `"url" is missing`);
  return { url, httpUrl: field("httpUrl"), ca: field("ca"), key: field("key") };
}

/** Writes the file whole or not at all, readable by its owner alone. */
export async function writeContext(path: string, context: Context): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    await writeFile(temporary, `${JSON.stringify(context, undefined, 2)}\n`, { mode: 0o600, flag: "wx", flush: true });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

function damaged(path: string, why: string): Error {
  return configurationError(`the context file ${path} cannot be used: ${why}`, "make it again with mess pair");
}
