import { createPublicKey, generateKeyPairSync, type JsonWebKey } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { CliError } from "../cli-error.ts";
import type { SigningKeyAddOptions, SigningKeyListOptions, SigningKeyRemoveOptions } from "../commands/signing-key.ts";
import { ExitCode } from "../exit-code.ts";
import type { Io } from "../io.ts";
import { readSmallFile } from "../target/read-small-file.ts";
import { confirm } from "../terminal/confirm.ts";
import { note, print, printJson } from "../terminal/print.ts";
import { formatTable } from "../terminal/table.ts";
import { administer } from "./administer.ts";
import { objectFrom, textField } from "./answer.ts";

const pemBytesMax = 1_024;

export async function addSigningKey(io: Io, principal: string, options: SigningKeyAddOptions): Promise<void> {
  const made = options.hmac === true || options.publicKey !== undefined ? undefined : generateKeyPairSync("ed25519");
  const publicKey = made?.publicKey.export({ format: "pem", type: "spki" }) ?? (await givenKey(io, options));
  const administration = await administer(io, options);
  const answer = objectFrom(
    await administration.request({
      method: "POST",
      path: "/v1/signing-keys",
      body: {
        principal,
        ...(options.name !== undefined && { name: options.name }),
        ...(publicKey === undefined ? { algorithm: "HS256" } : { publicKey }),
      },
    }),
  );
  const id = textField(answer, "id");
  const key = { id, principal: textField(answer, "principal"), algorithm: textField(answer, "algorithm") };
  const kept: JsonWebKey | undefined = made?.privateKey.export({ format: "jwk" }) ?? sharedKey(answer);
  await show(io, key, kept && { kid: id, alg: key.algorithm, ...kept }, options);
}

async function givenKey(io: Io, { publicKey }: SigningKeyAddOptions): Promise<string | undefined> {
  if (publicKey === undefined) return undefined;
  return await readSmallFile(resolve(io.cwd, publicKey), "the public key", pemBytesMax);
}

function sharedKey(answer: Readonly<Record<string, unknown>>): JsonWebKey | undefined {
  return answer["secret"] === undefined ? undefined : { kty: "oct", k: textField(answer, "secret") };
}

async function show(
  io: Io,
  key: { readonly id: string; readonly principal: string; readonly algorithm: string },
  kept: JsonWebKey | undefined,
  { out, json }: SigningKeyAddOptions,
): Promise<void> {
  const said = `signing key ${key.id} (${key.algorithm}) of ${key.principal}`;
  if (kept !== undefined && out !== undefined) {
    const path = resolve(io.cwd, out);
    await save(path, kept, key.id);
    if (json === true) return printJson(io, { ...key, file: path });
    return note(io, `${said} written to ${path}`);
  }
  if (json === true) return printJson(io, { ...key, ...(kept !== undefined && { key: kept }) });
  await print(io, `${kept === undefined ? key.id : JSON.stringify(kept)}\n`);
  note(io, kept === undefined ? said : `${said}: shown once`);
}

async function save(path: string, key: JsonWebKey, id: string): Promise<void> {
  try {
    await writeFile(path, `${JSON.stringify(key)}\n`, { mode: 0o600, flag: "wx", flush: true });
  } catch (error) {
    const exists = error instanceof Error && "code" in error && error.code === "EEXIST";
    const why = exists ? "it exists, and a key does not overwrite a file" : (error as Error).message;
    const hint = `the server has the key already: mess signing-key remove ${id}`;
    throw new CliError(ExitCode.inputOutput, `the key could not be written to ${path}: ${why}`, hint, error);
  }
}

export async function listSigningKeys(io: Io, options: SigningKeyListOptions): Promise<void> {
  const administration = await administer(io, options);
  const { signingKeys } = objectFrom(await administration.request({ method: "GET", path: "/v1/signing-keys" }));
  const list = (Array.isArray(signingKeys) ? signingKeys : []).map(objectFrom);
  if (options.jwks === true) return printJson(io, { keys: list.flatMap(publicJwk) });
  if (options.json === true) {
    for (const key of list) await printJson(io, key);
    return;
  }
  const titles = ["ID", "PRINCIPAL", "ALGORITHM", "NAME", "ADDED (UTC)"].map((title) => ({ title }));
  const rows = list.map((key) => [
    ...["id", "principal", "algorithm", "name"].map((field) => textField(key, field)),
    timeOf(key["createdAt"]),
  ]);
  await print(io, formatTable(titles, rows));
}

function timeOf(time: unknown): string {
  return typeof time === "number" ? new Date(time).toISOString().slice(0, 16).replace("T", " ") : "";
}

function publicJwk(key: Readonly<Record<string, unknown>>): readonly JsonWebKey[] {
  if (key["publicKey"] === undefined) return [];
  const { kty, crv, x } = createPublicKey(textField(key, "publicKey")).export({ format: "jwk" });
  return [{ kid: textField(key, "id"), alg: textField(key, "algorithm"), kty, crv, x }] as JsonWebKey[];
}

export async function removeSigningKey(io: Io, id: string, options: SigningKeyRemoveOptions): Promise<void> {
  if (!(await confirm(io, `remove the signing key ${id}`, options.yes ?? false)))
    return note(io, "nothing was changed");
  const administration = await administer(io, options);
  await administration.request({ method: "DELETE", path: `/v1/signing-keys/${encodeURIComponent(id)}` });
  note(io, `signing key ${id} is removed`);
}
