import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { KekRotated } from "@mess/broker";
import { CliError, usageError } from "../cli-error.ts";
import type { KekExportOptions, KekNewOptions, KekRotateOptions } from "../commands/kek.ts";
import { ExitCode } from "../exit-code.ts";
import type { Io } from "../io.ts";
import { kekFlags } from "../kek-options.ts";
import { defaultData } from "../target/target.ts";
import { confirm } from "../terminal/confirm.ts";
import { note, print, printJson } from "../terminal/print.ts";
import { administer } from "./administer.ts";
import { objectFrom, textField } from "./answer.ts";
import { loadBroker } from "./broker-library.ts";

export async function exportKey(io: Io, options: KekExportOptions): Promise<void> {
  const data = resolve(io.cwd, options.data ?? (io.env["MESS_DATA"] || defaultData));
  const { exportKek } = await loadBroker();
  const text = `${(await exportKek({ data, flags: kekFlags(options), env: io.env })).trimEnd()}\n`;
  if (options.out === undefined) return print(io, text);
  const path = resolve(io.cwd, options.out);
  await writeKey(path, text, 0o600);
  note(io, `key-encryption key of ${data} written to ${path}; keep it apart from the data`);
}

export async function makeKey(io: Io, options: KekNewOptions): Promise<void> {
  const { newKek } = await loadBroker();
  if (options.out === undefined) return print(io, newKek());
  const path = resolve(io.cwd, options.out);
  await writeKey(path, newKek(), 0o400);
  note(io, `a new key-encryption key is in ${path}; keep a copy of it elsewhere`);
}

async function writeKey(path: string, text: string, mode: number): Promise<void> {
  try {
    await writeFile(path, text, { mode, flag: "wx", flush: true });
  } catch (error) {
    const exists = error instanceof Error && "code" in error && error.code === "EEXIST";
    throw exists ? new CliError(ExitCode.inputOutput, `${path} exists: a key does not overwrite a file`) : error;
  }
}

export async function rotateKey(io: Io, options: KekRotateOptions): Promise<void> {
  const newKek = newSource(io, options);
  if (newKek !== undefined && options.offline !== true) {
    throw usageError(
      "a server takes no key by the network",
      "stop it and pass --offline; without --new-kek-… it makes a new key by itself",
    );
  }
  const what = options.offline === true ? "the data directory" : "the server";
  if (!(await confirm(io, `put another key-encryption key in place for ${what}`, options.yes ?? false))) {
    return note(io, "nothing was changed");
  }
  const { source, kept } = options.offline === true ? await offline(io, options, newKek) : await online(io, options);
  if (options.json === true) return printJson(io, { source, ...(kept !== undefined && { kept }) });
  note(
    io,
    `the data keys are under another key-encryption key: ${source}. Keep a copy of it elsewhere (mess kek export)`,
  );
  if (kept !== undefined) note(io, `backups made before need the key before; it is in ${kept}`);
}

type NewSource = { readonly kekFile?: string; readonly kekFd?: number; readonly kekCommand?: string };

function newSource(io: Io, options: KekRotateOptions): NewSource | undefined {
  const { newKekFile, newKekFd, newKekCommand } = options;
  if (newKekFile === undefined && newKekFd === undefined && newKekCommand === undefined) return undefined;
  return {
    ...(newKekFile !== undefined && { kekFile: resolve(io.cwd, newKekFile) }),
    ...(newKekFd !== undefined && { kekFd: newKekFd }),
    ...(newKekCommand !== undefined && { kekCommand: newKekCommand }),
  };
}

async function offline(io: Io, options: KekRotateOptions, newKek: NewSource | undefined): Promise<KekRotated> {
  const { rotateKekOffline } = await loadBroker();
  const data = resolve(io.cwd, options.data ?? (io.env["MESS_DATA"] || defaultData));
  return rotateKekOffline({ data, flags: kekFlags(options), env: io.env, ...(newKek !== undefined && { newKek }) });
}

async function online(io: Io, options: KekRotateOptions): Promise<KekRotated> {
  const administration = await administer(io, options);
  const answer = objectFrom(await administration.request({ method: "POST", path: "/v1/storage/rotate-kek" }));
  const { kept } = answer;
  return { source: textField(answer, "source"), ...(typeof kept === "string" && { kept }) };
}
