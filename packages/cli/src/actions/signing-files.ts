/** Keys of signed messages in files: JSON Web Keys, as `mess signing-key` writes them. */
import { resolve } from "node:path";
import {
  type MessageSigner,
  type MessageVerifier,
  messageSigner,
  messageVerifier,
  type SigningJwk,
} from "@mess/client/signing";
import { configurationError } from "../cli-error.ts";
import type { Io } from "../io.ts";
import { readSmallFile } from "../target/read-small-file.ts";

const keyBytesMax = 4 * 1_024;
const keysBytesMax = 1_024 * 1_024;

/** @throws CliError 78 when the file holds no key to sign with; nothing of it is shown */
export async function readSigner(io: Io, file: string): Promise<MessageSigner> {
  const what = "the signing key";
  const value = parsed(await readSmallFile(resolve(io.cwd, file), what, keyBytesMax), `${what} ${file}`);
  return messageSigner(value as SigningJwk);
}

/** A key set, or one key. */
export async function readVerifier(io: Io, file: string): Promise<MessageVerifier> {
  const what = "the file of keys";
  const value = parsed(await readSmallFile(resolve(io.cwd, file), what, keysBytesMax), `${what} ${file}`);
  const { keys } = value as { readonly keys?: unknown };
  return messageVerifier({ keys: (Array.isArray(keys) ? keys : [value]) as readonly SigningJwk[] });
}

function parsed(text: string, what: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw configurationError(`${what} is not a JSON Web Key`, "mess signing-key add PRINCIPAL --out FILE makes one");
}
