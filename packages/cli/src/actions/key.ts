import { join, resolve } from "node:path";
import { usageError } from "../cli-error.ts";
import type {
  KeyCreateOptions,
  KeyListOptions,
  KeyResetOptions,
  KeyRevokeOptions,
  KeyRotateOptions,
} from "../commands/key.ts";
import type { Io } from "../io.ts";
import { kekFlags } from "../kek-options.ts";
import { formatKey } from "../target/key-text.ts";
import { defaultData } from "../target/target.ts";
import { confirm } from "../terminal/confirm.ts";
import { note, print, printJson } from "../terminal/print.ts";
import { formatTable } from "../terminal/table.ts";
import { formatTime } from "../units.ts";
import { administer } from "./administer.ts";
import { numberField, objectFrom, shownField, textField } from "./answer.ts";
import { loadBroker } from "./broker-library.ts";
import { handOut } from "./hand-out.ts";

export async function createKey(io: Io, name: string, options: KeyCreateOptions): Promise<void> {
  const administration = await administer(io, options);
  const { role, expires } = options;
  const body = { name, roles: role, ...(expires !== undefined && { expiresIn: expires }) };
  const answer = objectFrom(await administration.request({ method: "POST", path: "/v1/keys", body }));
  await handOut(io, answer, { ...options, what: "key", revoke: "mess key revoke" });
}

export async function rotateKey(io: Io, id: string, options: KeyRotateOptions): Promise<void> {
  const administration = await administer(io, options);
  const { overlap, expires } = options;
  const body = { overlap, ...(expires !== undefined && { expiresIn: expires }) };
  const path = `/v1/keys/${encodeURIComponent(id)}/rotation`;
  const answer = objectFrom(await administration.request({ method: "POST", path, body }));
  const endsAt = numberField(answer, "replacedEndsAt");
  await handOut(io, answer, {
    ...options,
    what: "key",
    revoke: "mess key revoke",
    more: { replaces: id, replacedEndsAt: endsAt },
  });
  note(io, `the old key ${id} counts until ${formatTime(endsAt)} UTC`);
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
    const replaced = shownField(key, "replacedBy");
    return [
      textField(key, "id"),
      textField(key, "principal"),
      textField(key, "name"),
      formatTime(key["createdAt"]),
      formatTime(key["expiresAt"]),
      replaced === "" ? "" : `replaced by ${replaced}`,
    ];
  });
  const titles = ["ID", "PRINCIPAL", "NAME", "CREATED (UTC)", "ENDS (UTC)", ""];
  await print(
    io,
    formatTable(
      titles.map((title) => ({ title })),
      rows,
    ),
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
