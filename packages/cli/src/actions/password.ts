import { MessError, passwordVerifier } from "@mess/client";
import { usageError } from "../cli-error.ts";
import type { PasswordListOptions, PasswordRemoveOptions, PasswordSetOptions } from "../commands/password.ts";
import type { Io } from "../io.ts";
import { askSecret } from "../terminal/ask-secret.ts";
import { confirm } from "../terminal/confirm.ts";
import { note, print, printJson } from "../terminal/print.ts";
import { formatTable } from "../terminal/table.ts";
import { administer } from "./administer.ts";
import { objectFrom, textField } from "./answer.ts";

const passwordBytesMax = 1_024;
const iterationsMin = 15_000;
const iterationsMax = 10_000_000;
/** Shorter ones are guessed by whoever steals the data, however much work a guess is. */
const lengthMin = 8;

export async function setPassword(io: Io, principal: string, options: PasswordSetOptions): Promise<void> {
  const iterations = iterationsOf(options.iterations ?? "");
  const administration = await administer(io, options);
  const password = await askPassword(io, principal);
  const body = await verifierOf(password, iterations);
  await administration.request({ method: "PUT", path: pathOf(principal), body });
  note(io, `the password of ${principal} is set`);
}

export async function listPasswords(io: Io, options: PasswordListOptions): Promise<void> {
  const administration = await administer(io, options);
  const { passwords } = objectFrom(await administration.request({ method: "GET", path: "/v1/passwords" }));
  const list = (Array.isArray(passwords) ? passwords : []).map(objectFrom);
  if (options.json === true) {
    for (const one of list) await printJson(io, one);
    return;
  }
  const rows = list.map((one) => {
    const at = one["setAt"];
    const when = typeof at === "number" ? new Date(at).toISOString().slice(0, 16).replace("T", " ") : "";
    return [textField(one, "principal"), String(one["iterations"]), when];
  });
  await print(io, formatTable([{ title: "PRINCIPAL" }, { title: "ITERATIONS" }, { title: "SET (UTC)" }], rows));
}

export async function removePassword(io: Io, principal: string, options: PasswordRemoveOptions): Promise<void> {
  if (!(await confirm(io, `remove the password of ${principal}`, options.yes ?? false))) {
    return note(io, "nothing was changed");
  }
  const administration = await administer(io, options);
  await administration.request({ method: "DELETE", path: pathOf(principal) });
  note(io, `the password of ${principal} is removed`);
}

function pathOf(principal: string): string {
  return `/v1/principals/${encodeURIComponent(principal)}/password`;
}

/** On a terminal twice, since nobody sees what is typed; else all of stdin but a line end. */
async function askPassword(io: Io, principal: string): Promise<string> {
  const isTyped = io.stdin.isTTY === true;
  const said = await askSecret(io, `password of ${principal}: `, passwordBytesMax);
  const password = isTyped ? said : said.replace(/\r?\n$/u, "");
  if (password.length < lengthMin) throw usageError(`a password has at least ${lengthMin} characters`);
  if (isTyped && (await askSecret(io, "once more: ", passwordBytesMax)) !== password) {
    throw usageError("the two are not the same");
  }
  return password;
}

function iterationsOf(text: string): number {
  const value = /^\d{1,8}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= iterationsMin && value <= iterationsMax) return value;
  throw usageError(`--iterations is a number from ${iterationsMin} to ${iterationsMax}`);
}

async function verifierOf(password: string, iterations: number): Promise<object> {
  try {
    return await passwordVerifier(password, iterations);
  } catch (error) {
    throw error instanceof MessError && error.code === "INVALID_ARGUMENT" ? usageError(error.message) : error;
  }
}
