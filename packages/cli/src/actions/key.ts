import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { CliError, usageError } from "../cli-error.ts";
import type { KeyCreateOptions, KeyListOptions, KeyResetOptions, KeyRevokeOptions } from "../commands/key.ts";
import { ExitCode } from "../exit-code.ts";
import type { Io } from "../io.ts";
import { kekFlags } from "../kek-options.ts";
import { formatKey } from "../target/key-text.ts";
import { defaultData } from "../target/target.ts";
import { confirm } from "../terminal/confirm.ts";
import { note, print, printJson } from "../terminal/print.ts";
import { formatTable } from "../terminal/table.ts";
import { administer } from "./administer.ts";
import { objectFrom, textField } from "./answer.ts";
import { loadBroker } from "./broker-library.ts";

export async function createKey(io: Io, name: string, options: KeyCreateOptions): Promise<void> {
  const administration = await administer(io, options);
  const answer = objectFrom(
    await administration.request({ method: "POST", path: "/v1/keys", body: { name, roles: options.role } }),
  );
  const key = {
    id: textField(answer, "id"),
    secret: textField(answer, "secret"),
    principal: textField(answer, "principal"),
  };
  if (options.out !== undefined) {
    const path = resolve(io.cwd, options.out);
    await saveKey(io, path, formatKey(key), key.id);
    if (options.json === true) return printJson(io, { id: key.id, principal: key.principal, file: path });
    return note(io, `key ${key.id} of ${key.principal} written to ${path}`);
  }
  if (options.json === true) return printJson(io, key);
  await print(io, `${formatKey(key)}\n`);
  note(io, `key ${key.id} of ${key.principal}: shown once, stored as a hash`);
}

/** A key that could not be written would be lost, and still valid: then it is shown how to be rid of it. */
async function saveKey(io: Io, path: string, text: string, id: string): Promise<void> {
  try {
    await writeFile(path, `${text}\n`, { mode: 0o600, flag: "wx", flush: true });
  } catch (error) {
    note(io, `the key ${id} was made, but could not be saved: revoke it with mess key revoke ${id}`);
    const exists = error instanceof Error && "code" in error && error.code === "EEXIST";
    throw exists ? new CliError(ExitCode.inputOutput, `${path} exists: a key does not overwrite a file`) : error;
  }
}

export async function listKeys(io: Io, options: KeyListOptions): Promise<void> {
  const administration = await administer(io, options);
  const { keys } = objectFrom(await administration.request({ method: "GET", path: "/v1/keys" }));
  const list = (Array.isArray(keys) ? keys : []).map(objectFrom);
  if (options.json === true) {
    for (const key of list) await printJson(io, key);
    return;
  }
  const rows = list.map((key) => {
    const created = key["createdAt"];
    const when = typeof created === "number" ? new Date(created).toISOString().slice(0, 16).replace("T", " ") : "";
    return [textField(key, "id"), textField(key, "principal"), textField(key, "name"), when];
  });
  await print(
    io,
    formatTable([{ title: "ID" }, { title: "PRINCIPAL" }, { title: "NAME" }, { title: "CREATED (UTC)" }], rows),
  );
}

export async function revokeKey(io: Io, id: string, options: KeyRevokeOptions): Promise<void> {
  if (!(await confirm(io, `revoke the key ${id}`, options.yes ?? false))) return note(io, "nothing was changed");
  const administration = await administer(io, options);
  await administration.request({ method: "DELETE", path: `/v1/keys/${encodeURIComponent(id)}` });
  note(io, `key ${id} is revoked`);
}

export async function resetKey(io: Io, options: KeyResetOptions): Promise<void> {
  if (options.offline !== true) {
    throw usageError("a reset works on the data directory, while no server runs", "stop the server and pass --offline");
  }
  const data = resolve(io.cwd, options.data ?? (io.env["MESS_DATA"] || defaultData));
  if (!(await confirm(io, `make a new admin key in ${data}`, options.yes ?? false)))
    return note(io, "nothing was changed");
  const { resetAdminKey } = await loadBroker();
  const key = await resetAdminKey({ data, flags: kekFlags(options), env: io.env });
  const file = join(data, "admin.key");
  if (options.json === true) return printJson(io, { id: key.id, file });
  note(io, `a new admin key, ${key.id}, is in ${file}; other admin keys stay valid until revoked`);
  // On a terminal only: what goes to a file or a log stays there.
  if (io.stdout.isTTY === true) await print(io, `${formatKey(key)}\n`);
}
